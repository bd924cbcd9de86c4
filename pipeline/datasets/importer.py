"""Import of the shipped data, one Parquet file per domain, as dated logs.

    <source>/<domain>.parquet  ->  <logs>/<domain>/date=YYYY-MM-DD/part-0.parquet

A file with ratings becomes a log with a column `rating`. A file of positives is
completed with sampled negatives (`pipeline.datasets.negatives`) and becomes a log with
a column `click`. Every row gets the point-in-time aggregates of
`pipeline.datasets.aggregates`, computed over the whole file, including the rows before
the first day written.
"""

from __future__ import annotations

import datetime
import json
import shutil
import time
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from models.data.arrow_files import pq
from models.days import to_date
from models.days import to_day
from models.errors import DataError
from pipeline.config.sections import NegativeSampling
from pipeline.datasets.aggregates import SMOOTHING_STRENGTH
from pipeline.datasets.aggregates import Ints
from pipeline.datasets.impressions import read_impressions
from pipeline.datasets.impressions import with_aggregates
from pipeline.datasets.source_files import check_source
from pipeline.datasets.source_files import find_source
from pipeline.datasets.source_files import sha256_of

MANIFEST_FILE = "_import.json"

# Increased when columns, aggregates or draws change, so that older imports are redone.
_LAYOUT = 2
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
        negative_rows: Sampled negatives in the log; 0 for ratings.
        missing_negatives: Negatives that could not be sampled because the domain had
            too few items on their day.
        num_files: Files of the log, one per day.
        reused: Whether an earlier import of the same file was kept.
        seconds: Duration.
    """

    domain: str
    read_rows: int
    written_rows: int
    outside_rows: int
    negative_rows: int
    missing_negatives: int
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
    source_dir: Path,
    logs_dir: Path,
    domains: Sequence[str],
    first_day: datetime.date,
    last_day: datetime.date,
    *,
    click_at_least: int | None = None,
    negatives: NegativeSampling | None = None,
    recent_items: int,
    on_progress: Callable[[str, int], None] | None = None,
) -> ImportReport:
    """Writes the dated logs of `domains`.

    All files are checked before anything is written. A domain's folder is complete or
    absent, never partial. The result of an earlier import of the same file with the
    same parameters is kept.

    Args:
        source_dir: Folder of `<domain>.parquet`.
        logs_dir: Folder that receives `<domain>/date=YYYY-MM-DD/part-0.parquet`.
        domains: The domains to import.
        first_day: First day written.
        last_day: Last day written.
        click_at_least: For files of ratings: the smallest rating that counts as a click
            in the aggregates.
        negatives: For files of positives: how negatives are sampled. Exactly one of
            `click_at_least` and `negatives` is given.
        recent_items: Maximum length of the column `recent_items`.
        on_progress: Called repeatedly with the domain and the rows written so far.

    Returns:
        Counts of rows and the duration, by domain.

    Raises:
        DataError: The folder or a file is missing, a file is unreadable, lacks a
            column or a value, has a column of the wrong type, ratings where positives
            are expected, or no row in the window, or a log folder was not written by
            an import.
        ValueError: Both or neither of `click_at_least` and `negatives` are given.
    """
    if (click_at_least is None) == (negatives is None):
        raise ValueError(
            "exactly one of click_at_least and negatives must be given; received "
            f"{click_at_least!r} and {negatives!r}"
        )
    started = time.perf_counter()
    parameters = _parameters(
        first_day, last_day, click_at_least, negatives, recent_items
    )
    names = list(dict.fromkeys(domains))
    paths = [find_source(source_dir, domain) for domain in names]
    for path in paths:
        check_source(path, first_day, last_day, rated=negatives is None)
    manifests = [_read_manifest(logs_dir / domain) for domain in names]
    imports = tuple(
        _import_domain(path, logs_dir / domain, manifest, parameters, on_progress)
        for domain, path, manifest in zip(names, paths, manifests, strict=True)
    )
    return ImportReport(imports, time.perf_counter() - started)


def _parameters(
    first_day: datetime.date,
    last_day: datetime.date,
    click_at_least: int | None,
    negatives: NegativeSampling | None,
    recent_items: int,
) -> dict[str, Any]:
    """Returns all parameters of the written rows, as kept in the manifest."""
    return {
        "layout": _LAYOUT,
        "first_day": first_day.isoformat(),
        "last_day": last_day.isoformat(),
        "click_at_least": click_at_least,
        "negatives": negatives.model_dump() if negatives else None,
        "recent_items": recent_items,
        "smoothing_strength": SMOOTHING_STRENGTH,
    }


def _import_domain(
    path: Path,
    folder: Path,
    manifest: dict[str, Any] | None,
    parameters: dict[str, Any],
    on_progress: Callable[[str, int], None] | None,
) -> DomainImport:
    """Writes one domain's log, unless `manifest` is that of the same import."""
    started = time.perf_counter()
    _discard(_temporary(folder))
    _discard(_retired(folder))
    origin = {"source": path.name, "sha256": sha256_of(path), **parameters}
    reused = manifest is not None and manifest["origin"] == origin
    if reused and manifest is not None:
        counts = manifest["counts"]
    else:
        counts = _write_domain(path, folder, origin, on_progress)
    seconds = time.perf_counter() - started
    return DomainImport(folder.name, **counts, reused=reused, seconds=seconds)


