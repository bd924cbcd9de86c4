"""Releases: folders and labels change together."""

import datetime

import pytest

from components.publisher.labels import Labels
from components.publisher.logic import versions_in
from components.publisher.releases import Shelf
from components.publisher.releases import describe
from models.artifact_files import WARMUP_FILE
from models.days import to_day

DAY = to_day(datetime.date(2024, 1, 1))


@pytest.fixture
def model(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "saved_model.pb").write_bytes(b"graph")
    return tmp_path / "model"


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path / "serving", "ads", "/models", keep=2)


def _release(shelf, model, day, **options):
    return shelf.release(model, DAY + day, {"model_fingerprint": str(day)}, **options)


def test_each_new_version_is_stable_and_the_oldest_go(shelf, model):
    for day in range(4):
        released = _release(shelf, model, day)
    assert versions_in(shelf.folder) == [2024010300, 2024010400]
    assert released.removed == (2024010200,)
    assert released.labels == Labels(2024010400, None, 2024010300)
    assert describe(released) == "stable is 2024010400; removed 2024010200"
    assert not [path for path in shelf.folder.iterdir() if path.name.startswith(".")]


def test_a_stable_version_stays_however_many_canaries_come(shelf, model):
    for day in range(5):
        released = _release(shelf, model, day, as_canary=True)
    assert versions_in(shelf.folder) == [2024010100, 2024010400, 2024010500]
    assert released.labels == Labels(2024010100, 2024010500)


def test_a_backfilled_day_is_published_and_not_loaded(shelf, model):
    _release(shelf, model, 3)
    released = _release(shelf, model, 1)
    assert released.labels == Labels(2024010400)
    assert "2024010200 is of an earlier day and is not loaded" in describe(released)
    brought_back = _release(shelf, model, 1, force=True)
    assert brought_back.labels.stable == 2024010200


def test_the_same_model_again_is_the_same_version(shelf, model):
    first, again = _release(shelf, model, 0), _release(shelf, model, 0)
    assert first == again


def test_a_later_day_that_reuses_the_model_keeps_its_version_and_label(shelf, model):
    first = _release(shelf, model, 0)
    again = shelf.release(model, DAY + 1, {"model_fingerprint": "0"})
    assert again.path == first.path
    assert again.labels == Labels(2024010100)
    assert versions_in(shelf.folder) == [2024010100]


def test_a_withdrawn_model_is_known_until_it_is_published_again(shelf, model):
    released = _release(shelf, model, 0)
    assert shelf.withdrawn("0") is None
    shelf.withdraw(2024010100, "2024-01-03T10:00:00", None)
    assert versions_in(shelf.folder) == []
    assert shelf.labels() is None
    assert shelf.withdrawn("0") == 2024010100
    assert shelf.withdrawn("1") is None
    assert _release(shelf, model, 0).path == released.path
    assert shelf.withdrawn("0") is None


def test_versions_of_before_there_were_labels_count(shelf, model):
    (shelf.folder / "2024010100").mkdir(parents=True)
    assert shelf.labels() == Labels(2024010100)
    assert _release(shelf, model, 1).labels == Labels(2024010200, None, 2024010100)


def test_the_warmup_comes_with_the_model(shelf, model, tmp_path):
    (tmp_path / "requests").write_bytes(b"records")
    released = _release(shelf, model, 0, warmup=tmp_path / "requests")
    assert (released.path / WARMUP_FILE).read_bytes() == b"records"
