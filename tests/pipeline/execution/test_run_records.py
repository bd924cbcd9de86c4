"""Record of a run: complete after every step, also after a failure."""

import dataclasses

import pytest

from models.days import DayRange
from models.errors import DataError
from models.errors import StorageError
from pipeline.execution.run_index import RunIndex
from pipeline.execution.run_index import oldest_first
from pipeline.execution.run_records import RECORD_FILE
from pipeline.execution.run_records import RunRecorder
from pipeline.execution.run_records import seconds_by_step
from pipeline.execution.run_records import used
from pipeline.planning.step_kinds import StepKind
from pipeline.planning.steps import Block
from pipeline.planning.steps import Step
from tests.faults import UNWRITABLE
from tests.faults import Faults
from tests.faults import cut_at
from tests.faults import operations

BLOCK = Block(DayRange(1, 9), "b1", None)
INGEST = Step(StepKind.INGEST, "ingest", 10, 1, BLOCK.days, "b1", True)
TARGET = Step(
    StepKind.TARGET,
    "ecdctr for de",
    10,
    10,
    BLOCK.days,
    "t1",
    False,
    blocks=(BLOCK,),
    strategy="ecdctr",
    training="m1",
    evaluation=DayRange(10, 10),
)


def read_records(root):
    return oldest_first(RunIndex(root).records())


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "runs" / "20260101T000000-1"
    path.mkdir(parents=True)
    return path


def test_a_record_says_what_was_read_back(folder, tmp_path):
    recorder = RunRecorder(folder, [INGEST, TARGET], 10)
    nodes = [("Trainer", 3.5), ("Gate", 0.25)]
    note = "3 optimizer steps, fewer than 50"
    recorder.finished(TARGET, seconds=4.0, rows=7, nodes=nodes, note=note)
    (record,) = read_records(tmp_path)
    assert record == recorder.record
    assert [run.note for run in record.steps] == ["", note]
    assert [run.step for run in record.steps] == [INGEST, TARGET]
    assert [run.state for run in record.steps] == ["reused", "done"]
    assert record.steps[1].nodes == (("Trainer", 3.5), ("Gate", 0.25))
    assert (record.day, record.error) == (10, "")


def test_a_killed_run_leaves_what_it_was_to_do(folder, tmp_path):
    RunRecorder(folder, [INGEST, TARGET], 10)
    (record,) = read_records(tmp_path)
    assert [run.state for run in record.steps] == ["reused", "due"]


def test_a_failed_step_says_why(folder, tmp_path):
    recorder = RunRecorder(folder, [INGEST, TARGET], 10)
    recorder.failed(TARGET, "the loss became nan", seconds=1.0, nodes=[])
    (record,) = read_records(tmp_path)
    assert record.error == "the loss became nan"
    assert record.steps[1].state == "failed"
    assert seconds_by_step([record]) == {}


def test_the_newest_time_of_a_step_counts(tmp_path):
    for name, seconds in (("20260101T000000-1", 5.0), ("20260102T000000-1", 6.0)):
        later = tmp_path / "runs" / name
        later.mkdir(parents=True)
        RunRecorder(later, [TARGET], 10).finished(
            TARGET, seconds=seconds, rows=1, nodes=[]
        )
    found = seconds_by_step(read_records(tmp_path))
    assert found["t1"].seconds == 6.0


def states_of(root):
    """Returns the states of the only run's steps; none if there is no record yet."""
    return [run.state for record in read_records(root) for run in record.steps]


@pytest.mark.parametrize("fault", ["power cut", *UNWRITABLE])
def test_a_record_is_the_one_before_or_the_one_after(tmp_path, fault):
    due = dataclasses.replace(INGEST, done=False)
    seen = []

    def work(root):
        folder = root / "runs" / "20260101T000000-1"
        folder.mkdir(parents=True, exist_ok=True)
        recorder = RunRecorder(folder, [due, TARGET], 10)
        seen.append(states_of(root))
        recorder.finished(due, seconds=1.0, rows=1, nodes=[])
        seen.append(states_of(root))
        recorder.failed(TARGET, "the loss became nan", seconds=1.0, nodes=[])
        seen.append(states_of(root))

    total = operations(lambda: work(tmp_path / "undisturbed"))
    states = [[], *seen]
    assert states[1:] == [["due", "due"], ["done", "due"], ["done", "failed"]]
    assert total == 12
    for number in range(total):
        root = tmp_path / str(number)
        whole = states[number // 4]
        if fault == "power cut":
            cut_at(number, lambda root=root: work(root))
            assert states_of(root) == whole
        else:
            with pytest.MonkeyPatch.context() as patch:
                Faults(patch, at=number, error=UNWRITABLE[fault])
                with pytest.raises(StorageError, match="20260101T000000-1"):
                    work(root)
            # What is renamed may be read before its folder is on the disk.
            assert states_of(root) in (whole, states[number // 4 + 1])
        work(root)
        assert states_of(root) == states[-1]


def test_a_broken_record_is_named(folder, tmp_path):
    (folder / RECORD_FILE).write_text("{")
    with pytest.raises(DataError, match=r"steps\.json.*delete the file"):
        read_records(tmp_path)


def test_stored_blocks_that_nobody_reads_are_left_out():
    unread = dataclasses.replace(INGEST, fingerprint="b0")
    due = dataclasses.replace(INGEST, fingerprint="b2", done=False)
    assert used([unread, INGEST, due, TARGET]) == [INGEST, due, TARGET]


def test_a_root_without_runs_has_no_records(tmp_path):
    assert read_records(tmp_path) == []
