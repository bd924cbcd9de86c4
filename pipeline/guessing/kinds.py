"""Kind of each column: an id, a list of ids, a count, a rate, a number, a vector."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from dataclasses import replace
from typing import Any

import numpy as np

from pipeline.guessing.column import Column
from pipeline.guessing.column import as_text
from pipeline.guessing.column import json_list
from pipeline.guessing.names import CATEGORY_WORDS
from pipeline.guessing.names import COUNT_WORDS
from pipeline.guessing.names import ID_WORDS
from pipeline.guessing.names import ITEM_WORDS
from pipeline.guessing.names import RATE_WORDS
from pipeline.guessing.names import USER_WORDS
from pipeline.guessing.names import words

# Between values of a list that is written as text; `, ` before `,`, as an ingest strips
# no blanks.
_SEPARATORS = ("|", "^", "; ", ";", ", ", ",", " ")
_MOST_VALUES = 20
# Characters of a value of a list; longer ones are text for people.
_LONGEST_ID = 40
# Share of different values from which on a text is one of each row.
_UNIQUE = 0.95
_MANY_ROWS = 100
_LONG_TEXT = 60
# Different whole numbers up to which they may well be codes.
_FEW = 20


@dataclass(frozen=True)
class Kind:
    """A guess of a column's kind.

    Attributes:
        kind: One of the kinds of features; empty for a column that is left out.
        reason: Why.
        check: What to look at; empty where the guess is sure.
        separator: What stands between the values of a list in one text.
        is_json: Whether lists are written as JSON, which an ingest does not read.
        max_length: Values of a list.
        length: Elements of a vector.
        is_constant: Whether it is left out because no two rows read differ in it.
    """

    kind: str
    reason: str
    check: str = ""
    separator: str | None = None
    is_json: bool = False
    max_length: int | None = None
    length: int | None = None
    is_constant: bool = False


def guess_kind(column: Column) -> Kind:
    """Returns the kind of a column that is neither time nor label."""
    if not column.present:
        return Kind("", "no row read has a value", is_constant=True)
    if len(column.distinct) == 1 and len(column.present) == len(column.values):
        value = shortly(column.present[0])
        return Kind("", f"every row read has the value {value}", is_constant=True)
    for rule in (_list_kind, _number_kind, _text_kind):
        found = rule(column)
        if found is not None:
            return found
    return Kind("", "values of several types")


def ids_in(column: Column, kind: Kind) -> list[str]:
    """Returns the ids of a column, row by row; those of lists one by one."""
    found: list[str] = []
    for value in column.present:
        entries = json_list(value) if kind.is_json and isinstance(value, str) else value
        if kind.separator is not None and isinstance(value, str):
            entries = value.split(kind.separator)
        if isinstance(entries, list):
            found.extend(map(as_text, entries))
        else:
            found.append(as_text(entries))
    return found


def shortly(value: Any) -> str:
    """Returns a value as it is shown in a reason."""
    text = repr(value)
    return text if len(text) <= 30 else f"{text[:27]}..."


def _list_kind(column: Column) -> Kind | None:
    if column.is_native_list:
        lists = [value if isinstance(value, list) else [] for value in column.present]
        return _of_lists(lists, "lists of the file")
    if not all(isinstance(value, str) for value in column.present):
        return None
    parsed = [json_list(text) for text in column.present]
    if all(value is not None for value in parsed):
        found = _of_lists([value or [] for value in parsed], "lists written as JSON")
        return replace(found, is_json=True)
    if column.numbers is not None:
        return None
    for separator in _SEPARATORS:
        lists = [text.split(separator) for text in column.present]
        if _is_list(lists, separator):
            found = _of_lists(lists, f"several values with {separator!r} between them")
            return replace(found, separator=separator)
    return None


def _is_list(lists: list[list[str]], separator: str) -> bool:
    several = sum(len(values) > 1 for values in lists)
    if several < max(0.02 * len(lists), 1):
        return False
    values = [value for entry in lists for value in entry]
    if not all(values) or max(map(len, values)) > _LONGEST_ID:
        return False
    if any(" " in value for value in values):
        return False
    if separator == " " and not all(map(_is_number, values)):
        return False
    # Values come back in other lists; the parts of a name or a time hardly do.
    whole = len(set(map(tuple, lists)))
    vectors = len({len(entry) for entry in lists}) == 1 and all(map(_is_float, values))
    return vectors or len(set(values)) < whole


def _of_lists(lists: list[list[Any]], how: str) -> Kind:
    lengths = Counter(len(values) for values in lists)
    filled = [values for values in lists if values]
    flat = [value for values in filled[:1000] for value in values]
    if not filled:
        return Kind("", f"{how}, and all are empty")
    length = len(filled[0])
    if (
        length > 1
        and all(len(values) == length for values in filled)
        and all(map(_is_number, flat))
        and any(map(_is_float, flat))
    ):
        return Kind("vector", f"{how}, each of {length} numbers", length=length)
    longest = max(lengths)
    return Kind(
        "ids",
        f"{how}, up to {longest} in the rows read",
        max_length=min(longest, _MOST_VALUES),
    )


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _is_float(value: Any) -> bool:
    return _is_number(value) and not float(value).is_integer()


def _hint(name: str) -> str:
    """Returns what a name says of a number: `id`, `count`, `rate`, or nothing."""
    found = words(name)
    if found[:1] in (("num",), ("n",), ("nb",), ("count",), ("total",)):
        return "count"
    for word in reversed(found):
        if word in ID_WORDS | CATEGORY_WORDS:
            return "id"
        if word in COUNT_WORDS:
            return "count"
        if word in RATE_WORDS:
            return "rate"
    whose = USER_WORDS | ITEM_WORDS
    return "id" if any(word in whose for word in found) else ""


def _number_kind(column: Column) -> Kind | None:
    numbers = column.numbers
    if numbers is None:
        return None
    known = numbers[np.isfinite(numbers)]
    if not len(known):
        return Kind("", "no row has a finite number")
    if all(isinstance(value, bool) for value in column.present) or not any(
        any(map(str.isdigit, text)) for text in column.distinct
    ):
        return Kind("id", "true and false")
    low, high, hint = float(known.min()), float(known.max()), _hint(column.name)
    if not np.all(known == np.floor(known)):
        return _fractions(column.name, low, high)
    if hint == "rate" and low >= 0 and high <= 1:
        return Kind("rate", "its name says so, and its values are 0 and 1")
    if any(
        isinstance(value, str) and value.lstrip("-").startswith("0") and len(value) > 1
        for value in column.present
        if not _is_pointed(value)
    ):
        return Kind("id", "digits with leading zeros")
    return _whole(column, low, high, hint)


def _is_pointed(value: Any) -> bool:
    return isinstance(value, str) and "." in value


def _fractions(name: str, low: float, high: float) -> Kind:
    seen = f"numbers from {low:.4g} to {high:.4g}"
    if low >= 0 and high <= 1:
        return Kind("rate", f"{seen}, all within 0 and 1")
    if _hint(name) == "rate":
        return Kind(
            "number", f"{seen}; its name speaks of a rate, which lies within 0 and 1"
        )
    return Kind("number", seen)


def _whole(column: Column, low: float, high: float, hint: str) -> Kind:
    different = len(column.distinct)
    seen = f"{different:,} different whole numbers from {low:.0f} to {high:.0f}"
    if hint == "id":
        return Kind("id", f"{seen}; its name says that they are codes")
    if hint in ("count", "rate"):
        if low >= 0:
            return Kind("count", f"{seen}; its name says that they count something")
        return Kind("number", f"{seen}; its name says that they count something")
    check = "are larger values more of something? then `count`; if not, `id`"
    if low < 0 and different > _FEW:
        return Kind("number", f"{seen}, some below 0", check)
    if low >= 0 and _looks_counted(column):
        return Kind("count", f"{seen}, small ones more frequent", check)
    return Kind("id", f"{seen}; nothing says that they count something", check)


def _looks_counted(column: Column) -> bool:
    """Whether small whole numbers are more frequent, as in counts of events."""
    numbers = column.numbers
    assert numbers is not None
    known = numbers[np.isfinite(numbers)]
    different = np.unique(known)
    if len(different) <= _FEW or different[-1] > 50 * len(known):
        return False
    low, middle, high = np.quantile(known, [0.0, 0.5, 1.0])
    return bool(middle - low < 0.25 * (high - low))


def _text_kind(column: Column) -> Kind | None:
    if not all(isinstance(value, str) for value in column.present):
        return None
    different, rows = len(column.distinct), len(column.present)
    lengths = sorted(map(len, column.present))
    if lengths[len(lengths) // 2] > _LONG_TEXT:
        return Kind(
            "",
            "long texts, which no kind of feature reads",
            "an embedding of the text can be a `vector`",
        )
    if rows >= _MANY_ROWS and different > _UNIQUE * rows and not _names_one(column):
        return Kind(
            "",
            f"nearly every row has a value of its own ({different:,} in {rows:,} rows)",
            "if it names a user or an item, give --user or --item",
        )
    return Kind("id", f"{different:,} different texts in {rows:,} rows")


def _names_one(column: Column) -> bool:
    return any(word in USER_WORDS | ITEM_WORDS for word in words(column.name))
