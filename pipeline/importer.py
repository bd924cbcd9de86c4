"""Turns the shipped ratings, one Parquet file a domain, into dated logs.

    <source>/<domain>.parquet  ->  <logs>/<domain>/date=YYYY-MM-DD/part-0.parquet

Every row gets the point-in-time aggregates of `pipeline.aggregates`, computed over the
whole file, also over the rows before the first day written.
"""

from __future__ import annotations

import datetime
import difflib
import hashlib
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
import pyarrow.compute as pc
import pyarrow.parquet as pq

from models.days import to_date
from models.days import to_day
from models.errors import DataError
from pipeline.aggregates import SMOOTHING_STRENGTH
from pipeline.aggregates import Ints
from pipeline.aggregates import point_in_time_aggregates

MANIFEST_FILE = "_import.json"

# Raise it when the columns or the aggregates change: older imports are then redone.
_LAYOUT = 1
# Progress is reported every so many files, some ten times a second.
_FILES_PER_REPORT = 200

_EXPECTED: dict[str, tuple[str, Callable[[pa.DataType], bool]]] = {
    "user_id": (
        "string",
        lambda kind: pa.types.is_string(kind) or pa.types.is_large_string(kind),
    ),
    "item_id": (
        "string",
        lambda kind: pa.types.is_string(kind) or pa.types.is_large_string(kind),
    ),
    "rating": ("an integer", pa.types.is_integer),
    "date": ("date32[day]", pa.types.is_date32),
}


@dataclass(frozen=True)
class DomainImport:
    """What became of one domain's file.

    Attributes:
        domain: Name of the domain.
        read_rows: Rows in the file.
        written_rows: Rows that are in the log.
        outside_rows: Rows before the first or after the last day; they count in the
            aggregates and are not in the log.
        num_files: Files of the log, one a day.
        reused: Whether an earlier import of the same file was kept as it is.
        seconds: Time taken.
    """

    domain: str
    read_rows: int
    written_rows: int
    outside_rows: int
    num_files: int
    reused: bool
    seconds: float


@dataclass(frozen=True)
class ImportReport:
    """What an import did, domain by domain.

    Attributes:
        domains: One entry a domain, in the order asked for.
        seconds: Time taken, checks included.
    """

    domains: tuple[DomainImport, ...]
    seconds: float

    @property
    def written_rows(self) -> int:
        """Rows that are in the logs of all domains."""
        return sum(domain.written_rows for domain in self.domains)

    @property
    def reused(self) -> bool:
        """Whether every domain was there already."""
        return all(domain.reused for domain in self.domains)


def import_logs(
    source_dir: Path,
    logs_dir: Path,
    domains: Sequence[str],
    first_day: datetime.date,
    last_day: datetime.date,
    *,
    click_at_least: int,
    recent_items: int,
    on_progress: Callable[[str, int], None] | None = None,
) -> ImportReport:
    """Writes the dated logs of `domains`.

    All files are checked before anything is written. A domain's folder appears whole
    or not at all; one that was imported before from the same file with the same
    parameters is kept.

    Args:
        source_dir: Folder of `<domain>.parquet`.
        logs_dir: Folder that receives `<domain>/date=YYYY-MM-DD/part-0.parquet`.
        domains: The domains to import.
        first_day: First day written.
        last_day: Last day written.
        click_at_least: Smallest rating that counts as a click in the aggregates.
        recent_items: Items that the column `recent_items` keeps at most.
        on_progress: Called now and then with the domain and the rows written so far.

    Returns:
        The rows read, written and left out, and the time taken.

    Raises:
        DataError: The folder or a file is missing, a file is unreadable, lacks a
            column or a value, has a column of the wrong type or no row in the window,
            or a log folder was not written by an import.
    """
    started = time.perf_counter()
    parameters = {
        "layout": _LAYOUT,
        "first_day": first_day.isoformat(),
        "last_day": last_day.isoformat(),
        "click_at_least": click_at_least,
        "recent_items": recent_items,
        "smoothing_strength": SMOOTHING_STRENGTH,
    }
    names = list(dict.fromkeys(domains))
    paths = [_find_source(source_dir, domain) for domain in names]
    for path in paths:
        _check_source(path, first_day, last_day)
    manifests = [_read_manifest(logs_dir / domain) for domain in names]
    imports = []
    for domain, path, manifest in zip(names, paths, manifests, strict=True):
        begun = time.perf_counter()
        folder = logs_dir / domain
        _discard(_temporary(folder))
        _discard(_retired(folder))
        origin = {"source": path.name, "sha256": _sha256(path), **parameters}
        reused = manifest is not None and manifest["origin"] == origin
        if reused and manifest is not None:
            counts = manifest["counts"]
        else:
            counts = _write_domain(path, folder, origin, on_progress)
        seconds = time.perf_counter() - begun
        imports.append(DomainImport(domain, **counts, reused=reused, seconds=seconds))
    return ImportReport(tuple(imports), time.perf_counter() - started)


