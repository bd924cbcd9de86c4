"""Times of impressions: seconds since 1970-01-01 00:00 UTC, from columns of any type.

A time without a zone is UTC. Text is read at fixed positions, so `2024-6-3` is no time
in the format `%Y-%m-%d`, and a date that the calendar lacks is none either.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from components.log_example_gen.problems import Mask
from components.log_example_gen.problems import as_mask
from components.log_example_gen.time_formats import DIRECTIVES
from components.log_example_gen.time_formats import TimeFormat
from components.log_example_gen.time_formats import parse_time_format
from components.log_example_gen.values import ColumnTypeError
from components.log_example_gen.values import Mark
from components.log_example_gen.values import is_text
from components.log_example_gen.values import plain
from components.log_example_gen.values import read_numbers
from components.log_example_gen.values import whole_numbers

DAY_SECONDS = 86_400
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
# The last second of the year 9999, beyond which a count is of another unit.
_LAST = 253_402_300_799
_ZERO = ord("0")

Ints = npt.NDArray[np.int64]


def read_times(values: pa.Array, form: str, mark: Mark) -> pa.Array:
    """Returns times in seconds, int64; null where there is none.

    Args:
        values: Text or numbers written like `form`; or timestamps and dates, which say
            themselves what they mean.
        form: See `parse_time_format`.
        mark: Told of values that are no such times.

    Raises:
        ColumnTypeError: The type holds no times.
    """
    values = plain(values)
    kind, wanted = values.type, parse_time_format(form)
    if pa.types.is_null(kind):
        return values.cast(pa.int64())
    if pa.types.is_timestamp(kind):
        return _divided(values.cast(pa.int64()), _PER_SECOND[kind.unit])
    if pa.types.is_date(kind):
        days = values.cast(pa.date32()).cast(pa.int32()).cast(pa.int64())
        return pc.multiply(days, DAY_SECONDS)
    problem = f"is not a time written like {form}"
    if wanted.per_second:
        return _counted(values, wanted.per_second, problem, form, mark)
    if pa.types.is_integer(kind):
        values = values.cast(pa.string())
    elif pa.types.is_floating(kind):
        values = whole_numbers(values, problem, mark).cast(pa.string())
    elif pa.types.is_decimal(kind):
        values = read_numbers(values, pa.int64(), mark).cast(pa.string())
    elif not is_text(kind):
        raise ColumnTypeError(f"a timestamp, or text or integers written like {form}")
    return _spelled(values.cast(pa.binary()), wanted, problem, mark)


def has_hours(kind: pa.DataType) -> bool:
    """Whether a column's type can say an hour."""
    return not pa.types.is_date(kind)


def _divided(values: pa.Array, per_second: int) -> pa.Array:
    seconds = values.fill_null(0).to_numpy() // per_second
    return pa.array(seconds, pa.int64(), mask=as_mask(pc.is_null(values)))


def _counted(
    values: pa.Array, per_second: int, problem: str, form: str, mark: Mark
) -> pa.Array:
    """Returns times that are counted since 1970."""
    whole = pa.types.is_integer(values.type)
    try:
        numbers = read_numbers(values, pa.int64() if whole else pa.float64(), mark)
    except ColumnTypeError as error:
        raise ColumnTypeError(f"a timestamp, or numbers ({form})") from error
    counts = numbers.fill_null(0).to_numpy()
    # Compared as counts: the seconds of a huge one would not fit int64.
    far = np.abs(counts.astype(np.float64)) > _LAST * float(per_second)
    mark(far, problem)
    seconds = np.floor_divide(np.where(far, 0, counts), per_second).astype(np.int64)
    return pa.array(seconds, mask=far | as_mask(pc.is_null(numbers)))


