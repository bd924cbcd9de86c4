"""The index of runs: what it knows, and that it never knows better than the records."""

import dataclasses

import pytest

from models.days import DayRange
from models.errors import StorageError
from pipeline.execution import run_index
from pipeline.execution.run_index import INDEX_FILE
from pipeline.execution.run_index import RunIndex
from pipeline.execution.run_records import RECORD_FILE
from pipeline.execution.run_records import RunRecorder
from pipeline.planning.step_kinds import StepKind
from pipeline.planning.steps import Step
from tests.faults import UNWRITABLE
from tests.faults import Faults
from tests.faults import cut_at


def step_of(day, *, done=False):
    days = DayRange(day - 1, day - 1)
    return Step(StepKind.TARGET, "ads", day, day, days, f"print{day}", done)


def add_run(root, day):
    """Stores the record of a run of `day`, which reuses the day before."""
    folder = root / "runs" / f"2026010{day}T000000-1"
    folder.mkdir(parents=True)
    RunRecorder(folder, [step_of(day - 1, done=True), step_of(day)], day)
    return folder


@pytest.fixture
def root(tmp_path):
    for day in (1, 2, 3):
        add_run(tmp_path, day)
    return tmp_path


def days_of(found):
    return [record.day for _, record in found]


def test_records_come_newest_first_and_only_those_asked_for(root):
    index = RunIndex(root)
    assert days_of(index.records()) == [3, 2, 1]
    assert days_of(index.records(days=DayRange(1, 2))) == [2, 1]
    # A run that only reused a step does not say how it came about.
    assert days_of(index.records(steps={"print2"})) == [2]
    assert days_of(index.records(steps={step_of(2).position})) == [2]
    assert days_of(index.records(steps={"unknown"})) == []


def test_an_index_that_knows_all_reads_no_record(root, monkeypatch):
    RunIndex(root).save()
    read = []

    def counted(path):
        read.append(path.parent.name)
        return read_record(path)

    read_record = run_index.read_record
    monkeypatch.setattr(run_index, "read_record", counted)
    assert days_of(RunIndex(root).records(steps={"print2"})) == [2]
    assert read == ["20260102T000000-1"]
    add_run(root, 4)
    assert days_of(RunIndex(root).records(steps={"print4"})) == [4]
    assert read[1:] == ["20260104T000000-1"] * 2  # for the index, and for itself


@pytest.mark.parametrize("content", ["", "[]", "{", '{"a": 1}', '{"a": {"day": 1}}'])
def test_a_broken_index_is_made_again(root, content):
    (root / "runs" / INDEX_FILE).write_text(content)
    index = RunIndex(root)
    assert days_of(index.records()) == [3, 2, 1]
    index.save()
    assert RunIndex(root).is_complete


def test_a_record_that_was_removed_is_forgotten(root):
    RunIndex(root).save()
    (root / "runs" / "20260102T000000-1" / RECORD_FILE).unlink()
    index = RunIndex(root)
    assert days_of(index.records()) == [3, 1]
    index.save()
    assert list(RunIndex(root).entries) == ["20260101T000000-1", "20260103T000000-1"]


def test_a_save_that_breaks_off_leaves_the_index_of_before(root):
    RunIndex(root).save()
    add_run(root, 4)
    before = (root / "runs" / INDEX_FILE).read_bytes()
    index = RunIndex(root)
    for number in range(4):
        cut_at(number, index.save)
        assert (root / "runs" / INDEX_FILE).read_bytes() == before
        assert days_of(RunIndex(root).records()) == [4, 3, 2, 1]


@pytest.mark.parametrize("disk", UNWRITABLE)
def test_a_disk_that_takes_no_index_is_named_and_records_are_still_read(root, disk):
    for number in range(4):
        index = RunIndex(root)
        with pytest.MonkeyPatch.context() as patch:
            Faults(patch, at=number, error=UNWRITABLE[disk])
            with pytest.raises(StorageError, match=str(root / "runs")):
                index.save()
        assert days_of(RunIndex(root).records()) == [3, 2, 1]
        RunIndex(root).save()
        assert RunIndex(root).is_complete
        (root / "runs" / INDEX_FILE).unlink()


def test_a_step_keeps_its_position_when_it_is_made_from_something_else():
    step = step_of(3)
    assert dataclasses.replace(step, fingerprint="other").position == step.position
    assert step_of(4).position != step.position
