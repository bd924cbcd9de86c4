"""Import of the shipped data, one Parquet file per domain, as dated logs.

    <source>/<domain>.parquet  ->  <logs>/<domain>/date=YYYY-MM-DD/part-0.parquet

A file with ratings becomes a log with a column `rating`. A file of positives is
completed with sampled negatives (`pipeline.datasets.negatives`) and becomes a log with
a column `click`. Every row gets point-in-time aggregates of its own domain
(`pipeline.datasets.aggregates`) and the user's recent items in every domain
with a file (`pipeline.datasets.recent_items`), computed over whole files, including the
rows before the first day written. A log does not depend on what else is imported.
"""

from __future__ import annotations

import datetime
import shutil
import time
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from models.data.arrow_files import pq
from models.days import DayRange
from models.days import to_date
from models.days import to_day
from pipeline.config.sections import ImportConfig
from pipeline.datasets.aggregates import SMOOTHING_STRENGTH
from pipeline.datasets.aggregates import Bools
from pipeline.datasets.aggregates import Ints
from pipeline.datasets.impressions import FileRows
from pipeline.datasets.impressions import Impressions
from pipeline.datasets.impressions import impressions_of
from pipeline.datasets.impressions import read_file
from pipeline.datasets.impressions import with_aggregates
from pipeline.datasets.manifest import read_manifest
from pipeline.datasets.manifest import write_manifest
from pipeline.datasets.recent_items import RecentItems
from pipeline.datasets.source_files import check_source
from pipeline.datasets.source_files import find_source
from pipeline.datasets.source_files import sha256_of

# Increased when columns, aggregates or draws change, so that older imports are redone.
_LAYOUT = 3
# Files between two progress reports; about ten reports a second.
_FILES_PER_REPORT = 200


@dataclass(frozen=True)
class DomainImport:
    """Result of importing one domain's file.

    Attributes:
        domain: Name of the domain.
        read_rows: Rows in the file.
        written_rows: Rows in the log, including negatives.
        outside_rows: Rows of the file before the first or after the last day; they
            count in the aggregates but are not in the log.
        hidden_rows: Rows of the file between these days that cold users take out of the
            log: theirs before the evaluation, those of all others from then on.
        negative_rows: Sampled negatives in the log; 0 for ratings.
        missing_negatives: Negatives that could not be sampled because other users
            bought too few other items that day.
        unmatched_positives: Positives in the log whose user has no negative that day.
        num_files: Files of the log, one per day.
        reused: Whether an earlier import of the same file was kept.
        seconds: Duration.
    """

    domain: str
    read_rows: int
    written_rows: int
    outside_rows: int
    hidden_rows: int
    negative_rows: int
    missing_negatives: int
    unmatched_positives: int
    num_files: int
    reused: bool
    seconds: float


@dataclass(frozen=True)
class ImportReport:
    """Result of an import.

    Attributes:
        domains: One entry per domain, in the requested order.
        seconds: Duration, including the checks.
    """

    domains: tuple[DomainImport, ...]
    seconds: float

    @property
    def written_rows(self) -> int:
        """Rows in the logs of all domains."""
        return sum(domain.written_rows for domain in self.domains)

    @property
    def reused(self) -> bool:
        """Whether all domains were reused."""
        return all(domain.reused for domain in self.domains)


def import_logs(
    settings: ImportConfig,
    logs_dir: Path,
    domains: Sequence[str],
    first_day: datetime.date,
    *,
    recent_items: int,
    on_progress: Callable[[str, int], None] | None = None,
) -> ImportReport:
    """Writes the dated logs of `domains`.

    All files are checked before anything is written. A domain's folder is complete or
    absent, never partial. The result of an earlier import of the same files with the
    same parameters is kept.

    Args:
        settings: The configuration's `import`.
        logs_dir: Folder that receives `<domain>/date=YYYY-MM-DD/part-0.parquet`.
        domains: The domains to import, the target last.
        first_day: First day written.
        recent_items: Maximum length of the lists of recent items.
        on_progress: Called repeatedly with the domain and the rows written so far.

    Returns:
        Counts of rows and the duration, by domain.

    Raises:
        DataError: The folder or a file is missing, a file is unreadable, lacks a
            column or a value, has a column of the wrong type, ratings where positives
            are expected, or no row in the window, or a log folder was not written by
            an import.
    """
    started = time.perf_counter()
    names = list(dict.fromkeys(domains))
    paths = {name: find_source(settings.data, name) for name in names}
    rated = settings.negatives is None
    for path in paths.values():
        check_source(path, first_day, settings.last_day, rated=rated)
    others = {path.stem: path for path in sorted(settings.data.glob("*.parquet"))}
    for path in (others[name] for name in others if name not in paths):
        check_source(path, rated=rated)
    manifests = {name: read_manifest(logs_dir / name) for name in names}
    job = _Import(settings, names[-1], others | paths, first_day, recent_items)
    imports = tuple(
        job.domain(name, logs_dir / name, manifests[name], on_progress)
        for name in names
    )
    return ImportReport(imports, time.perf_counter() - started)


