"""Check under a real Airflow: parse time, three days by catchup, a killed task.

    make check-airflow

Airflow's scheduler runs in its own environment; crossctr in the environment of this
script. One task is killed, and Airflow must start it again.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from models.days import to_date
from tests.orchestration import trial

DAG = "crossctr_feeds_ads"
DAYS = 3
# Airflow's own modules are imported before the clock starts, as in its processes. CPU
# time is measured, too, because wall time depends on the load.
_PARSE = """
import json
import time
import airflow
from airflow import DAG
from airflow.models import BaseOperator, DagBag
start = time.process_time()
bag = DagBag(include_examples=False)
print(json.dumps({
    "dags": sorted(bag.dag_ids),
    "errors": bag.import_errors,
    "version": airflow.__version__,
    "cpu_seconds": time.process_time() - start,
    "seconds": sum(file.duration.total_seconds() for file in bag.dagbag_stats),
}))
"""


def main() -> int:
    """Prints the observations and one line of JSON; returns 0 if the check passed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("airflow", type=Path, help="bin folder of Airflow's venv")
    parser.add_argument("--minutes", type=float, default=40)
    parser.add_argument(
        "--command", help="program to run instead of crossctr, to test Airflow alone"
    )
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="check-airflow-"))
    try:
        seen = check(
            options.airflow.resolve(), folder, options.minutes * 60, options.command
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(seen))
    return 0 if seen["passed"] else 1


def check(
    airflow: Path, folder: Path, limit: float, command: str | None
) -> dict[str, object]:
    """Runs the days under Airflow and returns the observations.

    Args:
        airflow: Folder `bin` of Airflow's environment.
        folder: Working folder.
        limit: Seconds after which the check ends.
        command: Program to run instead of crossctr.
    """
    trial.write(folder, DAYS + 2)
    environment = _environment(airflow, folder, command)
    parsed = _parse(environment, folder)
    killed, runs = _schedule(environment, folder, limit)
    tries = _tries(folder)
    again = {key: count for key, count in tries.items() if count > 1}
    print(f"tries of the tasks: {tries}")
    days = [str(to_date(trial.START + n)) for n in range(DAYS)]
    succeeded = [day for day in days if runs.get(day) == "success"]
    serving = folder / "serving" / "feeds_ads"
    published = sorted(path.name for path in serving.glob("*"))
    return {
        "passed": parsed["dags"] == [DAG]
        and not parsed["errors"]
        and parsed["cpu_seconds"] < 2
        and succeeded == days
        and killed
        and list(again.values()) == [2],
        "airflow": parsed["version"],
        "parse_seconds": round(parsed["seconds"], 3),
        "parse_cpu_seconds": round(parsed["cpu_seconds"], 3),
        "days": succeeded,
        "retried": again,
        "published": published,
    }


def _environment(airflow: Path, folder: Path, command: str | None) -> dict[str, str]:
    """Links the DAG file; returns the scheduler's environment variables."""
    dags = folder / "dags"
    dags.mkdir()
    source = Path(__file__).parents[2] / "pipeline" / "orchestrators" / "airflow_dag.py"
    (dags / source.name).symlink_to(source)
    return {
        **os.environ,
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__SCHEDULER__MIN_FILE_PROCESS_INTERVAL": "2",
        "CROSSCTR": command or f"{sys.executable} -m pipeline",
        "CROSSCTR_CONFIGS": str(folder / "config.yaml"),
        "CROSSCTR_START": str(to_date(trial.START)),
        "CROSSCTR_RETRY_SECONDS": "2",
        "PATH": f"{airflow}:{os.environ['PATH']}",
    }


def _parse(environment: dict[str, str], folder: Path) -> dict[str, Any]:
    """Creates Airflow's database and parses the DAG file; returns `_PARSE`'s output."""
    # Airflow's own environment has nothing of crossctr on its path.
    own = {k: v for k, v in environment.items() if k != "PYTHONPATH"}
    for command in (["airflow", "db", "migrate"], ["python", "-c", _PARSE]):
        done = subprocess.run(
            command, env=own, cwd=folder, capture_output=True, text=True, check=True
        )
    parsed: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    print(
        f"Airflow {parsed['version']} parsed the file in {parsed['seconds']:.2f} s, "
        f"{parsed['cpu_seconds']:.2f} s of CPU time",
        flush=True,
    )
    return parsed


def _schedule(
    environment: dict[str, str], folder: Path, limit: float
) -> tuple[bool, dict[str, str]]:
    """Runs the scheduler until all days have ended, and kills the first ingest.

    Returns:
        Whether an ingest was killed, and the state of each day's run.
    """
    killed, runs = False, {}
    scheduler = subprocess.Popen(
        ["airflow", "scheduler"],
        env=environment,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        end = time.monotonic() + limit
        while time.monotonic() < end:
            time.sleep(2)
            killed = killed or _kill(folder)
            now = _runs(folder / "airflow" / "airflow.db")
            if now != runs:
                print({day: now[day] for day in sorted(now)}, flush=True)
            runs = now
            if sum(state in ("success", "failed") for state in runs.values()) >= DAYS:
                break
    finally:
        os.killpg(scheduler.pid, signal.SIGTERM)
        scheduler.wait(60)
    return killed, runs


def _tries(folder: Path) -> dict[str, int]:
    """Returns the number of tries of each day's tasks; prints failure messages."""
    tries: dict[str, int] = {}
    for log in (folder / "airflow" / "logs").rglob("attempt=*.log"):
        found = re.search(r"run_id=(.+?)/task_id=(\w+)", str(log))
        assert found is not None
        run, task = found.groups()
        key = f"{run[-25:-15]} {task}"
        tries[key] = tries.get(key, 0) + 1
        for line in log.read_text().splitlines():
            if "AirflowException: `" in line:
                print(f"failure message: {line.split('AirflowException: ')[1]}")
    return tries


def _runs(database: Path) -> dict[str, str]:
    """Returns the state of each day's run, from the database: the CLI is slow."""
    with contextlib.closing(
        sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    ) as db:
        found = db.execute("SELECT execution_date, state FROM dag_run").fetchall()
    return {date[:10]: state for date, state in found}


def _kill(folder: Path) -> bool:
    """Kills an ingest if one is running; returns whether it did."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if str(folder / "config.yaml") in words and "ingest" in words:
            time.sleep(3)
            try:
                os.kill(int(path.parent.name), signal.SIGKILL)
            except ProcessLookupError:
                return False
            print(f"killed: {' '.join(words[-7:])}", flush=True)
            return True
    return False


if __name__ == "__main__":
    sys.exit(main())
