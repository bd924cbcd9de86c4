"""What NumPy, Arrow and TensorFlow do differently in the releases crossctr runs on.

The locks of `requirements/` pin two lines: NumPy 1.26, pyarrow 10 and TensorFlow 2.16,
or NumPy 2.4, pyarrow 18 and TensorFlow 2.21. The code is the same for both, and what
only one of them needs is here and nowhere else; of TFX, see `components.compat`.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from models.arrow_files import pq


def save_arrays(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Writes named arrays as an .npz file.

    NumPy 2 has given `numpy.savez` an argument `allow_pickle` among the names, so that
    type checkers take an array for it.

    Args:
        path: The file.
        arrays: By name, of any shapes.
    """
    named: dict[str, Any] = dict(arrays)
    np.savez(path, **named)


def read_batches(
    file: pq.ParquetFile, batch_rows: int, **options: Any
) -> Iterator[pa.RecordBatch]:
    """Yields the record batches of a Parquet file; one without row groups has none.

    Where nothing was written, writers such as Spark leave a file without row groups,
    on which pyarrow 18 fails.

    Args:
        file: The open file.
        batch_rows: Rows of a batch, at most.
        options: Further arguments of `pq.ParquetFile.iter_batches`.
    """
    if file.metadata.num_row_groups:
        yield from file.iter_batches(batch_rows, **options)


def read_table(file: pq.ParquetFile, columns: Sequence[str] | None = None) -> pa.Table:
    """Returns what a Parquet file holds, see `read_batches`.

    Args:
        file: The open file.
        columns: Names of the columns to read; all by default.
    """
    if file.metadata.num_row_groups:
        return file.read(columns=columns)
    table = file.schema_arrow.empty_table()
    return table if columns is None else table.select(list(columns))
