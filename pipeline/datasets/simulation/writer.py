"""Writer of a simulated world: dated logs, and their true probabilities beside them.

    <logs>/<domain>/date=YYYY-MM-DD/part-0.parquet    what the pipeline reads
    <truth>/<domain>/date=YYYY-MM-DD/part-0.parquet   the same rows' p*, click, accident

A day is written completely or not at all, its truth first. A day with a log is
therefore complete, and an interrupted simulation resumes.
"""

from __future__ import annotations

import datetime
import json
import shutil
import time
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from models.data.arrow_files import pq
from models.errors import DataError
from pipeline.datasets.simulation.columns import LogColumns
from pipeline.datasets.simulation.settings import DomainPlan
from pipeline.datasets.simulation.world import DomainWorld

MANIFEST_FILE = "_simulation.json"
DAY_FILE = "part-0.parquet"

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
        on_progress: Called after each day with the domain and the rows so far.

    Raises:
        DataError: An output folder has content that no simulation wrote.
    """
    manifests = {}
    for plan in plans:
        origin = {"layout": _LAYOUT, "seed": seed, "first_day": str(first_day)}
        manifests[plan.name] = {**origin, "num_days": num_days, **asdict(plan)}
        for folder in (logs / plan.name, truth / plan.name):
            _check_ours(folder)
    reports = []
    for plan in plans:
        started = time.perf_counter()
        folders = logs / plan.name, truth / plan.name
        _prepare(folders, manifests[plan.name])
        missing = [
            day for day in range(num_days) if not _complete(folders, first_day, day)
        ]
        # Drawing users and items takes long and is unnecessary if no day is missing.
        world = DomainWorld(plan, seed, num_days) if missing else None
        columns = LogColumns(world) if world else None
        for done, day in enumerate(missing):
            if world and columns:
                _write_day(world, columns, folders, first_day, day)
            if on_progress:
                written = num_days - len(missing) + done + 1
                on_progress(plan.name, written * plan.rows_per_day)
        reports.append(
            DomainReport(
                plan.name,
                num_days * plan.rows_per_day,
                num_days,
                num_days - len(missing),
                time.perf_counter() - started,
            )
        )
    return tuple(reports)


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
) -> None:
    date = first_day + datetime.timedelta(days=day)
    finals = [day_folder(folder, first_day, day) for folder in folders]
    parts = [final.with_name(f".{final.name}") for final in finals]
    for part in parts:
        part.mkdir()
    log, truth = _DayFile(parts[0] / DAY_FILE), _DayFile(parts[1] / DAY_FILE)
    with log, truth:
        for rows in world.day(day):
            log.add(columns.log(rows, date, day))
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
