"""Conversion of what a graph raises to one of this project's errors."""

from __future__ import annotations

import contextlib
import re
import traceback
from collections.abc import Iterator
from pathlib import Path

from models import errors
from models.durable_files import FULL
from models.durable_files import NO_QUOTA
from models.durable_files import READ_ONLY
from models.durable_files import TOO_LARGE
from models.durable_files import advice_of
from models.durable_files import refusal
from models.errors import CrossctrError
from models.errors import DataError
from models.errors import ExitCode
from models.errors import StorageError
from pipeline.planning.steps import Step

_DISK_SAYS = {
    "no space left on device": FULL,
    "disk is full": FULL,
    "disk quota exceeded": NO_QUOTA,
    "file too large": TOO_LARGE,
    "read-only file system": READ_ONLY,
    "readonly database": READ_ONLY,
}


class UnexpectedError(CrossctrError):
    """Something failed that this project has no better word for."""

    headline = "Unexpected error"
    exit_code = ExitCode.UNFORESEEN


@contextlib.contextmanager
def readable_errors(step: Step, root: Path) -> Iterator[None]:
    """Turns what a graph raises into one of this project's errors.

    Args:
        step: The step whose graph runs.
        root: The configuration's `root`, under which a graph writes.

    Raises:
        CrossctrError: The graph failed; the traceback is in the log file.
    """
    try:
        yield
    except CrossctrError as error:
        _note_traceback()
        raise type(error)(f"{step.label}: {_without_beam(str(error))}") from error
    except Exception as error:
        _note_traceback()
        unwritable = _unwritable(error, root)
        if unwritable is not None:
            raise StorageError(f"{step.label}: {unwritable}") from error
        # Beam wraps what a worker raises into a RuntimeError that quotes it.
        quoted = re.search(r"models\.errors\.(\w+): (.+)", str(error))
        if quoted:
            kind = getattr(errors, quoted[1], DataError)
            raise kind(f"{step.label}: {_without_beam(quoted[2])}") from error
        first_line = (str(error).strip().splitlines() or [""])[0]
        raise UnexpectedError(
            f"{step.label}: {type(error).__name__}: {first_line}; the traceback is in "
            "the log file"
        ) from error


def _note_traceback() -> None:
    """Writes the traceback into the log file, which standard error is here."""
    # A full disk is what the traceback may be about.
    with contextlib.suppress(OSError):
        traceback.print_exc()


def _unwritable(error: BaseException, root: Path) -> str | None:
    """Returns which folder took no more, if that is what an error is about.

    Args:
        error: The error, which may have causes.
        root: The folder to name if none of them names a file.
    """
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in causes:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    said = " ".join(map(str, causes)).lower()
    folder = str(root)
    for one in causes:
        if isinstance(one, OSError) and one.filename and advice_of(one):
            folder = str(one.filename)
    # Beam, SQLite and TensorFlow repeat the system's answer in a text of theirs.
    found = [advice for words, advice in _DISK_SAYS.items() if words in said]
    if not found:
        return None
    return refusal(folder, found[0])


def _without_beam(message: str) -> str:
    return re.sub(r" \[while running .*", "", message, flags=re.DOTALL).strip()
