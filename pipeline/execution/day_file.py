"""Progress of a backfill as a file: one JSON line for each day that has ended.

    <root>/backfills/<first>..<last>-<UTC time>-<process>.jsonl

A line is there as soon as its day has ended, so the file can be read, or followed with
`tail -f`, while the backfill runs.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

from models.days import DayRange
from models.days import to_date
from models.durable_files import naming
from models.errors import CrossctrError
from pipeline.store.results import TargetResult

FOLDER = "backfills"


@dataclass(frozen=True)
class DayDone:
    """Result of one day.

    Attributes:
        day: The day.
        ran: Kinds of the steps that ran, in order; empty if all was done before.
        rows: Rows that were trained on.
        seconds: How long the day took, planning included.
        results: The strategies' results.
        failed: Strategies without a result, and why.
    """

    day: int
    ran: tuple[str, ...]
    rows: int
    seconds: float
    results: tuple[TargetResult, ...]
    failed: Mapping[str, str] = field(default_factory=dict)


@dataclass
class DayFile:
    """File of the days of one backfill that have ended.

    Attributes:
        path: The file.
        days: The backfill's days.
    """

    path: Path
    days: DayRange

    @classmethod
    def new(cls, root: Path, days: DayRange) -> DayFile:
        """Makes an empty file.

        Args:
            root: The configuration's `root`.
            days: The backfill's days.

        Raises:
            StorageError: The root cannot be written.
        """
        now = datetime.datetime.now(tz=datetime.timezone.utc)
        name = f"{days}-{now:%Y%m%dT%H%M%S}-{os.getpid()}.jsonl"
        folder = root / FOLDER
        with naming(root):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).touch()
        return cls(folder / name, days)

    def add(self, one: DayDone) -> None:
        """Appends the line of a day that is done."""
        self._append(
            one.day,
            ran=list(one.ran),
            rows=one.rows,
            seconds=round(one.seconds, 3),
            results=[_described(result) for result in one.results],
            failed=dict(one.failed),
            error=None,
        )

    @contextlib.contextmanager
    def failing(self, day: int) -> Iterator[None]:
        """Appends the line of a day that fails inside the context."""
        try:
            yield
        except CrossctrError as error:
            self._append(
                day,
                ran=[],
                rows=0,
                seconds=None,
                results=[],
                failed={},
                error=str(error),
            )
            raise

    def _append(self, day: int, **values: Any) -> None:
        now = datetime.datetime.now(tz=datetime.timezone.utc)
        line = {
            "day": str(to_date(day)),
            "number": day - self.days.first + 1,
            "days": len(self.days),
            "ended": now.isoformat(timespec="seconds"),
            **values,
        }
        # In one write, so that who reads meanwhile sees whole lines.
        with naming(self.path.parent), self.path.open("ab", buffering=0) as file:
            file.write(json.dumps(line).encode() + b"\n")


def _described(result: TargetResult) -> dict[str, Any]:
    return {
        "strategy": result.strategy,
        "approved": result.decision["approved"],
        "metrics": result.decision["candidate"],
        "published": result.published,
    }
