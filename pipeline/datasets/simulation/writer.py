"""Writer of a simulated world: dated logs, and their true probabilities beside them.

    <logs>/<domain>/date=YYYY-MM-DD/part-0.parquet    what the pipeline reads
    <truth>/<domain>/date=YYYY-MM-DD/part-0.parquet   the same rows' p*, click, accident

A day is written completely or not at all, its truth first. A day with a log is
therefore complete, and an interrupted simulation resumes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import shutil
import time
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from models.data.arrow_files import pq
from models.errors import DataError
from pipeline.datasets.simulation.columns import LogColumns
from pipeline.datasets.simulation.complications import DomainComplications
from pipeline.datasets.simulation.complications import WorldComplications
from pipeline.datasets.simulation.recent_items import RecentItems
from pipeline.datasets.simulation.settings import DomainPlan
from pipeline.datasets.simulation.world import DomainWorld

MANIFEST_FILE = "_simulation.json"
DAY_FILE = "part-0.parquet"

_PLAIN: dict[str, Any] = {
    "complications": DomainComplications(),
    "world": WorldComplications(),
}
# Increased when draws or columns change, so that older logs are written again.
_LAYOUT = 1


@dataclass(frozen=True)
class DomainReport:
    """Result of simulating one domain.

    Attributes:
        domain: The domain.
        rows: Rows of its log.
        days: Days of its log.
        reused_days: Days of it that an earlier run had written.
        seconds: Duration.
    """

    domain: str
    rows: int
    days: int
    reused_days: int
    seconds: float

    @property
    def rows_per_second(self) -> float | None:
        """Rows written per second; None if all days were reused."""
        written = self.rows * (self.days - self.reused_days) // self.days
        return written / max(self.seconds, 1e-9) if written else None


def write_domains(
    plans: Sequence[DomainPlan],
    *,
    seed: int,
    first_day: datetime.date,
    num_days: int,
    logs: Path,
    truth: Path,
    recent_items: int = 0,
    on_progress: Callable[[str, int], None] | None = None,
) -> tuple[DomainReport, ...]:
    """Writes logs and truth of every domain.

    Days of an earlier run with the same parameters are kept. All folders are checked
    before anything is written.

    Args:
        plans: The domains.
        seed: Seed of the world.
        first_day: First day of the logs.
        num_days: Days of the logs.
        logs: Folder of the logs.
        truth: Folder of the true probabilities, which the pipeline must not read.
        recent_items: Most items of the lists of recent items; 0 for no lists.
        on_progress: Called after each day with the domain and the rows so far.

    Raises:
        DataError: An output folder has content that no simulation wrote.
    """
    origin = {"layout": _LAYOUT, "seed": seed, "first_day": str(first_day)}
    jobs = {}
    for plan in plans:
        folders = logs / plan.name, truth / plan.name
        for folder in folders:
            _check_ours(folder)
        jobs[plan.name] = _Job(plan, folders, first_day, num_days)
    for job in jobs.values():
        about = {**origin, "num_days": num_days, **_described(job.plan)}
        if recent_items:
            # Lists of one domain follow from the clicks of all.
            about["recent_items"] = recent_items
            about["domains"] = [_described(plan) for plan in plans]
        _prepare(job.folders, about)
        job.find_missing()
    missing = sorted({day for job in jobs.values() for day in job.missing})
    worlds = {}
    for job in jobs.values():
        # Drawing users and items takes long and is unnecessary if no day is missing.
        if job.missing or (missing and recent_items):
            with job.timed():
                worlds[job.plan.name] = DomainWorld(job.plan, seed, num_days)
                job.columns = LogColumns(worlds[job.plan.name])
    recent = RecentItems(worlds, recent_items) if missing and recent_items else None
    for day in missing:
        if recent:
            recent.before(day)
        for name, job in jobs.items():
            if day not in job.missing:
                continue
            with job.timed():
                job.write(worlds[name], day, recent.lists(name) if recent else {})
            if on_progress:
                on_progress(name, job.rows_so_far)
    return tuple(job.report() for job in jobs.values())


class _Job:
    """Days of one domain that are to be written.

    Attributes:
        plan: The domain.
        folders: Of its log and its truth.
        missing: Days that are not complete, in order.
        columns: Conversion to tables; needed for `write` alone.
    """

    def __init__(
        self,
        plan: DomainPlan,
        folders: tuple[Path, Path],
        first_day: datetime.date,
        num_days: int,
    ) -> None:
        self.plan, self.folders = plan, folders
        self.missing: list[int] = []
        self.columns: LogColumns | None = None
        self._first_day, self._num_days = first_day, num_days
        self._written = 0
        self._seconds = 0.0

    def find_missing(self) -> None:
        """Finds the days that no earlier run has written."""
        self.missing = [
            day
            for day in range(self._num_days)
            if not _complete(self.folders, self._first_day, day)
        ]

    @contextlib.contextmanager
    def timed(self) -> Iterator[None]:
        """Adds the duration of the block to the domain's."""
        started = time.perf_counter()
        yield
        self._seconds += time.perf_counter() - started

    def write(
        self, world: DomainWorld, day: int, recent: Mapping[str, pa.Array]
    ) -> None:
        """Writes a day completely or not at all."""
        columns = self.columns or LogColumns(world)
        _write_day(world, columns, self.folders, self._first_day, day, recent)
        self._written += 1

    @property
    def rows_so_far(self) -> int:
        """Rows of all complete days."""
        days = self._num_days - len(self.missing) + self._written
        return days * self.plan.rows_per_day

    def report(self) -> DomainReport:
        """Returns the domain's report."""
        return DomainReport(
            self.plan.name,
            self._num_days * self.plan.rows_per_day,
            self._num_days,
            self._num_days - len(self.missing),
            self._seconds,
        )


