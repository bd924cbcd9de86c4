"""Problems of rows, the first reason of each, and problems of whole columns.

A row that has a problem goes to the quarantine. A column of which no row can be read
(it is missing, or its type holds no such values) refuses the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from models.errors import listed

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Reason:
    """Reason why a row cannot be used.

    Attributes:
        column: The log's column.
        text: What is wrong with its value.
    """

    column: str
    text: str

    def __str__(self) -> str:
        return f"{self.column} {self.text}"


class Problems:
    """Collects the problems of some rows.

    Attributes:
        columns: Sentences about columns of which no row can be read.
        lacking: Columns that are not there and hold no value for these rows.
    """

    def __init__(self, num_rows: int) -> None:
        """Starts without a problem.

        Args:
            num_rows: Number of rows.
        """
        self.columns: list[str] = []
        self.lacking: list[str] = []
        self._first = np.full(num_rows, -1, np.int64)
        self._reasons: list[Reason] = []

    def add(self, mask: pa.Array | Mask, column: str, text: str) -> None:
        """Marks the rows where `mask` is true, unless they are marked already.

        Args:
            mask: Shape (rows,); null counts as false.
            column: The log's column.
            text: What is wrong with its value there.
        """
        chosen = as_mask(mask)
        if chosen.any():
            self._reasons.append(Reason(column, text))
            self._first[chosen & (self._first < 0)] = len(self._reasons) - 1

    def found(self) -> tuple[list[int], list[Reason]]:
        """Returns the marked rows' positions, ascending, and reasons."""
        rows = np.flatnonzero(self._first >= 0)
        return rows.tolist(), [self._reasons[i] for i in self._first[rows]]


def as_mask(values: pa.Array | Mask) -> Mask:
    """Returns booleans as NumPy's; null is false."""
    if isinstance(values, np.ndarray):
        return values
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    mask: Mask = values.fill_null(False).to_numpy(zero_copy_only=False)
    return mask


def columns_in(names: Sequence[str]) -> str:
    """Returns the columns of a file for an error about one that it lacks."""
    said = listed(names, first=50)
    if len(names) == 1 and any(mark in names[0] for mark in ";\t|,"):
        said += (
            " (one column: `csv` in the configuration says what separates values; in "
            "a .tsv file tabs do)"
        )
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in said)
