"""Output of a command: text for people, or with `--json` one document for machines."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import errno
import json
import math
import sys
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from enum import Enum
from pathlib import Path
from typing import Any
from typing import NoReturn

import click

from models.errors import ExitCode


@dataclass
class Output:
    """What the command line was asked to print, and the answer so far.

    Attributes:
        quiet: Print nothing but the result and warnings.
        as_json: Print one JSON document.
        document: The command's own keys of that document.
    """

    quiet: bool = False
    as_json: bool = False
    document: dict[str, Any] = field(default_factory=dict)


def output() -> Output:
    """Returns the output of the running command."""
    return click.get_current_context().ensure_object(Output)


def answer(document: Mapping[str, Any]) -> None:
    """Sets the command's keys of the JSON document, which is printed when it ends."""
    output().document = dict(document)


def json_on_standard_output(run: Callable[[Output], object]) -> NoReturn:
    """Runs a command line, prints its JSON document and exits.

    Whatever the command prints meanwhile goes to standard error. The document has the
    keys of the command and always `error` and `exit_code`, see docs/commands.md.

    Args:
        run: Runs the command line; raises click's exceptions instead of exiting.
    """
    asked, error = Output(as_json=True), None
    with contextlib.redirect_stdout(sys.stderr):
        try:
            run(asked)
            code = int(ExitCode.DONE)
        except click.ClickException as raised:
            raised.show()
            code = raised.exit_code
            error = _described(raised)
        except click.Abort:
            code = int(ExitCode.INTERRUPTED)
            error = {"headline": "Stopped", "message": "stopped before it began"}
    document = {**asked.document, "error": error, "exit_code": code}
    text = json.dumps(plain_json(document), indent=1, allow_nan=False)
    try:
        click.echo(text)
    except OSError as broken:
        if broken.errno != errno.EPIPE:
            raise
        # The reader is gone: nothing is left to be said, not even at exit.
        sys.stdout = None  # type: ignore[assignment]
    sys.exit(code)


def _described(raised: click.ClickException) -> dict[str, str]:
    headline, _, message = raised.format_message().partition(": ")
    if isinstance(raised, click.UsageError):
        headline, message = "Bad arguments", raised.format_message()
    return {"headline": headline, "message": message}


def plain_json(value: Any) -> Any:
    """Returns a value as JSON has it; NaN and infinity, which it lacks, as null.

    Example:
        >>> plain_json({"auc": float("nan"), "days": (datetime.date(2024, 3, 1),)})
        {'auc': None, 'days': ['2024-03-01']}
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {one.name: plain_json(getattr(value, one.name)) for one in fields}
    if isinstance(value, Mapping):
        return {str(key): plain_json(one) for key, one in value.items()}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str) or value is None:
        return value
    if isinstance(value, Path | datetime.date):
        return str(value)
    if isinstance(value, Sequence):
        return [plain_json(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
