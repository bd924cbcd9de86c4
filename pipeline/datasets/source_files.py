"""Shipped files, one `<domain>.parquet` per domain: paths, checks and reading."""

from __future__ import annotations

import datetime
import difflib
import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.data.arrow_files import UNREADABLE
from models.data.arrow_files import pq
from models.data.arrow_files import why_unreadable
from models.days import to_date
from models.days import to_day
from models.errors import DataError
from pipeline.datasets.aggregates import Ints

RATING = "rating"


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


# In the order of the logs' columns.
_EXPECTED: dict[str, tuple[str, Callable[[pa.DataType], bool]]] = {
    "user_id": ("string", _is_text),
    "item_id": ("string", _is_text),
    RATING: ("an integer", pa.types.is_integer),
    "date": ("date32[day]", pa.types.is_date32),
}


def find_source(source_dir: Path, domain: str) -> Path:
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


def read_source(path: Path, *, rated: bool) -> pa.Table:
    """Returns the file's required columns with ids as plain strings.

    Args:
        path: The file.
        rated: Whether rows are ratings. Otherwise each row is a positive, and a column
            of ratings is refused, because even low ratings would count as clicks.

    Raises:
        DataError: The file is unreadable, lacks a column, has one of the wrong type,
            or has ratings where there should be none.
    """
    expected = {
        name: kind for name, kind in _EXPECTED.items() if rated or name != RATING
    }
    try:
        schema = pq.read_schema(path)
        if not rated and RATING in schema.names:
            raise DataError(
                f"{path} has a column {RATING!r}, but `import.negatives` is for files "
                "in which every row is a positive; replace it by "
                "`import.click_at_least`, or remove the column"
            )
        for name, (described, fits) in expected.items():
            if name not in schema.names:
                positives = (
                    "; if every row is a positive, set `import.negatives`"
                    if name == RATING
                    else ""
                )
                raise DataError(
                    f"{path} has no column {name!r}; it has "
                    f"{', '.join(schema.names) or 'none'}; expected "
                    f"{', '.join(expected)}; rename or add the column{positives}"
                )
            found = schema.field(name).type
            if not fits(found):
                raise DataError(
                    f"column {name!r} of {path} is of type {found}; expected "
                    f"{described}; convert the column"
                )
        table = pq.read_table(path, columns=list(expected))
    except UNREADABLE as error:
        raise DataError(
            f"{path} cannot be read as Parquet ({why_unreadable(error)}); replace the "
            "file"
        ) from error
    columns = {name: table.column(name).combine_chunks() for name in expected}
    for name in ("user_id", "item_id"):
        columns[name] = columns[name].cast(pa.string())
    return pa.table(columns)


def days_of(table: pa.Table) -> Ints:
    """Returns the rows' days since 1970-01-01, int64 of shape (rows,)."""
    days = table.column("date").combine_chunks().cast(pa.int32())
    numbers: Ints = days.to_numpy().astype(np.int64)
    return numbers


def check_source(
    path: Path,
    first_day: datetime.date = datetime.date.min,
    last_day: datetime.date = datetime.date.max,
    *,
    rated: bool,
) -> None:
    """Raises `DataError` unless all rows are usable and some lie in the window."""
    table = read_source(path, rated=rated)
    for name in table.column_names:
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
    days = days_of(table)
    if len(days) == 0:
        raise DataError(f"{path} has no rows; expected some; replace the file")
    if not np.any((days >= to_day(first_day)) & (days <= to_day(last_day))):
        raise DataError(
            f"{path} has no row from {first_day} to {last_day}; its rows are of "
            f"{to_date(int(days.min()))} to {to_date(int(days.max()))}; choose "
            "`first_day` and `import.last_day` among these"
        )


def sha256_of(path: Path) -> str:
    """Returns the file's SHA-256 in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
