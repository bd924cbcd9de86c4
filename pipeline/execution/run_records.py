"""Records of runs, step by step: `<root>/runs/<time>/steps.json`.

ML Metadata knows the artifacts; which steps a person's command asked for, how long each
took and why one stopped is known to nobody else.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter
from pydantic import ValidationError

from models import durable_files
from models.errors import DataError
from pipeline.planning.step_kinds import StepKind
from pipeline.planning.steps import Step

RECORD_FILE = "steps.json"


@dataclass(frozen=True)
class StepRun:
    """A planned step and its outcome.

    Attributes:
        step: The step as it was planned.
        state: `reused` if its result was stored before, `due` if it was not reached.
        seconds: How long it took; None if it did not run.
        rows: Rows it ingested or trained on.
        nodes: Its components in running order, each with its seconds.
        note: What to know of its result, such as a training of few optimizer steps.
    """

    step: Step
    state: Literal["reused", "done", "failed", "due"]
    seconds: float | None = None
    rows: int | None = None
    nodes: tuple[tuple[str, float], ...] = ()
    note: str = ""


@dataclass(frozen=True)
class RunRecord:
    """One command's steps.

    Attributes:
        day: The run's day D; None for a command that is no `run`.
        started: When, in UTC.
        steps: In running order.
        error: Why it stopped, or what of it failed; empty if all went well.
        code: Hash of the code that made what it made.
    """

    day: int | None
    started: datetime.datetime
    steps: tuple[StepRun, ...]
    error: str = ""
    code: str = ""


_RECORD = TypeAdapter(RunRecord)


class RunRecorder:
    """Keeps a run's record on disk up to date, so that a killed run leaves one too."""

    def __init__(
        self, folder: Path, steps: Sequence[Step], day: int | None, code: str = ""
    ) -> None:
        """Records `steps` in `folder`, which exists."""
        self._path = folder / RECORD_FILE
        runs = [StepRun(step, "reused" if step.done else "due") for step in used(steps)]
        now = datetime.datetime.now(tz=datetime.timezone.utc)
        self.record = RunRecord(day, now.replace(microsecond=0), tuple(runs), code=code)
        self._write()

    def finished(
        self,
        step: Step,
        *,
        seconds: float,
        rows: int | None,
        nodes: Iterable[tuple[str, float]],
        note: str = "",
    ) -> None:
        """Notes that `step` is done."""
        self._replace(StepRun(step, "done", seconds, rows, tuple(nodes), note))

    def failed(
        self,
        step: Step,
        error: str,
        *,
        seconds: float,
        nodes: Iterable[tuple[str, float]],
    ) -> None:
        """Notes that `step` failed and why; other steps may go on."""
        reasons = " | ".join(filter(None, (self.record.error, error)))
        self.record = dataclasses.replace(self.record, error=reasons)
        self._replace(StepRun(step, "failed", seconds, None, tuple(nodes)))

    def _replace(self, run: StepRun) -> None:
        steps = tuple(
            run if old.step.fingerprint == run.step.fingerprint else old
            for old in self.record.steps
        )
        self.record = dataclasses.replace(self.record, steps=steps)
        self._write()

    def _write(self) -> None:
        durable_files.write_bytes(self._path, _RECORD.dump_json(self.record, indent=1))


def used(steps: Sequence[Step]) -> list[Step]:
    """Returns the steps that a run is about.

    A plan names every block since the first day of logs. One that is stored and that no
    level reads is left out: after years of days there are thousands of them.
    """
    read = {
        block.fingerprint
        for step in steps
        if step.kind != StepKind.INGEST
        for block in (*step.blocks, *step.evaluation_blocks)
    }
    return [
        step
        for step in steps
        if step.kind != StepKind.INGEST or not step.done or step.fingerprint in read
    ]


def read_record(path: Path) -> RunRecord:
    """Returns the record in a file.

    Raises:
        DataError: It cannot be read.
    """
    try:
        return _RECORD.validate_json(path.read_bytes())
    except ValidationError as error:
        raise DataError(
            f"{str(path)!r} is not a record of a run ({error.error_count()} errors, "
            f"the first: {error.errors()[0]['msg']}); delete the file, nothing but "
            "`plan` and the report read it"
        ) from error


def seconds_by_step(records: Iterable[RunRecord]) -> dict[str, StepRun]:
    """Returns, by fingerprint, the newest run in which a step was really done."""
    return {
        run.step.fingerprint: run
        for record in records
        for run in record.steps
        if run.state == "done"
    }
