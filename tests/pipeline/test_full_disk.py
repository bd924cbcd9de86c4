"""A disk that fills up in the middle of the work: named, and the same completes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[2]
OWN_MOUNTS = ["unshare", "--map-root-user", "--mount"]


def may_mount(folder):
    """Whether a process here may have file systems of its own."""
    mount = ["mount", "-t", "tmpfs", "tmpfs", str(folder)]
    try:
        tried = subprocess.run([*OWN_MOUNTS, *mount], capture_output=True, check=False)
    except FileNotFoundError:
        return False
    return tried.returncode == 0


def test_each_stage_names_the_disk_and_the_same_command_completes(tmp_path):
    if not may_mount(tmp_path):
        pytest.skip("the system lets nobody here mount a file system in memory")
    child = [sys.executable, "-m", "tests.pipeline.full_disk", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    ran = subprocess.run(
        [*OWN_MOUNTS, *child],
        capture_output=True,
        text=True,
        cwd=PROJECT,
        env=environment,
        check=False,
    )
    lines = [line for line in ran.stdout.splitlines() if line.startswith('{"disk"')]
    trials = [json.loads(line) for line in lines]
    assert len(trials) == 8, ran.stderr[-2000:]
    for trial in trials:
        *_, last = trial["lines"]
        whole = trial["serving"]["versions"]
        if not trial["stage"]:
            assert trial["code"] == 0, last
            continue
        assert trial["code"] == 2, trial
        assert last.startswith("Cannot write: "), trial
        assert f"cannot write in '{tmp_path / trial['disk']}" in last
        assert "there is no space left" in last
        assert whole == {}
    # Each later stage is reached only if what was done before is kept.
    by_stage = {trial["stage"]: trial["lines"][-1] for trial in trials}
    assert "training" not in by_stage["Transform"]
    (names,) = trials[-1]["serving"]["versions"].values()
    assert {"saved_model.pb", "variables"} <= set(names)
    assert trials[-1]["serving"]["labels"]
