"""Whatever a command raises is one line, a code, and at most one file."""

import errno
import json
import os
import tempfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from models.errors import ConfigError
from models.errors import ExitCode
from pipeline.cli.error_line import as_ours
from pipeline.cli.error_line import line_of
from pipeline.cli.group import main
from pipeline.config import load


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """Keeps tracebacks in a folder of the test."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "there is no space left; make room there"),
        (errno.EROFS, "it is read-only; mount it writable"),
        (errno.EACCES, "this user may not write there; change its owner or mode"),
        (errno.ENOTDIR, "check what lies there and whether this user may"),
    ],
    ids=errno.errorcode.get,
)
def test_the_systems_refusal_names_the_path_and_what_to_do(temporary, number, advice):
    ours = as_ours(OSError(number, os.strerror(number), "/srv/a\nb"))
    line = line_of(ours)
    assert line.startswith(f"Cannot read or write: '/srv/a\\nb': {os.strerror(number)}")
    assert advice in line
    assert ours.exit_code == ExitCode.BAD_INPUT
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("raised", [ZeroDivisionError("a\n b"), RecursionError("deep")])
def test_what_nobody_has_foreseen_keeps_its_traceback(temporary, raised):
    try:
        raise raised
    except type(raised) as error:
        ours = as_ours(error)
    line = line_of(ours)
    assert ours.exit_code == ExitCode.UNFORESEEN
    words = " ".join(str(raised).split())
    assert line.startswith(f"Unexpected error: {type(raised).__name__}: {words}; ")
    (kept,) = temporary.iterdir()
    assert str(kept) in line
    assert f"raise raised\n{type(raised).__name__}: {raised}" in kept.read_text()


def test_a_traceback_that_cannot_be_kept_is_said_to_be_lost(monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/proc/none")
    line = line_of(as_ours(ValueError("x")))
    assert "its traceback could not be written (No such file or directory)" in line


def test_a_reader_that_is_gone_is_no_error_of_ours():
    gone = BrokenPipeError(errno.EPIPE, "Broken pipe")
    with pytest.raises(BrokenPipeError) as raised:
        as_ours(gone)
    assert raised.value is gone


def test_a_line_is_one_line_of_text_with_a_bound():
    error = ConfigError("a\nb\x1b[2J " + "x" * 10**6 + "; mend it")
    assert as_ours(error) is error
    line = line_of(error)
    assert line.startswith("Bad configuration: a b\\x1b[2J xxx")
    assert line.endswith("x; mend it")
    assert len(line) < 21_000


@pytest.mark.parametrize(
    ("raised", "code", "start"),
    [
        (KeyError("x"), 1, "Unexpected error: KeyError: 'x'; the traceback is in "),
        (PermissionError(13, "Permission denied", "/srv/a"), 2, "Cannot read or write"),
        (json.JSONDecodeError("odd", "{", 0), 1, "Unexpected error: JSONDecodeError"),
    ],
)
def test_a_command_ends_with_the_line_and_the_code(monkeypatch, raised, code, start):
    def refuse(_config):
        raise raised

    monkeypatch.setattr(load, "_refuse_huge_numbers", refuse)
    config = Path(__file__).parents[3] / "configs" / "xmarket.yaml"
    result = CliRunner().invoke(main, ["show", str(config)])
    assert result.exit_code == code
    (line,) = result.output.splitlines()
    assert line.startswith(start)
