"""Lock of a root: one command at a time."""

import json
import os
import signal
import subprocess
import sys

import pytest

from pipeline.execution.lock import LOCK_FILE
from pipeline.execution.lock import LockedError
from pipeline.execution.lock import hold
from tests.pipeline.execution.holder import HOLDER


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock on `tmp_path`."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_the_second_says_who_holds_the_root_and_since_when(tmp_path, holder):
    since = json.loads((tmp_path / LOCK_FILE).read_text())["since"]
    with (
        pytest.raises(LockedError) as refused,
        hold(tmp_path, "crossctr backfill x.yaml"),
    ):
        pass
    assert f"`crossctr run x.yaml --day 2024-02-23` (process {holder.pid} of" in str(
        refused.value
    )
    assert f"since {since}" in str(refused.value)
    assert refused.value.exit_code == 75


def test_a_killed_process_leaves_no_lock(tmp_path, holder):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with hold(tmp_path, "crossctr run y.yaml"):
        assert json.loads((tmp_path / LOCK_FILE).read_text())["pid"] == os.getpid()


def test_a_root_is_free_again_once_its_command_ended_badly(tmp_path):
    root = tmp_path / "runs" / "x"
    with pytest.raises(ZeroDivisionError), hold(root, "crossctr run"):
        raise ZeroDivisionError
    assert not root.exists()
    with hold(root, "crossctr run"):
        (root / "artifact").touch()
    assert (root / LOCK_FILE).read_text() == ""


def test_what_a_process_holds_it_may_hold_again(tmp_path):
    with hold(tmp_path, "crossctr run y.yaml"):
        with hold(tmp_path, "crossctr compare y.yaml"):
            pass
        assert json.loads((tmp_path / LOCK_FILE).read_text())["pid"] == os.getpid()
    assert not (tmp_path / LOCK_FILE).exists()
