"""Trial backfill: a small simulated world, its configuration and the command."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from benchmarks.kill_ingest import ROOT
from models.days import to_date
from pipeline.config.load import load_config

DAY_DONE = re.compile(r"^(\d+)/\d+ \d{4}-\d\d-\d\d · ", re.MULTILINE)


def write_trial(folder: Path, num_days: int) -> None:
    """Writes tiny logs and a configuration with `num_days` days to run."""
    # One day of history, and one to evaluate the last model on.
    arguments = ["-m", "tests.orchestration.trial", str(folder), str(num_days + 2)]
    subprocess.run([sys.executable, *arguments], check=True, cwd=ROOT)


def backfill_arguments(folder: Path, num_days: int) -> list[str]:
    """Returns the arguments of a backfill of the days `write_trial` wrote."""
    config = load_config(folder / "config.yaml")
    first, last = to_date(config.first + 1), to_date(config.first + num_days)
    path = str(folder / "config.yaml")
    return ["backfill", path, "--from", str(first), "--to", str(last)]