class _Import:
    """Import of several domains, which share the lists of recent items."""

    def __init__(
        self,
        settings: ImportConfig,
        target: str,
        paths: Mapping[str, Path],
        first_day: datetime.date,
        recent_items: int,
    ) -> None:
        self._settings = settings
        self._target = target
        self._paths = dict(sorted(paths.items()))
        self._days = DayRange(to_day(first_day), to_day(settings.last_day))
        self._recent_items = recent_items
        self._files: dict[str, FileRows] = {}
        self._recent: dict[str, RecentItems] = {}
        self._origin = {
            "layout": _LAYOUT,
            "first_day": first_day.isoformat(),
            "recent_items": recent_items,
            "smoothing_strength": SMOOTHING_STRENGTH,
            "sha256": {name: sha256_of(path) for name, path in self._paths.items()},
            **settings.model_dump(mode="json", exclude={"data"}),
        }
        if settings.cold_users or settings.permute_source_users is not None:
            self._origin["target"] = target

    def domain(
        self,
        domain: str,
        folder: Path,
        manifest: dict[str, Any] | None,
        on_progress: Callable[[str, int], None] | None,
    ) -> DomainImport:
        """Writes one domain's log, unless `manifest` is that of the same import."""
        started = time.perf_counter()
        _discard(_temporary(folder))
        _discard(_retired(folder))
        reused = manifest is not None and manifest["origin"] == self._origin
        if reused and manifest is not None:
            counts = manifest["counts"]
        else:
            self._read_all()
            counts = self._write(
                domain,
                folder,
                lambda count: on_progress(domain, count) if on_progress else None,
            )
        seconds = time.perf_counter() - started
        return DomainImport(domain, **counts, reused=reused, seconds=seconds)

    def _read_all(self) -> None:
        """Reads every file once: each log has lists of all domains."""
        if self._files:
            return
        for domain, path in self._paths.items():
            file = read_file(
                path, domain, self._settings, is_target=domain == self._target
            )
            self._files[domain] = file
            self._recent[domain] = file.recent_items(self._recent_items)

    def _write(
        self, domain: str, folder: Path, on_progress: Callable[[int], None]
    ) -> dict[str, int]:
        """Writes one domain's log and returns its counts."""
        impressions = impressions_of(self._files[domain], domain, self._settings)
        days = impressions.days
        table = with_aggregates(impressions, self._recent, domain, self._settings)
        written = np.flatnonzero(self._inside(days) & impressions.logged)
        # A stable sort keeps the order of rows of one day.
        order = written[np.argsort(days[written], kind="stable")]
        rows = table.take(pa.array(order)).combine_chunks()
        temporary = _temporary(folder)
        temporary.mkdir(parents=True)
        counts = self._counts(domain, impressions, written)
        counts["num_files"] = _write_days(rows, days[order], temporary, on_progress)
        write_manifest(temporary, self._origin, counts)
        if folder.exists():
            folder.rename(_retired(folder))
        temporary.rename(folder)
        _discard(_retired(folder))
        return counts

    def _inside(self, days: Ints) -> Bools:
        return (days >= self._days.first) & (days <= self._days.last)

    def _counts(
        self, domain: str, impressions: Impressions, written: Ints
    ) -> dict[str, int]:
        """Returns where the rows of the file went, and what was sampled."""
        file_days = self._files[domain].days
        inside = int(np.sum(self._inside(file_days)))
        kept = int(np.sum(impressions.from_file[written]))
        wanted = unmatched = 0
        if self._settings.negatives is not None:
            wanted = self._settings.negatives.per_positive * kept
            unmatched = _without_negatives(impressions, written)
        return {
            "read_rows": len(file_days),
            "written_rows": len(written),
            "outside_rows": len(file_days) - inside,
            "hidden_rows": inside - kept,
            "negative_rows": len(written) - kept,
            "missing_negatives": wanted - (len(written) - kept),
            "unmatched_positives": unmatched,
        }


def _without_negatives(impressions: Impressions, written: Ints) -> int:
    """Returns the number of positives whose user has no negative that day."""
    groups = pa.table(
        {
            "user": impressions.user_ids.take(pa.array(written)),
            "day": pa.array(impressions.days[written]),
            "click": pa.array(impressions.clicked[written]),
        }
    ).group_by(["user", "day"])
    baskets = groups.aggregate([("click", "sum"), ("click", "count")])
    clicks = baskets.column("click_sum").to_numpy()
    return int(clicks[clicks == baskets.column("click_count").to_numpy()].sum())


def _write_days(
    rows: pa.Table, days: Ints, folder: Path, on_progress: Callable[[int], None]
) -> int:
    """Writes `rows`, ascending by `days`, as one file per day; returns the number."""
    _, starts = np.unique(days, return_index=True)
    ends = np.append(starts[1:], len(days))
    for i, (start, end) in enumerate(zip(starts, ends, strict=True)):
        partition = folder / f"date={to_date(int(days[start]))}"
        partition.mkdir()
        # A small domain has about ten rows a day: dictionaries and statistics would
        # double the size of the file.
        pq.write_table(
            rows.slice(start, end - start),
            partition / "part-0.parquet",
            use_dictionary=False,
            write_statistics=False,
        )
        if (i + 1) % _FILES_PER_REPORT == 0 or end == len(days):
            on_progress(int(end))
    return len(starts)


def _temporary(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.importing")


def _retired(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.replaced")


def _discard(folder: Path) -> None:
    """Removes the remains of a killed import."""
    if folder.exists():
        shutil.rmtree(folder)
