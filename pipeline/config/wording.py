"""Texts shared by several checks of the configuration."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from collections.abc import Sequence

from models.errors import listed
from models.errors import shortened
from models.errors import shown

# Characters that are compared: what is longer resembles no name.
_MOST = 200


def check_one_of(key: str, value: str, allowed: Sequence[str]) -> None:
    """Raises `ValueError` unless `value` is allowed; names the closest match."""
    if value not in allowed:
        raise ValueError(
            f"{shortened(key, 200)}: {shown(value)} is not one of "
            f"{listed(allowed, first=50)}{closest(value, allowed)}"
        )


def closest(value: str, allowed: Iterable[str]) -> str:
    """Returns `; did you mean '...'?`, or an empty text if no name is close."""
    match = difflib.get_close_matches(value[:_MOST], list(allowed), n=1)
    return f"; did you mean {match[0]!r}?" if match else ""
