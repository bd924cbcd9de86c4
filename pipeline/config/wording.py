"""Texts shared by several checks of the configuration."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from collections.abc import Sequence


def check_one_of(key: str, value: str, allowed: Sequence[str]) -> None:
    """Raises `ValueError` unless `value` is allowed; names the closest match."""
    if value not in allowed:
        raise ValueError(
            f"{key}: {value!r} is not one of {', '.join(allowed)}"
            f"{closest(value, allowed)}"
        )


def closest(value: str, allowed: Iterable[str]) -> str:
    """Returns `; did you mean '...'?`, or an empty text if no name is close."""
    match = difflib.get_close_matches(value, list(allowed), n=1)
    return f"; did you mean {match[0]!r}?" if match else ""
