"""Values of log columns as ids and numbers, whatever type a file gives them.

| type in the file                       | as an id             | as a number         |
| -------------------------------------- | -------------------- | ------------------- |
| text                                   | as it is, UTF-8      | what it spells      |
| integer                                | its digits           | itself              |
| floating point, decimal                | its digits, if whole | itself              |
| boolean                                | `true`, `false`      | 1, 0                |
| date                                   | `2024-02-26`         | -                   |
| binary                                 | its bytes            | what it spells      |
| dictionary (pandas' categories, enums) | by the type of its values                  |

A value that does not fit marks its row; what stands beside it does not matter. A type
that holds no such values at all is an error of the column.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from components.log_example_gen.problems import Mask
from components.log_example_gen.problems import as_mask

# Told which values do not fit, and why.
Mark = Callable[[Mask, str], None]

# Beyond it floating-point numbers skip integers, so digits may have been lost.
EXACT_FLOAT = 2**53
_NO_ID = "is not a whole number, as an id has to be"
_INT64 = np.iinfo(np.int64)
_FLOAT32_MAX = float(np.finfo(np.float32).max)
_NUMBER = re.compile(rb"-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_INTEGER = re.compile(rb"-?\d+")
# What Arrow's own parser reads right, which is nearly all; the rest goes one by one.
_PLAIN = {
    pa.int64(): r"^-?\d{1,18}$",
    pa.float64(): r"^-?\d{1,40}(\.\d{1,40})?([eE][+-]?\d{1,2})?$",
}


class ColumnTypeError(TypeError):
    """A column's type holds no values of the kind that is wanted."""


def plain(values: pa.Array) -> pa.Array:
    """Returns values without their ways of being stored.

    Dictionaries are looked up, lists and bytes of a fixed size become those of any
    size (a missing list an empty one), extension types what they are made of.
    """
    if isinstance(values, pa.ExtensionArray):
        values = values.storage
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_fixed_size_binary(values.type):
        return values.cast(pa.binary())
    if pa.types.is_fixed_size_list(values.type):
        present = values.is_valid().to_numpy(zero_copy_only=False)
        return of_lengths(present * values.type.list_size, values.flatten())
    return values


def of_lengths(lengths: npt.ArrayLike, flat: pa.Array) -> pa.Array:
    """Returns `flat` cut into large lists of these lengths."""
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return pa.LargeListArray.from_arrays(pa.array(offsets), flat)


def mark_lists(mark: Mark, parents: npt.NDArray[Any], num_rows: int) -> Mark:
    """Returns what marks the rows of lists, told which of their elements do not fit.

    Args:
        mark: Told of the rows.
        parents: Row of each element.
        num_rows: Number of rows.
    """

    def mark_rows(bad: Mask, problem: str) -> None:
        rows = np.zeros(num_rows, np.bool_)
        rows[parents[bad]] = True
        mark(rows, problem)

    return mark_rows


def is_text(kind: pa.DataType) -> bool:
    """Whether a type holds text, or bytes that may be text."""
    return (
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
    )


def is_list(kind: pa.DataType) -> bool:
    """Whether a type holds lists."""
    return (
        pa.types.is_list(kind)
        or pa.types.is_large_list(kind)
        or pa.types.is_fixed_size_list(kind)
    )


def type_name(kind: pa.DataType) -> str:
    """Returns what an error calls a column's type; a cell of CSV is text, not binary.

    Example:
        >>> type_name(pa.list_(pa.string()))
        'a list of text'
    """
    if is_text(kind):
        return "text"
    if is_list(kind):
        return f"a list of {type_name(kind.value_type)}"
    return str(kind)


def read_ids(values: pa.Array, mark: Mark) -> pa.Array:
    """Returns ids as large_binary, null where there is none.

    Args:
        values: Of any type.
        mark: Told of values that are no ids.

    Raises:
        ColumnTypeError: The type holds no ids.
    """
    values = plain(values)
    kind = values.type
    if pa.types.is_decimal(kind):
        values = _decimals(values)
        whole = pc.match_substring_regex(values, r"^-?\d+(\.0*)?$")
        mark(as_mask(pc.invert(whole)), _NO_ID)
        values = pc.replace_substring_regex(values, r"\.0*$", "")
        values = pc.if_else(whole, values, pa.scalar(None, pa.string()))
    elif pa.types.is_floating(kind):
        numbers = whole_numbers(
            values, "is not a whole number, as an id has to be", mark
        )
        values = numbers.cast(pa.string())
    elif pa.types.is_date(kind):
        values = values.cast(pa.date32()).cast(pa.string())
    elif pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        values = values.cast(pa.string())
    elif pa.types.is_null(kind):
        return values.cast(pa.large_binary())
    elif not is_text(kind):
        raise ColumnTypeError("text or an integer (an id)")
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        values = _valid_text(values, mark)
    ids = values.cast(pa.large_binary())
    # An empty id says as little as none; both mean "missing" from here on.
    empty = pc.equal(pc.binary_length(ids), 0)
    return pc.if_else(empty, pa.scalar(None, pa.large_binary()), ids)


