"""One line and an exit code for whatever a command raises."""

from __future__ import annotations

import errno
import tempfile
import traceback

from models.durable_files import advice_of
from models.errors import CrossctrError
from models.errors import shortened
from models.errors import shown
from pipeline.execution.readable_errors import UnexpectedError
from pipeline.terminal.plain_text import visible

# Characters of a line: all problems of a configuration are named in fewer.
_MOST_CHARACTERS = 20_000


class FileError(CrossctrError):
    """The operating system refuses to read or write a file."""

    headline = "Cannot read or write"


def as_ours(error: Exception) -> CrossctrError:
    """Returns what a command raised as an error of this project.

    The traceback of an error that nobody has foreseen is written to a file of its own
    in the folder for temporary files.

    Raises:
        OSError: The reader of the command's output is gone; click ends quietly.
    """
    if isinstance(error, CrossctrError):
        return error
    if isinstance(error, OSError):
        if error.errno == errno.EPIPE:
            raise error
        return FileError(_about_file(error))
    return UnexpectedError(
        f"{type(error).__name__}: {shortened(str(error))}; {_kept(error)}"
    )


def line_of(error: CrossctrError) -> str:
    """Returns the line that a command ends with: plain text of bounded length."""
    text = " ".join(f"{error.headline}: {error}".split())
    return visible(shortened(text, _MOST_CHARACTERS))


def _about_file(error: OSError) -> str:
    where = "" if error.filename is None else shown(str(error.filename))
    reason = error.strerror or str(error)
    advice = advice_of(error) or (
        "check what lies there and whether this user may read and write it"
    )
    return (
        f"{where + ': ' if where else ''}{shortened(reason)}; {advice}, and repeat the "
        "same command"
    )


def _kept(error: Exception) -> str:
    """Writes the traceback; returns where it is."""
    text = "".join(traceback.format_exception(error))
    try:
        with tempfile.NamedTemporaryFile(
            "w",
            prefix="crossctr-",
            suffix=".log",
            delete=False,
            encoding="utf-8",
            errors="backslashreplace",
        ) as file:
            file.write(text)
    except OSError as problem:
        return f"its traceback could not be written ({problem.strerror})"
    return f"the traceback is in {file.name}; please report it"
