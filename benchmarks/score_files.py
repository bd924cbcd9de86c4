"""Scores of a replicate's evaluation impressions, in a file small enough to be kept.

Click probabilities are stored as logits in steps of 1/2000 between -16 and 16, which
moves a probability by 0.00006 at most and takes two bytes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from models.compat import read_table
from models.data.arrow_files import pq

_STEPS, _LIMIT = 2000.0, 16.0
_FLOAT = np.float64


def encoded(probabilities: npt.NDArray[np.floating[Any]]) -> pa.Array:
    """Returns click probabilities as stored.

    Args:
        probabilities: Between 0 and 1, (N,).
    """
    inside = np.clip(probabilities.astype(_FLOAT), 1e-9, 1 - 1e-9)
    logits = np.clip(np.log(inside / (1 - inside)), -_LIMIT, _LIMIT)
    return pa.array(np.rint(logits * _STEPS).astype(np.int16))


def decoded(column: pa.ChunkedArray) -> npt.NDArray[np.float32]:
    """Returns the click probabilities of a stored column, (N,)."""
    logits = column.to_numpy().astype(_FLOAT) / _STEPS
    found: npt.NDArray[np.float32] = (1 / (1 + np.exp(-logits))).astype(np.float32)
    return found


def write_scores(table: pa.Table, path: Path) -> None:
    """Writes a table of labels, ids and encoded scores."""
    pq.write_table(table, path, compression="zstd", compression_level=19)


def read_scores(path: Path) -> pa.Table:
    """Returns the table of a file of `write_scores`."""
    with pq.ParquetFile(path) as file:
        return read_table(file)
