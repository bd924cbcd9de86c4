"""Index of the runs' records: which command ran which step, without reading them all.

A record names every step that its run used, so a year of records is too much to read
for a plan. `<root>/runs/index.json` keeps, of each record, its day and the steps that
it did not merely reuse. It follows from the records: what it does not know is read from
them, and a lost index is made again.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from models import durable_files
from models.days import DayRange
from pipeline.execution.run_records import RECORD_FILE
from pipeline.execution.run_records import RunRecord
from pipeline.execution.run_records import read_record

INDEX_FILE = "index.json"


@dataclass(frozen=True)
class Entry:
    """Index entry of one record.

    Attributes:
        day: The run's day; None for a command that is no `run`.
        steps: Fingerprint and `Step.position` of each step that was to be done.
    """

    day: int | None
    steps: tuple[tuple[str, str], ...]

    def names(self, wanted: Collection[str]) -> bool:
        """Whether a step has one of these fingerprints or positions."""
        return any(name in wanted for step in self.steps for name in step)


class RunIndex:
    """The records of all runs under a root.

    Attributes:
        entries: By the name of a run's folder, which starts with its time, oldest
            first.
    """

    def __init__(self, root: Path) -> None:
        """Reads the index, and the records that it does not know yet.

        Raises:
            DataError: A record cannot be read.
        """
        self._folder = root / "runs"
        present = sorted(p.parent.name for p in self._folder.glob(f"*/{RECORD_FILE}"))
        known = self._read()
        self.is_complete = known.keys() == set(present)
        self.entries = {
            name: known[name] if name in known else entry_of(self._record(name))
            for name in present
        }

    def records(
        self, *, steps: Collection[str] | None = None, days: DayRange | None = None
    ) -> Iterator[tuple[Path, RunRecord]]:
        """Yields folders and records of runs, newest first, each read when asked for.

        Args:
            steps: Fingerprints or positions of steps, one of which the run was to do;
                None for any.
            days: Days, one of which the run was of; None for any.

        Raises:
            DataError: A record cannot be read.
        """
        for name, entry in reversed(self.entries.items()):
            if steps is not None and not entry.names(steps):
                continue
            if days is not None and (entry.day is None or entry.day not in days):
                continue
            yield self._folder / name, self._record(name)

    def save(self) -> None:
        """Writes the index, unless it knew all.

        Raises:
            StorageError: The folder of runs cannot be written.
        """
        if self.is_complete:
            return
        content = {
            name: {"day": entry.day, "steps": entry.steps}
            for name, entry in self.entries.items()
        }
        durable_files.write_text(self._folder / INDEX_FILE, json.dumps(content))

    def _record(self, name: str) -> RunRecord:
        return read_record(self._folder / name / RECORD_FILE)

    def _read(self) -> dict[str, Entry]:
        path = self._folder / INDEX_FILE
        if not path.is_file():
            return {}
        try:
            return {
                name: Entry(kept["day"], tuple((a, b) for a, b in kept["steps"]))
                for name, kept in json.loads(path.read_bytes()).items()
            }
        except (ValueError, KeyError, TypeError, AttributeError):
            # Whatever it was, the records are there: the index is made again.
            return {}


def entry_of(record: RunRecord) -> Entry:
    """Returns what the index keeps of a record."""
    steps = [run.step for run in record.steps if run.state != "reused"]
    return Entry(record.day, tuple((s.fingerprint, s.position) for s in steps))


def oldest_first(
    found: Iterable[tuple[Path, RunRecord]],
) -> list[RunRecord]:
    """Returns the records of `RunIndex.records`, oldest first."""
    return [record for _, record in found][::-1]
