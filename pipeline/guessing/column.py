"""A column of some rows of a log, as plain values."""

from __future__ import annotations

import functools
import json
import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

# As in the ingest: what text spells a number.
_NUMBER = re.compile(r"-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_BOOLEANS = {"true": 1.0, "false": 0.0}
_WHOLE_WITH_POINT = re.compile(r"-?\d+\.0+")


@dataclass(frozen=True)
class Column:
    """A column of a sample.

    Attributes:
        name: Its name in the log.
        array: Its values as they were read, of any type.
    """

    name: str
    array: pa.Array

    @functools.cached_property
    def values(self) -> list[Any]:
        """The values, None where one is missing; times and the like as text."""
        if pa.types.is_temporal(self.array.type):
            return [_usual(value) for value in self.array.cast(pa.string()).to_pylist()]
        return [_usual(value) for value in self.array.to_pylist()]

    @functools.cached_property
    def present(self) -> list[Any]:
        """The values that are not missing."""
        return [value for value in self.values if value is not None and value != []]

    @property
    def is_native_list(self) -> bool:
        """Whether the file itself has lists."""
        return any(isinstance(value, list) for value in self.present[:100])

    @functools.cached_property
    def texts(self) -> list[str | None]:
        """Each value as an id is written; None where it is missing."""
        return [None if value is None else as_text(value) for value in self.values]

    @functools.cached_property
    def numbers(self) -> npt.NDArray[np.float64] | None:
        """The values as numbers, NaN where one is missing; None if one is none."""
        found = [_number(value) for value in self.values]
        if not self.present or None in found:
            return None
        return np.array(found, np.float64)

    @functools.cached_property
    def distinct(self) -> set[str]:
        """The different values that are not missing, as text; of lists their ids."""
        found: set[str] = set()
        for value in self.present:
            if isinstance(value, list):
                found.update(map(as_text, value))
            else:
                found.add(as_text(value))
        return found

    @property
    def has_points(self) -> bool:
        """Whether whole numbers are written as text with a point, as `7.0`."""
        texts = [value for value in self.present if isinstance(value, str)]
        return (
            len(texts) == len(self.present) > 0
            and self.numbers is not None
            and all(float(text).is_integer() for text in texts)
            and any(_WHOLE_WITH_POINT.fullmatch(text) for text in texts)
        )


def as_text(value: Any) -> str:
    """Returns a value as the ingest writes an id."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def json_list(text: str) -> list[Any] | None:
    """Returns the list that a text holds as JSON, or as Python writes it; else None.

    Example:
        >>> json_list('["a", "b"]'), json_list("['a', 'b']"), json_list("a")
        (['a', 'b'], ['a', 'b'], None)
    """
    text = text.strip()
    if not (text.startswith("[") and text.endswith("]")):
        return None
    for candidate in (text, text.replace("'", '"')):
        try:
            found = json.loads(candidate)
        except (ValueError, RecursionError):
            continue
        single = all(not isinstance(entry, (list, dict)) for entry in found)
        return [entry for entry in found if entry is not None] if single else None
    return None


def _usual(value: Any) -> Any:
    """Returns a value as text, number, boolean or list; None if it is missing."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "backslashreplace")
    if isinstance(value, str):
        return value or None
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, (list, tuple)):
        return [entry for entry in map(_usual, value) if entry is not None]
    if isinstance(value, int):
        return value
    try:
        number = float(value)
    except (TypeError, ValueError):
        return str(value)
    return None if math.isnan(number) else number


def _number(value: Any) -> float | None:
    """Returns a value as a number, NaN if it is missing, None if it is no number."""
    if value is None:
        return math.nan
    if isinstance(value, (bool, int, float)):
        return float(value)
    if isinstance(value, str):
        if _NUMBER.fullmatch(value):
            return float(value)
        if value.lower() in ("nan", *_BOOLEANS):
            return _BOOLEANS.get(value.lower(), math.nan)
    return None
