"""Pieces of a log file: what every reader yields."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from models.errors import DataError


@dataclass(frozen=True)
class Piece:
    """Some impressions of one file.

    Attributes:
        table: Impressions that the format could express.
        numbers: Their positions in the file, from 0, ascending: lines of text formats
            (the header of CSV and blank lines of JSON Lines are not counted), records
            of the others.
        records: How many records the file itself has here, counted without the parser:
            on the raw bytes of text formats, in the footer or the framing of the
            others. A record is in `table` or in `rejected`.
        rejected: Positions, raw values and reasons of the records that are not in
            `table`.
        line_breaks: Line breaks inside quoted values of CSV.
        original: Returns what the file has for a row of `table`, by its index, where
            `table` holds less than the file.
        sparse: Whether a column without any value may be absent from the file.
    """

    table: pa.Table
    numbers: npt.NDArray[np.int64]
    records: int
    rejected: list[tuple[int, str, str]] = field(default_factory=list)
    line_breaks: int = 0
    original: Callable[[int], Any] | None = None
    sparse: bool = False


def unreadable(path: str, kind: str, detail: object) -> DataError:
    """Returns the error for a file that cannot be read at all."""
    text = " ".join(str(detail).split())
    return DataError(
        f"{path} cannot be read as {kind} ({text}); replace the file, or move it "
        "away and run the day again"
    )
