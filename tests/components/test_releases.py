"""Releases: folders and labels change together."""

import datetime
from concurrent.futures import ThreadPoolExecutor

import pytest

from components.publisher.labels import Labels
from components.publisher.labels import read_labels
from components.publisher.logic import versions_in
from components.publisher.model_card import make_card
from components.publisher.releases import ModelRepository
from components.publisher.releases import describe
from models.artifact_files import WARMUP_FILE
from models.days import to_day
from models.errors import StorageError
from tests.faults import UNWRITABLE
from tests.faults import Faults
from tests.faults import cut_at
from tests.faults import operations

DAY = to_day(datetime.date(2024, 1, 1))

DECISION = {"strategy": "ecdctr", "approved": True, "reasons": []}
CARD = make_card(DECISION, {}, None, None, day=DAY)


@pytest.fixture
def model(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "saved_model.pb").write_bytes(b"graph")
    return tmp_path / "model"


@pytest.fixture
def repository(tmp_path):
    return ModelRepository(tmp_path / "serving", "ads", "/models", keep=2)


def _release(repository, model, day, **options):
    return repository.release(
        model, DAY + day, {"model_fingerprint": str(day)}, CARD, [], **options
    )


def test_each_new_version_is_stable_and_the_oldest_go(repository, model):
    for day in range(4):
        released = _release(repository, model, day)
    assert versions_in(repository.folder) == [2024010300, 2024010400]
    assert released.removed == (2024010200,)
    assert released.labels == Labels(2024010400, None, 2024010300)
    assert describe(released) == "stable is 2024010400; removed 2024010200"
    assert not [
        path for path in repository.folder.iterdir() if path.name.startswith(".")
    ]


def test_a_stable_version_stays_however_many_canaries_come(repository, model):
    for day in range(5):
        released = _release(repository, model, day, as_canary=True)
    assert versions_in(repository.folder) == [2024010100, 2024010400, 2024010500]
    assert released.labels == Labels(2024010100, 2024010500)


def test_a_backfilled_day_is_published_and_not_loaded(repository, model):
    _release(repository, model, 3)
    released = _release(repository, model, 1)
    assert released.labels == Labels(2024010400)
    assert "2024010200 is of an earlier day and is not loaded" in describe(released)
    brought_back = _release(repository, model, 1, force=True)
    assert brought_back.labels.stable == 2024010200


def test_the_same_model_again_is_the_same_version(repository, model):
    first, again = _release(repository, model, 0), _release(repository, model, 0)
    assert first == again


def test_a_later_day_that_reuses_the_model_keeps_its_version_and_label(
    repository, model
):
    first = _release(repository, model, 0)
    again = repository.release(model, DAY + 1, {"model_fingerprint": "0"}, CARD, [])
    assert again.path == first.path
    assert again.labels == Labels(2024010100)
    assert versions_in(repository.folder) == [2024010100]


def test_a_withdrawn_model_is_known_until_it_is_published_again(repository, model):
    released = _release(repository, model, 0)
    assert repository.withdrawn("0") is None
    repository.withdraw(2024010100, "2024-01-03T10:00:00", None)
    assert versions_in(repository.folder) == []
    assert repository.labels() is None
    assert repository.withdrawn("0") == 2024010100
    assert repository.withdrawn("1") is None
    assert _release(repository, model, 0).path == released.path
    assert repository.withdrawn("0") is None


def test_versions_of_before_there_were_labels_count(repository, model):
    (repository.folder / "2024010100").mkdir(parents=True)
    assert repository.labels() == Labels(2024010100)
    assert _release(repository, model, 1).labels == Labels(2024010200, None, 2024010100)


def test_the_warmup_comes_with_the_model(repository, model, tmp_path):
    (tmp_path / "requests").write_bytes(b"records")
    released = _release(repository, model, 0, warmup=tmp_path / "requests")
    assert (released.path / WARMUP_FILE).read_bytes() == b"records"


def _tree(folder):
    """Returns every file below a folder but the lock, by its path inside."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(".lock")
    }


def _third_release(repository, model):
    """Returns what publishes a third version, of which the first must go."""
    for day in range(2):
        _release(repository, model, day)
    return lambda: _release(repository, model, 2)


def _withdrawal(repository, model):
    """Returns what withdraws the second version, as `rollback` repeats it."""
    for day in range(2):
        _release(repository, model, day)

    def withdraw():
        if (repository.folder / "2024010200").exists():
            repository.withdraw(2024010200, "2024-01-03", Labels(2024010100))

    return withdraw


def _first_release(repository, model):
    """Returns what publishes the first version of all."""
    return lambda: _release(repository, model, 0)


@pytest.mark.parametrize("change", [_first_release, _third_release, _withdrawal])
@pytest.mark.parametrize("fault", ["power cut", *UNWRITABLE])
def test_a_change_that_breaks_off_anywhere_is_finished_by_the_same_again(
    tmp_path, model, change, fault
):
    def world(name):
        repository = ModelRepository(tmp_path / name, "ads", "/models", keep=2)
        return repository, change(repository, model)

    repository, work = world("undisturbed")
    total = operations(work)
    expected = _tree(repository.directory)
    assert total > 5
    for number in range(total):
        repository, work = world(f"{number}")
        if fault == "power cut":
            cut_at(number, work)
        else:
            with pytest.MonkeyPatch.context() as patch:
                Faults(patch, at=number, error=UNWRITABLE[fault])
                with pytest.raises(StorageError, match=str(repository.directory)):
                    work()
        for version in repository.labels().loaded if repository.labels() else ():
            # What servers are told to load is there, whole.
            found = repository.folder / str(version) / "saved_model.pb"
            assert found.read_bytes() == b"graph"
        work()
        assert _tree(repository.directory) == expected
        assert not list(repository.folder.glob(".*.writing"))


def test_two_pipelines_in_one_directory_lose_no_label(tmp_path, model):
    names = [f"model{index}" for index in range(8)]

    def publish(name):
        repository = ModelRepository(tmp_path / "serving", name, "/models", keep=2)
        for day in range(3):
            _release(repository, model, day)

    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(publish, names))
    found = {name: read_labels(tmp_path / "serving", name) for name in names}
    assert found == dict.fromkeys(names, Labels(2024010300, None, 2024010200))
