"""What a graph raises becomes one line that names what to do."""

import errno
import os
from pathlib import Path

import pytest

from models.errors import DataError
from models.errors import StorageError
from models.errors import StoreUnreachableError
from pipeline.execution.readable_errors import UnexpectedError
from pipeline.execution.readable_errors import readable_errors
from tests.pipeline.planning.worlds import make_config
from tests.pipeline.planning.worlds import planner

ROOT = Path("/data/runs")
STEP = planner(make_config()).run(4, ["target_only"])[0]


def raised(error):
    with pytest.raises(Exception) as found, readable_errors(STEP, ROOT):  # noqa: PT011
        raise error
    return found.value


def caused(text, cause):
    error = RuntimeError(text)
    error.__cause__ = cause
    return error


FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/data/serving/x")


@pytest.mark.parametrize(
    ("error", "folder", "advice"),
    [
        pytest.param(FULL, "/data/serving/x", "no space left", id="the system"),
        pytest.param(caused("step", FULL), "/data/serving/x", "no space", id="a cause"),
        pytest.param(
            RuntimeError("OSError: [Errno 28] No space left on device [while running"),
            "/data/runs",
            "no space left",
            id="Beam",
        ),
        pytest.param(
            RuntimeError("database or disk is full"), "/data/runs", "no sp", id="SQLite"
        ),
        pytest.param(
            RuntimeError("attempt to write a readonly database"),
            "/data/runs",
            "read-only",
            id="SQLite, read-only",
        ),
    ],
)
def test_a_disk_that_takes_no_more_is_named(error, folder, advice):
    found = raised(error)
    assert isinstance(found, StorageError)
    assert f"cannot write in {folder!r}" in str(found)
    assert advice in str(found)
    assert "repeat the same command" in str(found)


def test_our_own_errors_keep_their_kind_and_get_the_steps_name():
    found = raised(DataError("no row"))
    assert isinstance(found, DataError)
    assert str(found) == f"{STEP.label}: no row"


def test_anything_else_names_its_type_and_where_the_traceback_is():
    found = raised(ValueError("odd\nsecond line"))
    assert isinstance(found, UnexpectedError)
    assert "ValueError: odd; the traceback is in the log file" in str(found)


@pytest.mark.parametrize("kind", [DataError, StoreUnreachableError])
def test_what_another_process_raised_keeps_its_kind(kind):
    quoted = f"Traceback:\nmodels.errors.{kind.__name__}: no row [while running 'x']"
    found = raised(RuntimeError(quoted))
    assert type(found) is kind
    assert str(found) == f"{STEP.label}: no row"
