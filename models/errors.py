"""Errors that are meant for people: a headline, what happened, how to fix it."""

from __future__ import annotations

from collections.abc import Iterable

# Entries of a list that a message shows.
_SHOWN = 5


def listed(entries: Iterable[object], first: int = _SHOWN) -> str:
    """Returns the first entries of a list as text, and how many more there are.

    Example:
        >>> listed(["a", "b", "c"], first=2)
        'a, b and 1 more'
    """
    entries = list(entries)
    shown = ", ".join(str(entry) for entry in entries[:first])
    more = len(entries) - first
    return f"{shown} and {more:,} more" if more > 0 else shown


class CrossctrError(Exception):
    """Base of every error that the command line prints without a traceback.

    The message says what happened (with the value), what was expected and how to fix
    it. `headline` names the kind of trouble in two or three words; the command ends
    with `exit_code`.
    """

    headline = "Error"
    exit_code = 2


class ConfigError(CrossctrError):
    """The configuration file cannot be used."""

    headline = "Bad configuration"


class DataError(CrossctrError):
    """Logs or artifacts are missing, empty or of the wrong shape."""

    headline = "Bad data"


class TrainingError(CrossctrError):
    """Training cannot go on."""

    headline = "Training stopped"