def _find_source(source_dir: Path, domain: str) -> Path:
    """Returns the domain's file; raises `DataError` if there is none."""
    if not source_dir.is_dir():
        raise DataError(
            f"there is no folder {str(source_dir)!r}; expected one with "
            "<domain>.parquet files; set `import.data` to it"
        )
    path = source_dir / f"{domain}.parquet"
    if path.is_file():
        return path
    present = sorted(file.stem for file in source_dir.glob("*.parquet"))
    close = difflib.get_close_matches(domain, present, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise DataError(
        f"domain {domain!r} has no file {path.name!r} in {str(source_dir)!r}; {hint}"
        f"The folder has {', '.join(present) or 'no .parquet file'}; name one of these "
        "in `target` and `sources`, or add the file"
    )


def _read_source(path: Path) -> pa.Table:
    """Returns the file's required columns with ids as plain strings."""
    try:
        schema = pq.read_schema(path)
        for name, (expected, fits) in _EXPECTED.items():
            if name not in schema.names:
                raise DataError(
                    f"{path} has no column {name!r}; it has "
                    f"{', '.join(schema.names) or 'none'}; expected "
                    f"{', '.join(_EXPECTED)}; rename or add the column"
                )
            found = schema.field(name).type
            if not fits(found):
                raise DataError(
                    f"column {name!r} of {path} is of type {found}; expected "
                    f"{expected}; convert the column"
                )
        table = pq.read_table(path, columns=list(_EXPECTED))
    except pa.ArrowInvalid as error:
        raise DataError(
            f"{path} cannot be read as Parquet ({error}); replace the file"
        ) from error
    columns = {name: table.column(name).combine_chunks() for name in _EXPECTED}
    for name in ("user_id", "item_id"):
        columns[name] = columns[name].cast(pa.string())
    return pa.table(columns)


def _days(table: pa.Table) -> Ints:
    """Returns the rows' days since 1970-01-01, int64 of shape (rows,)."""
    days = table.column("date").combine_chunks().cast(pa.int32())
    numbers: Ints = days.to_numpy().astype(np.int64)
    return numbers


def _check_source(
    path: Path, first_day: datetime.date, last_day: datetime.date
) -> None:
    """Raises `DataError` unless every row is usable and some lie in the window."""
    table = _read_source(path)
    for name in _EXPECTED:
        column = table.column(name).combine_chunks()
        absent = pc.is_null(column)
        if pa.types.is_string(column.type):
            absent = pc.fill_null(pc.equal(column, ""), True)
        rows = pc.indices_nonzero(absent)
        if len(rows):
            raise DataError(
                f"column {name!r} of {path} has no value in {len(rows):,} of "
                f"{table.num_rows:,} rows, first in row {rows[0].as_py():,} (counted "
                "from 0); expected one in every row; fill or remove these rows"
            )
    days = _days(table)
    if len(days) == 0:
        raise DataError(f"{path} has no rows; expected ratings; replace the file")
    if not np.any((days >= to_day(first_day)) & (days <= to_day(last_day))):
        raise DataError(
            f"{path} has no row from {first_day} to {last_day}; its rows are of "
            f"{to_date(int(days.min()))} to {to_date(int(days.max()))}; choose "
            "`import.first_day` and `import.last_day` among these"
        )


def _read_manifest(folder: Path) -> dict[str, Any] | None:
    """Returns the manifest of an earlier import, `None` if there is none.

    An import whose day folders were partly removed counts as none.

    Raises:
        DataError: The manifest is damaged, or the folder holds what no import wrote,
            which a new import would delete.
    """
    if not folder.exists():
        return None
    path = folder / MANIFEST_FILE
    if not path.is_file():
        if not any(folder.iterdir()):
            return None
        raise DataError(
            f"{str(folder)!r} has no {MANIFEST_FILE}, so no import wrote it; importing "
            "would delete what it holds; move the folder away, or set `logs` to "
            "another one"
        )
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path} is not valid JSON ({error}); expected what the import wrote; "
            f"remove the folder {str(folder)!r} to import it again"
        ) from error
    num_files = manifest["counts"]["num_files"]
    num_days = sum(1 for _ in folder.glob("date=*"))
    if num_days > num_files:
        raise DataError(
            f"{str(folder)!r} holds {num_days:,} days, of which an import wrote "
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
    table = _read_source(path)
    days = _days(table)
    table = _with_aggregates(
        table, days, origin["click_at_least"], origin["recent_items"]
    )
    first_day, last_day = (
        to_day(datetime.date.fromisoformat(origin[key]))
        for key in ("first_day", "last_day")
    )
    inside = np.flatnonzero((days >= first_day) & (days <= last_day))
    # Stable: rows of one day keep the file's order.
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
    counts = {
        "read_rows": table.num_rows,
        "written_rows": rows.num_rows,
        "outside_rows": table.num_rows - rows.num_rows,
        "num_files": num_files,
    }
    manifest = json.dumps({"origin": origin, "counts": counts}, indent=2)
    (temporary / MANIFEST_FILE).write_text(manifest + "\n", encoding="utf-8")
    if folder.exists():
        folder.rename(_retired(folder))
    temporary.rename(folder)
    _discard(_retired(folder))
    return counts


def _with_aggregates(
    table: pa.Table, days: Ints, click_at_least: int, recent_items: int
) -> pa.Table:
    """Returns the log's columns: ids, rating and the point-in-time aggregates."""
    rating = table.column("rating").combine_chunks()
    aggregates = point_in_time_aggregates(
        table.column("user_id").combine_chunks(),
        table.column("item_id").combine_chunks(),
        days,
        (rating.to_numpy() >= click_at_least).astype(np.int64),
        max_length=recent_items,
    )
    columns = {name: table.column(name) for name in ("user_id", "item_id", "rating")}
    for name in aggregates.column_names:
        columns[name] = aggregates.column(name)
    return pa.table(columns)


def _write_days(
    rows: pa.Table, days: Ints, folder: Path, on_progress: Callable[[int], None]
) -> int:
    """Writes `rows`, ascending by `days`, as one file a day; returns their number."""
    _, starts = np.unique(days, return_index=True)
    ends = np.append(starts[1:], len(days))
    for i, (start, end) in enumerate(zip(starts, ends, strict=True)):
        partition = folder / f"date={to_date(int(days[start]))}"
        partition.mkdir()
        # A day has some ten rows here: dictionaries and statistics would double the
        # size of its file.
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
    """Removes what a killed import left behind."""
    if folder.exists():
        shutil.rmtree(folder)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