def read_numbers(values: pa.Array, kind: pa.DataType, mark: Mark) -> pa.Array:
    """Returns numbers of type `kind`, null where there is none.

    NaN is how NumPy and pandas write a missing number.

    Args:
        values: Of any type.
        kind: int64 or float64.
        mark: Told of values that are no such numbers.

    Raises:
        ColumnTypeError: The type holds no numbers.
    """
    values = plain(values)
    if pa.types.is_decimal(values.type):
        values = _decimals(values)
    if is_text(values.type):
        return _spelled(values.cast(pa.binary()), kind, mark)
    if pa.types.is_floating(values.type):
        if kind == pa.int64():
            return whole_numbers(values, "is not an integer", mark)
        return _finite(values, mark)
    if pa.types.is_uint64(values.type) and kind == pa.int64():
        beyond = as_mask(pc.greater(values, pa.scalar(_INT64.max, pa.uint64())))
        mark(beyond, "is beyond the range of 64-bit integers")
        values = pc.if_else(pa.array(beyond), pa.scalar(None, values.type), values)
    elif not (
        pa.types.is_integer(values.type)
        or pa.types.is_boolean(values.type)
        or pa.types.is_null(values.type)
    ):
        raise ColumnTypeError(_wanted_number(kind))
    return values.cast(kind, safe=False)


def to_float32(values: pa.Array, mark: Mark) -> pa.Array:
    """Returns float64 rounded to float32; marks what would become infinite."""
    large = as_mask(pc.greater(pc.abs(values), _FLOAT32_MAX))
    if large.any():
        mark(large, "is beyond the range of 32-bit floating-point numbers")
        values = pc.if_else(pa.array(large), pa.scalar(None, values.type), values)
    return values.cast(pa.float32())


def parse_number(text: bytes, kind: pa.DataType) -> tuple[float | int | None, str]:
    """Returns the number that a text spells, and what is wrong if it spells none.

    Args:
        text: One value; blanks around it do not count.
        kind: int64 or float64.
    """
    text = text.strip()
    lower = text.lower()
    if lower in (b"", b"nan"):
        return None, ""
    if lower in (b"true", b"false"):
        return int(lower == b"true"), ""
    if not _NUMBER.fullmatch(text):
        return None, f"is not {_wanted_number(kind)}"
    if kind == pa.int64() and _INTEGER.fullmatch(text):
        # Python refuses to parse numbers of thousands of digits.
        number = int(text) if len(text) < 1000 else _INT64.max + 1
        if not _INT64.min <= number <= _INT64.max:
            return None, "is beyond the range of 64-bit integers"
        return number, ""
    value = float(text)
    if np.isinf(value):
        return None, "is beyond the range of 64-bit floating-point numbers"
    if kind == pa.float64():
        return value, ""
    if not value.is_integer() or abs(value) > EXACT_FLOAT:
        return None, "is not an integer"
    return int(value), ""


def _wanted_number(kind: pa.DataType) -> str:
    return "an integer" if kind == pa.int64() else "a number"


def _spelled(raw: pa.Array, kind: pa.DataType, mark: Mark) -> pa.Array:
    """Returns the numbers that texts spell."""
    readable = pc.match_substring_regex(raw, _PLAIN[kind])
    usual = pc.if_else(readable, raw, pa.scalar(None, pa.binary()))
    numbers = usual.cast(pa.string()).cast(kind)
    rest = np.flatnonzero(as_mask(pc.invert(readable)))
    if not len(rest):
        return numbers
    # One by one, but each spelling once.
    coded = raw.take(pa.array(rest)).dictionary_encode()
    parsed = [parse_number(text, kind) for text in coded.dictionary.to_pylist()]
    codes = coded.indices.to_numpy()
    for problem in dict.fromkeys(problem for _, problem in parsed if problem):
        bad = np.zeros(len(raw), np.bool_)
        bad[rest[np.array([p == problem for _, p in parsed])[codes]]] = True
        mark(bad, problem)
    spelled = pa.array([number for number, _ in parsed], kind).take(coded.indices)
    place = np.zeros(len(raw), np.int64)
    place[rest] = np.arange(len(rest))
    is_rest = np.zeros(len(raw), np.bool_)
    is_rest[rest] = True
    return pc.if_else(pa.array(is_rest), spelled.take(pa.array(place)), numbers)


def _finite(values: pa.Array, mark: Mark) -> pa.Array:
    """Returns floating-point numbers as float64; infinite ones are marked."""
    if pa.types.is_float16(values.type):
        values = pa.array(values.to_numpy(zero_copy_only=False).astype(np.float64))
    values = values.cast(pa.float64())
    mark(as_mask(pc.is_inf(values)), "is infinite")
    return pc.if_else(pc.is_finite(values), values, pa.scalar(None, pa.float64()))


def whole_numbers(values: pa.Array, problem: str, mark: Mark) -> pa.Array:
    """Returns whole floating-point numbers as int64; marks the others.

    Args:
        values: Floating-point numbers.
        problem: What is wrong with those that are not whole, or beyond 2^53.
        mark: Told of them.
    """
    values = _finite(values, mark)
    exact = pc.less_equal(pc.abs(values), float(EXACT_FLOAT))
    whole = pc.and_(exact, pc.equal(pc.floor(values), values))
    mark(as_mask(pc.invert(whole)), problem)
    return pc.if_else(whole, values, pa.scalar(None, pa.float64())).cast(pa.int64())


def _decimals(values: pa.Array) -> pa.Array:
    """Returns decimals as text without an exponent."""
    texts = [None if v is None else format(v, "f") for v in values.to_pylist()]
    return pa.array(texts, pa.string())


def _valid_text(values: pa.Array, mark: Mark) -> pa.Array:
    """Returns texts; those that are not UTF-8 are marked and become null."""
    try:
        values.validate(full=True)
    except pa.ArrowInvalid:
        raw = values.cast(pa.binary())
        bad = np.array([not _is_utf8(text) for text in raw.to_pylist()], np.bool_)
        mark(bad, "is not UTF-8 text")
        return pc.if_else(pa.array(bad), pa.scalar(None, pa.binary()), raw)
    return values


def _is_utf8(text: bytes | None) -> bool:
    try:
        (text or b"").decode()
    except UnicodeDecodeError:
        return False
    return True
