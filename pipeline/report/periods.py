"""Periods of several days, which limit the number of points of a chart."""

from __future__ import annotations

from collections.abc import Mapping

from models.days import DayRange

MAX_POINTS = 60


def periods(days: DayRange, max_points: int = MAX_POINTS) -> list[DayRange]:
    """Returns at most `max_points` ranges of equal length that cover `days`.

    The last range may be shorter.
    """
    length = -(-len(days) // max_points)
    return [
        DayRange(first, min(first + length - 1, days.last))
        for first in range(days.first, days.last + 1, length)
    ]


def sums(values: Mapping[int, float], within: list[DayRange]) -> list[float | None]:
    """Returns the sum of each range; None if no day of it has a value."""
    found = []
    for days in within:
        inside = [value for day, value in values.items() if day in days]
        found.append(sum(inside) if inside else None)
    return found


def describe(within: list[DayRange]) -> str:
    """Returns the period of one point of a chart, in words."""
    length = len(within[0])
    return "per day" if length == 1 else f"per {length} days"
