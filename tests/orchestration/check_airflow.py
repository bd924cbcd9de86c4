"""Runs the DAG under a real Airflow: parse time, three days by catchup, a killed task.

    make check-airflow

Airflow's scheduler runs in an environment of its own; crossctr in the one that this
script is started with. One task is killed, and Airflow has to start it again.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from models.days import to_date
from tests.orchestration import trial

DAG = "crossctr_feeds_ads"
DAYS = 3
_PARSE = """
import json
from airflow.models import DagBag
bag = DagBag(include_examples=False)
print(json.dumps({
    "dags": sorted(bag.dag_ids),
    "errors": bag.import_errors,
    "seconds": sum(file.duration.total_seconds() for file in bag.dagbag_stats),
}))
"""


def main() -> int:
    """Prints what was seen and one line of JSON; 0 if all was as it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("airflow", type=Path, help="bin folder of Airflow's venv")
    parser.add_argument("--minutes", type=float, default=40)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="check-airflow-"))
    try:
        seen = check(options.airflow.resolve(), folder, options.minutes * 60)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(seen))
    return 0 if seen["passed"] else 1


def check(airflow: Path, folder: Path, limit: float) -> dict[str, object]:
    """Returns what Airflow showed."""
    trial.write(folder, DAYS + 2)
    dags = folder / "dags"
    dags.mkdir()
    source = Path(__file__).parents[2] / "pipeline" / "airflow_dag.py"
    shutil.copy(source, dags)
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__SCHEDULER__MIN_FILE_PROCESS_INTERVAL": "2",
        "CROSSCTR": f"{sys.executable} -m pipeline",
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

    version = call("airflow", "version").strip().splitlines()[-1]
    call("airflow", "db", "migrate")
    parsed = json.loads(call("python", "-c", _PARSE).strip().splitlines()[-1])
    print(f"Airflow {version} parsed the file in {parsed['seconds']:.2f} s")
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
            if int(time.monotonic()) % 5:
                continue
            found = json.loads(
                call("airflow", "dags", "list-runs", "-d", DAG, "-o", "json") or "[]"
            )
            now = {run["execution_date"][:10]: run["state"] for run in found}
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
    published = sorted(path.name for path in serving.iterdir())
    return {
        "passed": parsed["dags"] == [DAG]
        and not parsed["errors"]
        and parsed["seconds"] < 2
        and succeeded == days
        and killed
        and list(again.values()) == [2],
        "airflow": version,
        "parse_seconds": round(parsed["seconds"], 3),
        "days": succeeded,
        "retried": again,
        "published": published,
    }


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
