"""Errors that are meant for people: a headline, what happened, how to fix it."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

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


class ExitCode(IntEnum):
    """Codes that commands end with; docs/daily-run.md says what to do about each."""

    DONE = 0
    # Something unforeseen, with a traceback in the log file. `schema diff` ends with
    # the same where logs and schema differ, as `diff` does.
    UNFORESEEN = 1
    DIFFERENT = 1
    # Configuration, data or arguments that a person can mend; click uses it, too.
    BAD_INPUT = 2
    SOME_STRATEGIES_FAILED = 3
    # EX_TEMPFAIL of sysexits.h: the same command may succeed later.
    TRY_AGAIN = 75


class CrossctrError(Exception):
    """Base of every error that the command line prints without a traceback.

    The message says what happened (with the value), what was expected and how to fix
    it. `headline` names the kind of trouble in two or three words; the command ends
    with `exit_code`.
    """

    headline = "Error"
    exit_code = ExitCode.BAD_INPUT


class ConfigError(CrossctrError):
    """The configuration file cannot be used."""

    headline = "Bad configuration"


class DataError(CrossctrError):
    """Logs or artifacts are missing, empty or of the wrong shape."""

    headline = "Bad data"


class StorageError(CrossctrError):
    """A folder that must be written cannot be: full, read-only or another user's."""

    headline = "Cannot write"


class TrainingError(CrossctrError):
    """Training cannot go on."""

    headline = "Training stopped"
