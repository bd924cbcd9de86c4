"""Check of Apache Flink: a day with Beam's FlinkRunner, equal to the run in memory.

    python -m tests.orchestration.check_flink [--rows 1000000] [--job-server JAR]

`make check-flink` runs it. What runs and what is compared: docs/how-to/flink.md.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

import click
import pyarrow as pa
import yaml

from benchmarks import simulated_logs
from models.data.arrow_files import pq
from tests.orchestration import flink_results
from tests.orchestration import servers
from tests.orchestration.flink_cluster import SLOTS
from tests.orchestration.flink_cluster import SessionCluster
from tests.orchestration.flink_cluster import fetch_job_server
from tests.orchestration.flink_cluster import fetch_libraries
from tests.ports import free_port

_JARS = servers.ROOT / "build" / "flink"
# A task manager is killed when a job has run for this share of the time that it took
# undisturbed.
_KILL_AT = 0.6
# Every so many-th impression has no label and must be quarantined.
_BAD_EVERY = 1_000


@click.command()
@click.option("--rows", default=1_000_000, show_default=True, help="Rows of the day.")
@click.option("--job-server", type=click.Path(exists=True, path_type=Path), help="Jar.")
def main(rows: int, job_server: Path | None) -> None:
    """Run a day in memory, on Flink, and on Flink while task managers are killed."""
    libraries = fetch_libraries(_JARS)
    jar = (job_server or fetch_job_server(_JARS)).resolve()
    with tempfile.TemporaryDirectory(prefix="crossctr-flink-") as name:
        folder = Path(name)
        environment = servers.install(folder)
        trial = _Trial(folder, _write_world(folder, rows), environment)
        expected = trial.run("memory", [])
        with (
            SessionCluster(folder, libraries, jar) as cluster,
            _beam(folder, jar, cluster, environment) as flags,
        ):
            found = trial.run("flink", flags)
            jobs = cluster.jobs()
            with _Killer(cluster, [job["duration"] / 1000 for job in jobs]) as killer:
                killed = trial.run("killed", flags)
            version = cluster.get("overview")["flink-version"]
        evaluated = flink_results.evaluator_differences(
            folder / "killed", folder / "evaluated"
        )
    differences = {
        "flink": expected.differences(found),
        "killed": expected.differences(killed),
        "Evaluator, killed": evaluated,
    }
    for runner, names in differences.items():
        print(f"{runner}: {'identical' if not names else 'differs in ' + str(names)}")
    result = {
        "identical": not differences["flink"],
        "killed_identical": not differences["killed"],
        "evaluator_identical": not evaluated,
        "rows": sum(n for k, n in expected.rows.items() if k.startswith("transformed")),
        "engine": f"Apache Flink {version}",
        "jobs": len(jobs),
        "kills": killer.kills,
        "restarted_jobs": killer.restarted,
    }
    print(json.dumps(result))
    if any(differences.values()) or not killer.restarted:
        sys.exit(1)


@contextlib.contextmanager
def _beam(
    folder: Path, jar: Path, cluster: SessionCluster, environment: dict[str, str]
) -> Iterator[list[str]]:
    """Starts Beam's job server and a pool of workers; yields the Beam flags."""
    job, pool = free_port(), free_port()
    job_server = ["java", "-jar", str(jar), f"--flink-master={cluster.master}"]
    ports = [f"--job-port={job}", "--artifact-port=0", "--expansion-port=0"]
    staged = f"--artifacts-dir={folder / 'artifacts'}"
    workers = [sys.executable, "-m", "tests.orchestration.worker_pool", str(pool)]
    # The pool is all that comes from the repository.
    path = f"{environment['PYTHONPATH']}{os.pathsep}{servers.ROOT}"
    with (
        servers.running(
            [*job_server, *ports, staged], job, folder / "job-server.txt", environment
        ),
        servers.running(
            workers,
            pool,
            folder / "worker-pool.txt",
            {**environment, "PYTHONPATH": path},
        ),
    ):
        yield [
            "--runner=FlinkRunner",
            f"--job_endpoint=localhost:{job}",
            "--job_server_timeout=86400",
            "--environment_type=EXTERNAL",
            f"--environment_config=localhost:{pool}",
            "--environment_cache_millis=60000",
            f"--parallelism={SLOTS}",
        ]


