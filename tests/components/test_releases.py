"""Releases: folders and labels change together."""

import datetime
from concurrent.futures import ThreadPoolExecutor

import pytest

from components.publisher.labels import Labels
from components.publisher.labels import read_labels
from components.publisher.logic import versions_in
from components.publisher.releases import Shelf
from components.publisher.releases import describe
from models.artifact_files import WARMUP_FILE
from models.days import to_day
from models.errors import StorageError
from tests.faults import UNWRITABLE
from tests.faults import Faults
from tests.faults import cut_at
from tests.faults import operations

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


def _tree(folder):
    """Returns every file below a folder but the lock, by its path inside."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(".lock")
    }


def _third_release(shelf, model):
    """Returns what publishes a third version, of which the first must go."""
    for day in range(2):
        _release(shelf, model, day)
    return lambda: _release(shelf, model, 2)


def _withdrawal(shelf, model):
    """Returns what withdraws the second version, as `rollback` repeats it."""
    for day in range(2):
        _release(shelf, model, day)

    def withdraw():
        if (shelf.folder / "2024010200").exists():
            shelf.withdraw(2024010200, "2024-01-03", Labels(2024010100))

    return withdraw


def _first_release(shelf, model):
    """Returns what publishes the first version of all."""
    return lambda: _release(shelf, model, 0)


@pytest.mark.parametrize("change", [_first_release, _third_release, _withdrawal])
@pytest.mark.parametrize("fault", ["power cut", *UNWRITABLE])
def test_a_change_that_breaks_off_anywhere_is_finished_by_the_same_again(
    tmp_path, model, change, fault
):
    def world(name):
        shelf = Shelf(tmp_path / name, "ads", "/models", keep=2)
        return shelf, change(shelf, model)

    shelf, work = world("undisturbed")
    total = operations(work)
    expected = _tree(shelf.directory)
    assert total > 5
    for number in range(total):
        shelf, work = world(f"{number}")
        if fault == "power cut":
            cut_at(number, work)
        else:
            with pytest.MonkeyPatch.context() as patch:
                Faults(patch, at=number, error=UNWRITABLE[fault])
                with pytest.raises(StorageError, match=str(shelf.directory)):
                    work()
        for version in shelf.labels().loaded if shelf.labels() else ():
            # What servers are told to load is there, whole.
            found = shelf.folder / str(version) / "saved_model.pb"
            assert found.read_bytes() == b"graph"
        work()
        assert _tree(shelf.directory) == expected
        assert not list(shelf.folder.glob(".*.writing"))


def test_two_pipelines_in_one_directory_lose_no_label(tmp_path, model):
    names = [f"model{index}" for index in range(8)]

    def publish(name):
        shelf = Shelf(tmp_path / "serving", name, "/models", keep=2)
        for day in range(3):
            _release(shelf, model, day)

    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(publish, names))
    found = {name: read_labels(tmp_path / "serving", name) for name in names}
    assert found == dict.fromkeys(names, Labels(2024010300, None, 2024010200))
