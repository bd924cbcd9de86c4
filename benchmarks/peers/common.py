"""Code that the peers' runs share: impressions, clock and AUC. Needs NumPy and pyarrow.

It runs in each peer's own virtual environment, so nothing of crossctr is imported.
"""

from __future__ import annotations

import glob
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

# Left out of the clock: graphs are traced and memory is claimed in the first batches.
WARMUP_BATCHES = 16
HIDDEN_UNITS = (256, 128, 64)
WIDTH = 16
LEARNING_RATE = 0.001


def load(folder: Path, part: str) -> tuple[dict[str, Any], npt.NDArray[np.float32]]:
    """Returns the columns of `train` or `held_out` rows, and their labels."""
    table = pq.read_table(sorted(glob.glob(str(folder / part / "*.parquet"))))
    columns = {
        name: table[name].combine_chunks().flatten().to_numpy()
        for name in table.column_names
    }
    columns.pop("day")
    return columns, columns.pop("label").astype(np.float32)


def sizes(folder: Path) -> dict[str, int]:
    """Returns the rows of each feature's embedding table."""
    loaded: dict[str, int] = json.loads((folder / "sizes.json").read_text())
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

    def batch(self, num_rows: int) -> None:
        """Counts a batch that has just ended."""
        self._batches += 1
        if self._batches == WARMUP_BATCHES:
            self._wall, self._cpu = time.perf_counter(), time.process_time()
        elif self._batches > WARMUP_BATCHES:
            self._rows += num_rows

    def result(self, auc_value: float) -> str:
        """Returns the line of JSON that the benchmark reads."""
        return json.dumps(
            {
                "rate": self._rows / (time.perf_counter() - self._wall),
                "cpu_rate": self._rows / (time.process_time() - self._cpu),
                "auc": auc_value,
            }
        )
