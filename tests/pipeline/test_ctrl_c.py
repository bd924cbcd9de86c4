"""Ctrl-C sent to real processes: what they say, what is left, and how they go on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from tests.misuse.world import build

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
DAY = ("--day", "2024-03-01")
# By command: its options, and what its last line says of going on.
WAITING = {
    "run": (DAY, "finished steps are kept and the live model is as it was"),
    "ingest": (("--to", "2024-03-01"), "finished blocks of days are kept"),
    "backfill": (
        ("--from", "2024-02-29", "--to", "2024-03-01"),
        "0 of 2 days are done, listed in ",
    ),
    "compare": (DAY, "finished trainings are kept"),
    "tune": ((*DAY, "--origins", "1"), "finished trials are kept"),
}


def started(*words, log):
    """Starts a command whose output goes to a file, as at a terminal's foreground."""
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline", *map(str, words)],
        stdout=log.open("w"),
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def stop_when(process, condition, *, seconds=240):
    """Sends SIGINT once a condition holds; returns the exit code."""
    until = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, "it ended before it could be stopped"
        assert time.monotonic() < until, "it did not come so far"
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    return process.wait(timeout=120)


def last_line(log):
    lines = log.read_text().splitlines()
    assert not [line for line in lines if "Traceback" in line]
    return lines[-1]


@pytest.mark.parametrize("command", WAITING)
def test_a_command_that_waits_is_stopped_with_a_sentence(command, tmp_path):
    options, goes_on = WAITING[command]
    world, log = tmp_path / "world", tmp_path / "log"
    row = {
        "set": {
            "missing_days": {"ads": "wait"},
            "wait": {"minutes": 9},
            "levels.cpm.every_days": 1,
        },
        "remove": ["logs/ads/date=2024-02-28/part-0.csv"],
    }
    build(world, row)
    process = started(command, world / "config.yaml", *options, log=log)
    code = stop_when(process, lambda: "Waiting for the logs" in log.read_text())
    line = last_line(log)
    assert line.startswith("Stopped: ")
    assert goes_on in line
    assert "the same command" in line
    assert code == 130
    # The root is free again.
    locks = [path.read_text() for path in world.glob("runs/**/lock.json")]
    assert set(locks) <= {""}


@pytest.mark.parametrize(
    ("command", "config", "goes_on"),
    [
        ("import", "xmarket", "complete domains are kept"),
        ("simulate", "feeds_ads", "whole days are kept"),
    ],
)
def test_logs_that_are_written_are_whole_or_not_there(
    command, config, goes_on, tmp_path
):
    settings = yaml.safe_load((ROOT / "configs" / f"{config}.yaml").read_text())
    settings.pop("tuned", None)
    settings |= {
        "root": str(tmp_path / "runs"),
        "logs": str(tmp_path / "logs"),
        "schema": str(ROOT / "schema" / f"{config}.pbtxt"),
        "serving": {"directory": str(tmp_path / "serving")},
    }
    if command == "import":
        settings["import"]["data"] = str(ROOT / "data" / "xmarket")
    else:
        settings["simulate"]["truth"] = str(tmp_path / "truth")
    path, log = tmp_path / "config.yaml", tmp_path / "log"
    path.write_text(yaml.safe_dump(settings))
    process = started(command, path, log=log)
    written = tmp_path / "logs"
    code = stop_when(process, lambda: any(written.rglob("*.parquet")))
    line = last_line(log)
    assert line.startswith("Stopped: ")
    assert goes_on in line
    assert code == 130
    assert not (tmp_path / "runs").exists()


def test_a_run_that_is_stopped_in_a_step_goes_on_and_answers_in_json(tmp_path):
    world, log = tmp_path / "world", tmp_path / "log"
    build(world, {"set": {"references": {"rows": 0}}})
    words = ("run", world / "config.yaml", *DAY, "--json")
    process = started(*words, log=log)
    # The second block, the evaluation's, has begun: the first is kept.
    code = stop_when(process, lambda: "2/3 ingest" in log.read_text(), seconds=500)
    text = log.read_text()
    stopped = next(ln for ln in text.splitlines() if ln.startswith("Stopped: "))
    assert "1 of 3 steps are done, and `ingest 2024-03-01..2024-03-01` was" in stopped
    document = json.loads(text[text.index("\n{\n") :])
    assert code == document["exit_code"] == 130
    assert document["error"]["headline"] == "Stopped"
    again = subprocess.run(
        [sys.executable, "-m", "pipeline", *map(str, words)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert again.returncode == 0, again.stderr
    # Nothing but the document, though TFX, Beam and TensorFlow have run.
    document = json.loads(again.stdout)
    (result,) = document["results"]
    assert result["strategy"] == "target_only"
    assert 0 <= result["metrics"]["auc"] <= 1
    assert "1/3 ingest 2024-02-28..2024-02-29            reused" in again.stderr