def _spelled(raw: pa.Array, wanted: TimeFormat, problem: str, mark: Mark) -> pa.Array:
    """Returns times that are written in a format."""
    lengths = pc.fill_null(pc.binary_length(raw), 0).to_numpy().astype(np.int64)
    present = lengths > 0
    width = sum(DIRECTIVES.get(part) or 1 for part in wanted.parts)
    variable = wanted.fraction or wanted.offset
    fits = present & (lengths > width if variable else lengths == width)
    rows = np.flatnonzero(fits)
    if not len(rows):
        mark(present, problem)
        return pa.nulls(len(raw), pa.int64())
    texts = raw.take(pa.array(rows))
    offsets = np.frombuffer(texts.buffers()[1], np.int32)
    ends: Ints = offsets[texts.offset :][: len(rows) + 1].astype(np.int64)
    letters = np.frombuffer(texts.buffers()[2], np.uint8)
    seconds, good = _fixed(letters, ends[:-1], wanted, width)
    if variable:
        good &= _has_tail(texts, wanted, width)
    if wanted.offset:
        seconds -= _offsets(letters, ends[1:], good)
    read = np.zeros(len(raw), np.bool_)
    read[rows[good]] = True
    mark(present & ~read, problem)
    found = np.zeros(len(raw), np.int64)
    found[rows] = seconds
    return pa.array(found, mask=~read)


def _fixed(
    letters: npt.NDArray[np.uint8], starts: Ints, wanted: TimeFormat, width: int
) -> tuple[Ints, Mask]:
    """Returns the seconds of the parts of fixed width, and where they are right."""
    matrix = letters[starts[:, None] + np.arange(width)]  # (rows, width)
    good = np.ones(len(starts), np.bool_)
    midnight = np.zeros(len(starts), np.int64)
    found: dict[str, Ints] = {"%H": midnight, "%M": midnight, "%S": midnight}
    position = 0
    for part in wanted.parts:
        size = DIRECTIVES.get(part) or 1
        cells = matrix[:, position : position + size]
        if part in DIRECTIVES:
            digits = cells.astype(np.int64) - _ZERO
            good &= ((digits >= 0) & (digits <= 9)).all(axis=1)
            found[part] = digits @ (10 ** np.arange(size)[::-1])
        else:
            good &= cells[:, 0] == ord(part)
        position += size
    return _seconds(found, good)


def _seconds(found: dict[str, Ints], good: Mask) -> tuple[Ints, Mask]:
    """Returns seconds since 1970 of calendar parts, and where the calendar has them."""
    year, month, day = found["%Y"], found["%m"], found["%d"]
    good = good & (month >= 1) & (month <= 12) & (year >= 1)
    index = np.where(good, (year - 1970) * 12 + month - 1, 0)
    first = index.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    following = (index + 1).astype("datetime64[M]").astype("datetime64[D]")
    good &= (day >= 1) & (day <= following.astype(np.int64) - first)
    hour, minute, second = (found[part] for part in ("%H", "%M", "%S"))
    # A leap second has the number 60.
    good &= (hour <= 23) & (minute <= 59) & (second <= 60)
    seconds = (first + day - 1) * DAY_SECONDS + hour * 3600 + minute * 60 + second
    return np.where(good, seconds, 0), good


def _has_tail(texts: pa.Array, wanted: TimeFormat, width: int) -> Mask:
    """Returns which texts end with the fraction and offset of their format."""
    fraction = r"\d{1,9}" if wanted.fraction else ""
    offset = r"(Z|[+-]\d\d:?[0-5]\d)" if wanted.offset else ""
    return as_mask(
        pc.match_substring_regex(texts, rf"(?s)^.{{{width}}}{fraction}{offset}$")
    )


def _offsets(letters: npt.NDArray[np.uint8], ends: Ints, good: Mask) -> Ints:
    """Returns the offset from UTC that each text ends with, in seconds."""

    @functools.cache
    def at(back: int) -> Ints:
        return letters[np.where(good, ends - back, 0)].astype(np.int64)

    if not good.any():
        return np.zeros(len(good), np.int64)
    utc = at(1) == ord("Z")
    colon = at(3) == ord(":")
    minutes = (at(2) - _ZERO) * 10 + at(1) - _ZERO
    long, short = at(5) - _ZERO, at(4) - _ZERO
    tens, ones = np.where(colon, long, short), np.where(colon, short, at(3) - _ZERO)
    sign = np.where(np.where(colon, at(6), at(5)) == ord("-"), -1, 1)
    seconds = sign * ((tens * 10 + ones) * 3600 + minutes * 60)
    return np.where(utc | ~good, 0, seconds)
