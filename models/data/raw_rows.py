"""Raw Examples of a domain: rows as they were logged, in the logs' order."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.compat import read_batches
from models.data.arrow_files import pq
from models.data.file_patterns import files_of
from models.days import DayRange
from models.features.table import DAY

_BATCH_ROWS = 65_536


def rows_of_days(
    folders: Iterable[str], days: DayRange, columns: list[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """Yields the rows of `days` in the Parquet Examples of `folders`, in file order.

    Args:
        folders: Folders of a split.
        days: Which days.
        columns: Columns to read, `day` among them; all by default.
    """
    for folder in folders:
        for path in files_of(f"{folder}/*.parquet"):
            yield from rows_of_file(path, days, columns)


def rows_of_file(
    path: str, days: DayRange, columns: list[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """Yields the rows of `days` in one file, see `rows_of_days`."""
    with pq.ParquetFile(path) as file:
        for batch in read_batches(file, _BATCH_ROWS, columns=columns):
            day = pc.list_flatten(batch.column(DAY)).to_numpy()
            inside = np.flatnonzero((day >= days.first) & (day <= days.last))
            if len(inside):
                yield batch.take(pa.array(inside))