def _read_manifest(folder: Path) -> dict[str, Any] | None:
    """Returns the manifest of an earlier import, `None` if there is none.

    An import counts as absent if some of its day folders were removed.

    Raises:
        DataError: The manifest is damaged, or the folder has content that no import
            wrote and that a new import would delete.
    """
    if not folder.exists():
        return None
    path = folder / MANIFEST_FILE
    if not path.is_file():
        if not any(folder.iterdir()):
            return None
        raise DataError(
            f"{str(folder)!r} has no {MANIFEST_FILE}, so no import wrote it; importing "
            "would delete its content; move the folder away, or set `logs` to "
            "another one"
        )
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path} is not valid JSON ({error}); expected the manifest of an import; "
            f"remove the folder {str(folder)!r} to import it again"
        ) from error
    num_files = manifest["counts"]["num_files"]
    num_days = sum(1 for _ in folder.glob("date=*"))
    if num_days > num_files:
        raise DataError(
            f"{str(folder)!r} has {num_days:,} days, of which an import wrote "
            f"{num_files:,}; importing would delete the others; move the folder away, "
            "or set `logs` to another one"
        )
    return manifest if num_days == num_files else None


def _write_domain(
    path: Path,
    folder: Path,
    origin: dict[str, Any],
    on_progress: Callable[[str, int], None] | None,
) -> dict[str, int]:
    """Writes one domain's log and returns its counts."""
    negatives = origin["negatives"]
    impressions = read_impressions(
        path,
        folder.name,
        origin["click_at_least"],
        NegativeSampling(**negatives) if negatives else None,
    )
    days = impressions.days
    table = with_aggregates(impressions, origin["recent_items"])
    first_day, last_day = (
        to_day(datetime.date.fromisoformat(origin[key]))
        for key in ("first_day", "last_day")
    )
    inside = np.flatnonzero((days >= first_day) & (days <= last_day))
    # A stable sort keeps the order of rows of one day.
    order = inside[np.argsort(days[inside], kind="stable")]
    rows = table.take(pa.array(order)).combine_chunks()
    temporary = _temporary(folder)
    temporary.mkdir(parents=True)
    num_files = _write_days(
        rows,
        days[order],
        temporary,
        lambda count: on_progress(folder.name, count) if on_progress else None,
    )
    num_read = int(np.sum(impressions.from_file))
    num_kept = int(np.sum(impressions.from_file[order]))
    missing = impressions.missing_days
    counts = {
        "read_rows": num_read,
        "written_rows": rows.num_rows,
        "outside_rows": num_read - num_kept,
        "negative_rows": rows.num_rows - num_kept,
        "missing_negatives": int(
            np.sum((missing >= first_day) & (missing <= last_day))
        ),
        "num_files": num_files,
    }
    manifest = json.dumps({"origin": origin, "counts": counts}, indent=2)
    (temporary / MANIFEST_FILE).write_text(manifest + "\n", encoding="utf-8")
    if folder.exists():
        folder.rename(_retired(folder))
    temporary.rename(folder)
    _discard(_retired(folder))
    return counts


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
