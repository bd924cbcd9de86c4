"""Check under a real Airflow: parse time, three days by catchup, a killed task.

    make check-airflow

Airflow's scheduler runs in an environment of its own; crossctr in the one that this
script is started with. One task is killed, and Airflow has to start it again.
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

from models.days import to_date
from tests.orchestration import trial

DAG = "crossctr_feeds_ads"
DAYS = 3
# Airflow's own modules are there already when it parses a file. Busy machines make wall
# time tell little, so processor time is measured, too.
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
    """Prints what was seen and one line of JSON; 0 if all was as it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("airflow", type=Path, help="bin folder of Airflow's venv")
    parser.add_argument("--minutes", type=float, default=40)
    parser.add_argument(
        "--command", help="instead of crossctr, to see how Airflow starts it"
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
    """Returns what Airflow showed."""
    trial.write(folder, DAYS + 2)
    dags = folder / "dags"
    dags.mkdir()
    source = Path(__file__).parents[2] / "pipeline" / "orchestrators" / "airflow_dag.py"
    (dags / source.name).symlink_to(source)
    environment = {
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

    def call(*command: str) -> str:
        # Airflow's own environment has nothing of crossctr on its path.
        own = {k: v for k, v in environment.items() if k != "PYTHONPATH"}
        return subprocess.run(
            command, env=own, cwd=folder, capture_output=True, text=True, check=True
        ).stdout

    call("airflow", "db", "migrate")
    parsed = json.loads(call("python", "-c", _PARSE).strip().splitlines()[-1])
    print(
        f"Airflow {parsed['version']} parsed the file in {parsed['seconds']:.2f} s, "
        f"{parsed['cpu_seconds']:.2f} s of the processor",
        flush=True,
    )
    killed, runs, tries, message = False, {}, {}, ""
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
            finished = [s for s in runs.values() if s in ("success", "failed")]
            if len(finished) >= DAYS:
                break
        for log in (folder / "airflow" / "logs").rglob("attempt=*.log"):
            run, task = re.search(r"run_id=(.+?)/task_id=(\w+)", str(log)).groups()
            key = f"{run[-25:-15]} {task}"
            tries[key] = tries.get(key, 0) + 1
            text = log.read_text()
            for line in text.splitlines():
                if "AirflowException: `" in line:
                    message = line.split("AirflowException: ")[1]
    finally:
        os.killpg(scheduler.pid, signal.SIGTERM)
        scheduler.wait(60)
    again = {key: count for key, count in tries.items() if count > 1}
    print(f"tries of the tasks: {tries}\nfailure message: {message}")
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


def _runs(database: Path) -> dict[str, str]:
    """Returns the state of each day's run; asking Airflow takes seconds each time."""
    with contextlib.closing(
        sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    ) as db:
        found = db.execute("SELECT execution_date, state FROM dag_run").fetchall()
    return {date[:10]: state for date, state in found}


def _kill(folder: Path) -> bool:
    """Kills the first ingest as soon as it runs; True if it did."""
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
