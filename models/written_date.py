"""Days in a configuration: dates written YYYY-MM-DD."""

from __future__ import annotations

import datetime
import re
from typing import Annotated
from typing import Any

from pydantic import BeforeValidator

# Far enough from the ends of the calendar for windows of any length.
YEARS = (1970, 2999)
_WRITTEN = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def read_date(text: Any) -> datetime.date:
    """Returns the date that `text` says.

    Raises:
        ValueError: It is not written YYYY-MM-DD, is no day of the calendar, or lies
            outside `YEARS`.
    """
    if not _WRITTEN.fullmatch(str(text)):
        raise ValueError("expected a date as YYYY-MM-DD")
    try:
        date = datetime.date.fromisoformat(str(text))
    except ValueError as error:
        raise ValueError(f"expected a day of the calendar: {error}") from error
    if not YEARS[0] <= date.year <= YEARS[1]:
        raise ValueError(f"expected a date in the years {YEARS[0]} to {YEARS[1]}")
    return date


# A day; not a time stamp, of which pydantic would make a date, too.
Date = Annotated[datetime.date, BeforeValidator(read_date)]
