"""Code that the peers' runs share: impressions, clock and AUC. Needs NumPy and pyarrow.

It runs in each peer's own virtual environment, so nothing of crossctr is imported.
"""

from __future__ import annotations

import glob
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

# Left out of the clock: graphs are traced and memory is claimed in the first batches.
WARMUP_BATCHES = 16
HIDDEN_UNITS = (256, 128, 64)
WIDTH = 16
_LABEL, _DAY = "label", "day"
# Beside the impressions of the training benchmark; see `columns`.
COLUMNS_FILE = "columns.json"


@dataclass(frozen=True)
class Rows:
    """Impressions as every network reads them.

    Attributes:
        ids: Embedding table rows by column, int64 of shape (N,), or (N, L) for lists,
            where 0 is padding.
        numbers: Values by column, float32 of shape (N,) or (N, L).
        labels: Float32 0 or 1, shape (N,).
    """

    ids: dict[str, npt.NDArray[np.int64]]
    numbers: dict[str, npt.NDArray[np.float32]]
    labels: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def inputs(self) -> dict[str, npt.NDArray[Any]]:
        """Table rows and values by column."""
        return {**self.ids, **self.numbers}

    def take(self, order: npt.NDArray[np.int64]) -> Rows:
        """Returns the impressions at the positions `order`."""
        return Rows(
            {name: values[order] for name, values in self.ids.items()},
            {name: values[order] for name, values in self.numbers.items()},
            self.labels[order],
        )


def read(
    files: Sequence[str], first: int | None = None, last: int | None = None
) -> Rows:
    """Reads transformed Parquet; whole numbers are table rows, others are values.

    Args:
        files: Paths; all have the same columns.
        first: First day, days since 1970-01-01; None reads all.
        last: Last day, included.
    """
    days = [] if first is None else [(_DAY, first, last)]
    table = pa.concat_tables([_read_file(path, days) for path in sorted(files)])
    columns = {name: _to_numpy(table[name], name) for name in table.column_names}
    columns.pop(_DAY)
    labels = columns.pop(_LABEL).astype(np.float32)
    whole = {n: c for n, c in columns.items() if np.issubdtype(c.dtype, np.integer)}
    return Rows(
        {name: values.astype(np.int64) for name, values in whole.items()},
        {n: c.astype(np.float32) for n, c in columns.items() if n not in whole},
        labels,
    )


def load(folder: Path, part: str) -> Rows:
    """Returns the rows of a folder's part, `train` or `held_out`."""
    return read(glob.glob(str(folder / part / "*.parquet")))


def _read_file(path: str, days: list[tuple[str, int, int | None]]) -> pa.Table:
    table = pq.read_table(path)
    for name, first, last in days:
        day = _to_numpy(table[name], name)
        table = table.filter(pa.array((day >= first) & (day <= last)))
    return table


def _to_numpy(column: pa.ChunkedArray, name: str) -> npt.NDArray[Any]:
    """Returns a column of shape (N,), or (N, L) for lists of L values."""
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks)
    if not hasattr(array, "offsets"):
        return array.to_numpy(zero_copy_only=False)
    lengths = np.diff(array.offsets.to_numpy())
    length = int(lengths[0]) if len(lengths) else 1
    if (lengths != length).any():
        raise ValueError(
            f"{name} has lists of {lengths.min()} to {lengths.max()} values; expected "
            "one length, as transformed Examples have"
        )
    values = array.flatten().to_numpy(zero_copy_only=False)
    return values if length == 1 else values.reshape(-1, length)


def columns(folder: Path) -> dict[str, dict[str, Any]]:
    """Returns, for each column of table rows, its embedding `table` and `rows`."""
    loaded: dict[str, dict[str, Any]] = json.loads((folder / COLUMNS_FILE).read_text())
    return loaded


def auc(labels: npt.NDArray[Any], scores: npt.NDArray[Any]) -> float:
    """Returns the area under the ROC curve; ties count one half."""
    _, group, counts = np.unique(scores, return_inverse=True, return_counts=True)
    # Mean rank of each group of equal scores, from 1.
    rank = (np.cumsum(counts) - (counts - 1) / 2)[group.ravel()]
    positives = float((labels > 0).sum())
    negatives = len(labels) - positives
    above = rank[labels > 0].sum() - positives * (positives + 1) / 2
    return float(above / (positives * negatives))


class Clock:
    """Rows per second of wall clock and of CPU time, from the end of the warm-up."""

    def __init__(self) -> None:
        self._rows = 0
        self._batches = 0
        self._wall = self._cpu = 0.0
        self._rates: dict[str, float] = {}

    def batch(self, num_rows: int) -> None:
        """Counts a batch that has just ended."""
        self._batches += 1
        if self._batches == WARMUP_BATCHES:
            self._wall, self._cpu = time.perf_counter(), time.process_time()
        elif self._batches > WARMUP_BATCHES:
            self._rows += num_rows

    def stop(self) -> None:
        """Ends the measurement."""
        self._rates = {
            "rate": self._rows / (time.perf_counter() - self._wall),
            "cpu_rate": self._rows / (time.process_time() - self._cpu),
        }

    def result(self, auc_value: float) -> str:
        """Returns the line of JSON that the benchmark reads."""
        return json.dumps({**self._rates, "auc": auc_value})