def day_folder(folder: Path, first_day: datetime.date, day: int) -> Path:
    """Returns the folder of a day, `day` days after the first."""
    return folder / f"date={first_day + datetime.timedelta(days=day)}"


def _check_ours(folder: Path) -> None:
    """Raises unless a folder is absent, empty or written by a simulation."""
    if not folder.exists():
        return
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    ours = {name for name in names if _is_ours(name)}
    if names and MANIFEST_FILE not in names or ours != names:
        stranger = sorted(names - ours) or sorted(names)
        raise DataError(
            f"{str(folder)!r} has {stranger[0]!r}, which no simulation wrote; "
            "simulating would delete it; move the folder away, or set `logs` and "
            "`simulate.truth` to others"
        )


def _is_ours(name: str) -> bool:
    parts = name.split("/")
    if parts[0] in (MANIFEST_FILE, f".{MANIFEST_FILE}"):
        return len(parts) == 1
    dated = parts[0].lstrip(".").startswith("date=")
    return dated and parts[1:] in ([], [DAY_FILE])


def _described(plan: DomainPlan) -> dict[str, Any]:
    """Returns a domain's parameters; complications only where there are some.

    Logs of former versions, which had none, are thus recognised as the same.
    """
    about = asdict(dataclasses.replace(plan, **_PLAIN))
    for name, plain in _PLAIN.items():
        del about[name]
        if getattr(plan, name) != plain:
            about[name] = getattr(plan, name).model_dump()
    return about


def _prepare(folders: tuple[Path, Path], manifest: dict[str, Any]) -> None:
    """Empties folders of another world and writes the manifest of this one."""
    text = json.dumps(manifest, indent=2) + "\n"
    for folder in folders:
        path = folder / MANIFEST_FILE
        if folder.exists() and not (path.is_file() and path.read_text() == text):
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in folder.glob(".date=*"):
            shutil.rmtree(leftover)
        if not path.exists():
            temporary = folder / f".{MANIFEST_FILE}"
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(path)


def _complete(folders: tuple[Path, Path], first_day: datetime.date, day: int) -> bool:
    return all(
        (day_folder(folder, first_day, day) / DAY_FILE).is_file() for folder in folders
    )


def _write_day(
    world: DomainWorld,
    columns: LogColumns,
    folders: tuple[Path, Path],
    first_day: datetime.date,
    day: int,
    recent: Mapping[str, pa.Array],
) -> None:
    date = first_day + datetime.timedelta(days=day)
    finals = [day_folder(folder, first_day, day) for folder in folders]
    parts = [final.with_name(f".{final.name}") for final in finals]
    for part in parts:
        part.mkdir()
    log, truth = _DayFile(parts[0] / DAY_FILE), _DayFile(parts[1] / DAY_FILE)
    with log, truth:
        for rows in world.day(day):
            log.add(columns.log(rows, date, day, recent))
            truth.add(columns.truth(rows))
    for part, final in reversed(list(zip(parts, finals, strict=True))):
        if final.exists():
            shutil.rmtree(final)
        part.rename(final)


class _DayFile:
    """A Parquet file that takes its schema from the first table."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: Any = None

    def add(self, table: pa.Table) -> None:
        """Appends a row group."""
        if self._writer is None:
            # lz4 and no statistics: the fastest of what was tried, and the smallest
            # but for zstd.
            self._writer = pq.ParquetWriter(
                self._path, table.schema, compression="lz4", write_statistics=False
            )
        self._writer.write_table(table)

    def __enter__(self) -> _DayFile:
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()
