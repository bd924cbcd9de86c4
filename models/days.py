"""Days and ranges of days.

A day is the number of days since 1970-01-01 (UTC), which is also the TFX span. A range
of days is closed at both ends.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass

_EPOCH = datetime.date(1970, 1, 1)


def to_day(date: datetime.date) -> int:
    """Returns `date` as days since 1970-01-01."""
    return (date - _EPOCH).days


def to_date(day: int) -> datetime.date:
    """Returns the date of `day`, days since 1970-01-01."""
    return _EPOCH + datetime.timedelta(days=day)


@dataclass(frozen=True, order=True)
class DayRange:
    """The days `first` to `last`, both included."""

    first: int
    last: int

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise ValueError(
                f"a range of days must not end before it starts; received "
                f"{to_date(self.first)} to {to_date(self.last)}"
            )

    def __len__(self) -> int:
        return self.last - self.first + 1

    def __contains__(self, day: int) -> bool:
        return self.first <= day <= self.last

    def __str__(self) -> str:
        return f"{to_date(self.first)}..{to_date(self.last)}"

    def overlaps(self, other: DayRange) -> bool:
        """Whether the two ranges share a day."""
        return self.first <= other.last and other.first <= self.last
