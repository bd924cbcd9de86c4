"""Commands run in the test's process as if from the shell.

TFX takes seconds to be imported, once a process. A run writes its progress to the file
descriptors themselves, which click's own runner does not see.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from subprocess import CompletedProcess
from typing import IO

from pipeline.cli.group import main


def run_here(*arguments: str) -> CompletedProcess[str]:
    """Runs `crossctr` with arguments; returns its exit code and what it wrote."""
    code = 0
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        with (
            _sent_to(1, out) as stdout,
            _sent_to(2, err) as stderr,
            contextlib.redirect_stdout(stdout),
            contextlib.redirect_stderr(stderr),
        ):
            try:
                main.main(list(arguments), prog_name="crossctr")
            except SystemExit as ended:
                code = int(ended.code or 0)
        out.seek(0)
        err.seek(0)
        return CompletedProcess(arguments, code, out.read(), err.read())


@contextlib.contextmanager
def _sent_to(descriptor: int, file: IO[str]) -> Iterator[IO[str]]:
    """Sends what is written to a descriptor into a file; yields a stream on it."""
    before = os.dup(descriptor)
    os.dup2(file.fileno(), descriptor)
    try:
        with os.fdopen(os.dup(descriptor), "w") as stream:
            yield stream
    finally:
        os.dup2(before, descriptor)
        os.close(before)
