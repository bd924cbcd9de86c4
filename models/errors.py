"""Errors for users: a headline, what happened and how to fix it."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

# Number of list entries that a message shows.
_SHOWN = 5
# Characters of a value that a message shows: a path has fewer, a pasted file has more.
_MOST_OF_A_VALUE = 120
# Of an entry of a list, which may be a path.
_MOST_OF_AN_ENTRY = 300


def listed(entries: Iterable[object], first: int = _SHOWN) -> str:
    """Returns the first entries of a list as text, and the number of further ones.

    Example:
        >>> listed(["a", "b", "c"], first=2)
        'a, b and 1 more'
    """
    entries = list(entries)
    shown = ", ".join(
        shortened(str(entry), _MOST_OF_AN_ENTRY) for entry in entries[:first]
    )
    more = len(entries) - first
    return f"{shown} and {more:,} more" if more > 0 else shown


def shortened(text: str, most: int = 500) -> str:
    """Returns a text whose middle is left out if it is too long.

    The end stays, because it says what to do.

    Args:
        text: The text.
        most: Characters of it that stay.

    Example:
        >>> shortened("a" * 900 + "b" * 900, most=9)
        'aaaaaa ... (1,791 characters left out) ... bbb'
    """
    if len(text) <= most:
        return text
    first = most * 2 // 3
    left_out = f"({len(text) - most:,} characters left out)"
    return f"{text[:first]} ... {left_out} ... {text[first - most :]}"


def shown(value: object) -> str:
    """Returns a received value for a message, of bounded length.

    Example:
        >>> shown("x" * 10)
        "'xxxxxxxxxx'"
    """
    return shortened(repr(value), _MOST_OF_A_VALUE)


class ExitCode(IntEnum):
    """Exit codes of the commands; docs/how-to/commands.md describes the remedies."""

    DONE = 0
    # Unexpected error, with a traceback in the log file. `schema diff` returns the same
    # code if logs and schema differ, as `diff` does.
    UNFORESEEN = 1
    DIFFERENT = 1
    # Errors in configuration, data or arguments; click uses the same code.
    BAD_INPUT = 2
    SOME_STRATEGIES_FAILED = 3
    # EX_TEMPFAIL of sysexits.h: the same command may succeed later.
    TRY_AGAIN = 75
    # 128 and the signal's number, as shells report it.
    INTERRUPTED = 130


class CrossctrError(Exception):
    """Base of all errors that the command line prints without a traceback.

    The message says what happened (with the value), what was expected and how to fix
    it. `headline` names the kind of error in two or three words; the command returns
    `exit_code`.
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


class StoreError(CrossctrError):
    """An object store refuses a request, or has no such bucket or object."""

    headline = "Object store"


class StoreUnreachableError(StoreError):
    """An object store does not answer, or with an error of its own."""

    headline = "Object store not reachable"
    exit_code = ExitCode.TRY_AGAIN


class TrainingError(CrossctrError):
    """Training cannot continue."""

    headline = "Training stopped"
