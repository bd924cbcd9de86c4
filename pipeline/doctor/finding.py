"""Finding of a check: what is as it should be, what is odd, what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from models.errors import CrossctrError


class Status(Enum):
    """How bad a finding is: a problem stops a command, a warning may."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """Finding of a check.

    Attributes:
        part: What was looked at, such as `packages`.
        status: How bad it is.
        text: What was found, with the value.
        fix: What to do; empty if there is nothing to do.
    """

    part: str
    status: Status
    text: str
    fix: str = ""


def ok(part: str, text: str) -> Finding:
    """Returns a finding with nothing to do."""
    return Finding(part, Status.OK, text)


def warning(part: str, text: str, fix: str) -> Finding:
    """Returns a finding that may stop a command."""
    return Finding(part, Status.WARNING, text, fix)


def problem(part: str, text: str, fix: str = "") -> Finding:
    """Returns a finding that stops a command."""
    return Finding(part, Status.PROBLEM, text, fix)


def refused(part: str, error: CrossctrError) -> Finding:
    """Returns the problem that an error names; its message says what to do, too."""
    return problem(part, f"{error.headline}: {error}")


def guarded(part: str, check: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """Yields the findings of a check, and what it raises as a problem."""
    try:
        yield from check()
    except CrossctrError as error:
        yield refused(part, error)
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        yield problem(part, f"{name}{error.strerror or error}", "make it readable")
