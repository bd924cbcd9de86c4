"""The column that says when an impression was shown, and how its times are written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from components.log_example_gen.time_formats import DEFAULT_FORMAT
from components.log_example_gen.time_formats import EPOCH_UNITS
from components.log_example_gen.time_formats import parse_time_format
from components.log_example_gen.times import DAY_SECONDS
from components.log_example_gen.times import read_times
from components.log_example_gen.values import ColumnTypeError
from pipeline.guessing.column import Column
from pipeline.guessing.names import TIME_WORDS
from pipeline.guessing.names import words

_DATES = ("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y")
_CLOCKS = ("%H:%M", "%H:%M:%S")
_TAILS = ("", ".%f", "%z", ".%f%z")
FORMATS = (
    *EPOCH_UNITS,
    DEFAULT_FORMAT,
    "%Y%m%d%H%M%S",
    "%Y%m%d%H",
    "%Y%m%d",
    *_DATES,
    *(
        f"{date}{between}{clock}{tail}"
        for date in _DATES
        for between in (" ", "T")
        for clock in _CLOCKS
        for tail in (_TAILS if clock == "%H:%M:%S" else ("", "%z"))
    ),
)
# Of logs of impressions: 1995 to 2069. A count of another unit lies far outside.
_FIRST, _LAST = 788_918_400, 3_155_760_000
# Share of the values that a format has to read.
_ENOUGH = 0.9
# Values that are tried; all of them are read once a format is chosen.
_TRIED = 2_000


@dataclass(frozen=True)
class Times:
    """A column of times.

    Attributes:
        column: Its name.
        format: How they are written, see `parse_time_format`.
        is_native: Whether the file's own type says that they are times.
        seconds: Since 1970-01-01 UTC, NaN where there is none; shape (rows,).
        readable: Share of the values that can be read.
        ambiguous: Another format that reads as many; empty if there is none.
    """

    column: str
    format: str
    is_native: bool
    seconds: npt.NDArray[np.float64]
    readable: float
    ambiguous: str = ""

    @property
    def days(self) -> npt.NDArray[np.int64]:
        """Day of each row, days since 1970-01-01; -1 without a time."""
        known = np.isfinite(self.seconds)
        return np.where(known, np.nan_to_num(self.seconds) // DAY_SECONDS, -1).astype(
            np.int64
        )

    @property
    def has_hours(self) -> bool:
        """Whether the times have different hours."""
        if not self.is_native and not parse_time_format(self.format).has_hour:
            return False
        known = self.seconds[np.isfinite(self.seconds)]
        return len(np.unique(known // 3600 % 24)) > 1


def times_of(column: Column) -> Times | None:
    """Returns a column as times; None if it holds none."""
    kind = column.array.type
    if not column.present or column.is_native_list:
        return None
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        seconds, readable = _read(column.array, DEFAULT_FORMAT)
        return Times(column.name, DEFAULT_FORMAT, True, seconds, readable)
    if not all(isinstance(value, (str, int, float)) for value in column.present[:100]):
        return None
    tried = column.array.drop_null()[:_TRIED]
    shares = {form: _read(tried, form)[1] for form in FORMATS}
    best = max(shares, key=lambda form: shares[form])
    if shares[best] < _ENOUGH:
        return None
    seconds, readable = _read(column.array, best)
    others = [f for f in FORMATS if f != best and shares[f] == shares[best]]
    return Times(
        column.name, best, False, seconds, readable, others[0] if others else ""
    )


def find_times(columns: Iterable[Column]) -> list[Times]:
    """Returns the columns that hold times, those that are named so first.

    A column whose name has no word for a time counts only if it is not made of plain
    numbers, as ids may look like counts of seconds.
    """
    ranked = []
    for column in columns:
        named = [word in TIME_WORDS for word in words(column.name)]
        if column.numbers is not None and not any(named):
            continue
        found = times_of(column)
        if found is not None:
            # A time that is a date alone says less.
            ranked.append((sum(named) / max(len(named), 1), found.has_hours, found))
    ranked.sort(key=lambda entry: (-entry[0] - entry[1], entry[2].column))
    return [found for _, _, found in ranked]


def _read(array: pa.Array, form: str) -> tuple[npt.NDArray[np.float64], float]:
    """Returns seconds, NaN where none can be read, and the share that can."""
    present = len(array) - array.null_count
    try:
        read = read_times(array, form, lambda _bad, _problem: None)
    except (ColumnTypeError, pa.ArrowInvalid):
        return np.full(len(array), np.nan), 0.0
    seconds = read.cast(pa.float64()).to_numpy(zero_copy_only=False).copy()
    seconds[~((seconds >= _FIRST) & (seconds < _LAST))] = np.nan
    return seconds, float(np.isfinite(seconds).sum()) / max(present, 1)