def _write_world(folder: Path, rows: int) -> Path:
    """Writes a small first day and a day of `rows`; returns the configuration."""
    shares = {"feed": 0.9, "ads": 0.1}
    sizes = {(domain, 0): int(share * rows / 20) for domain, share in shares.items()}
    sizes |= {(domain, 1): int(share * rows) for domain, share in shares.items()}
    logs = simulated_logs.write_days(folder, sizes, seed=17)
    for path in logs.folder.rglob("*.parquet"):
        table = pq.read_table(path, partitioning=None)
        labels = table.column("label").to_pylist()
        labels[::_BAD_EVERY] = [None] * len(labels[::_BAD_EVERY])
        at = table.column_names.index("label")
        pq.write_table(
            table.set_column(at, "label", pa.array(labels, pa.int64())), path
        )
    path = simulated_logs.write_config(folder, logs)
    settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    settings |= {"strategy": "target_only", "strategies": {"target_only": {}}}
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return path


@dataclass(frozen=True)
class _Trial:
    """A world and the environment in which its day is run.

    Attributes:
        folder: Receives a root for each run.
        config: Configuration of the world.
        environment: Environment of the commands.
    """

    folder: Path
    config: Path
    environment: dict[str, str]

    def run(self, name: str, beam_args: list[str]) -> flink_results.DayResult:
        """Runs the day and returns the results that must not depend on the runner."""
        settings = yaml.safe_load(self.config.read_text(encoding="utf-8"))
        root = self.folder / name
        settings |= {
            "root": str(root),
            "serving": {"directory": str(root / "serving")},
            "beam_args": beam_args,
        }
        config = root.with_suffix(".yaml")
        config.write_text(yaml.safe_dump(settings), encoding="utf-8")
        day = simulated_logs.FIRST_DAY + datetime.timedelta(days=1)
        started = time.monotonic()
        ran = subprocess.run(
            [sys.executable, "-m", "pipeline", "run", str(config), "--day", str(day)],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            env=self.environment,
        )
        print(
            f"{name}: exit {ran.returncode}, {time.monotonic() - started:.0f} s",
            flush=True,
        )
        if ran.returncode:
            sys.exit(ran.stdout + ran.stderr)
        return flink_results.read_day(root)


@dataclass
class _Killer:
    """Kills a task manager in every job of a run, from a thread of its own.

    Attributes:
        cluster: The cluster.
        durations: Seconds that each job took undisturbed, in their order.
        kills: Number of task managers killed.
        restarted: Number of jobs that Flink started again because of it.
    """

    cluster: SessionCluster
    durations: list[float]
    kills: int = 0
    restarted: int = 0
    _ended: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> _Killer:
        self._known = {job["jid"] for job in self.cluster.jobs()}
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        jobs = [j["jid"] for j in self.cluster.jobs() if j["jid"] not in self._known]
        self.restarted = sum(self.cluster.was_restarted(job) for job in jobs)

    def _watch(self) -> None:
        killed: set[str] = set()
        while not self._ended.wait(0.5):
            new = [j for j in self.cluster.jobs() if j["jid"] not in self._known]
            for job, seconds in zip(new, self.durations, strict=False):
                if (
                    job["state"] == "RUNNING"
                    and job["jid"] not in killed
                    and job["duration"] > _KILL_AT * seconds * 1000
                ):
                    killed.add(job["jid"])
                    self.cluster.kill_task_manager()
                    self.kills += 1


if __name__ == "__main__":
    main()
