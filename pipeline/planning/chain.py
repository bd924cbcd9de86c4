"""Chains of models that begin once and are continued, each on an earlier one.

Only what is stored counts, so a chain is planned from its beginning, and a day that was
run keeps its model though an earlier day is run later.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Protocol
from typing import TypeVar


class _Made(Protocol):
    @property
    def fingerprint(self) -> str: ...


M = TypeVar("M", bound=_Made)


def chain(
    day: int,
    stored: Mapping[str, int],
    begin: Callable[[int], M | None],
    go_on: Callable[[int, M], M | None],
) -> M | None:
    """Plans the model of `day`, which continues a chain of stored models.

    Args:
        day: The model's day.
        stored: Day of every stored model of the level, by fingerprint.
        begin: Plans the model of a day at the start of a chain; None if it cannot.
        go_on: Plans the model of a day that continues an earlier one.

    Returns:
        A model that is stored already, else one that continues the newest earlier
        model, else the start of a chain; None if no chain can start on this day.

    Example:
        >>> class Text(str):
        ...     fingerprint = property(str)
        >>> def begin(day):
        ...     return Text(f"{day}")
        >>> def go_on(day, past):
        ...     return Text(f"{past}>{day}")
        >>> chain(9, {}, begin, go_on)
        '9'
        >>> chain(9, {"5": 5, "5>7": 7, "8>9": 9}, begin, go_on)
        '5>7>9'
    """
    earlier: list[M] = []

    def ways(of: int) -> Iterator[M]:
        for past in reversed(earlier):
            next_one = go_on(of, past)
            if next_one is not None:
                yield next_one
        beginning = begin(of)
        if beginning is not None:
            yield beginning

    for past in sorted({known for known in stored.values() if known < day}):
        found = _first(way for way in ways(past) if way.fingerprint in stored)
        if found is not None:
            earlier.append(found)
    return _first(way for way in ways(day) if way.fingerprint in stored) or _first(
        ways(day)
    )


def _first(values: Iterable[M]) -> M | None:
    return next(iter(values), None)
