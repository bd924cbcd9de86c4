"""Check of three Beam runners: in memory, portable, two processes; equal results.

python -m tests.orchestration.check_beam

crossctr is built into a wheel and installed into a folder outside the repository; the
job service and the pool of workers are separate processes, as on a cluster. Examples,
vocabularies and quarantine must be equal. Models are not compared bit by bit, because
they read Examples in the runner's order.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from benchmarks.kill_ingest import read_result
from pipeline.store.reader import Store
from tests.orchestration import servers
from tests.ports import free_port


def main() -> None:
    """Runs a day on three runners and compares the results."""
    with tempfile.TemporaryDirectory(prefix="crossctr-beam-") as name:
        folder = Path(name)
        environment = servers.install(folder)
        trial = folder / "trial"
        subprocess.run(
            [sys.executable, "-m", "tests.orchestration.trial", str(trial)],
            check=True,
            cwd=servers.ROOT,
        )
        with _job_service(folder, environment) as portable:
            runners = {
                "in memory": [],
                "portable": portable,
                "two processes": [
                    "--direct_running_mode=multi_processing",
                    "--direct_num_workers=2",
                ],
            }
            found = {
                runner: _run(trial, runner, arguments, environment)
                for runner, arguments in runners.items()
            }
    expected = found.pop("in memory")
    different = {
        runner: [key for key in expected if expected[key] != result[key]]
        for runner, result in found.items()
    }
    rows = sum(expected["rows"].values())
    print(f"{rows} Examples, {len(expected['vocabularies'])} vocabulary files")
    print(json.dumps({runner: not keys for runner, keys in different.items()}))
    if any(different.values()):
        sys.exit(f"different from the run in memory: {different}")


@contextlib.contextmanager
def _job_service(folder: Path, environment: dict[str, str]) -> Iterator[list[str]]:
    """Starts Beam's job service and a pool of workers; yields the Beam flags."""
    job, pool = free_port(), free_port()
    runners = "apache_beam.runners"
    commands = {
        job: [f"{runners}.portability.local_job_service_main", f"--port={job}"],
        pool: [f"{runners}.worker.worker_pool_main", f"--service_port={pool}"],
    }
    with contextlib.ExitStack() as stack:
        for port, (module, flag) in commands.items():
            command = [sys.executable, "-m", module, flag]
            output = folder / f"beam-{port}.txt"
            stack.enter_context(servers.running(command, port, output, environment))
        yield [
            "--runner=PortableRunner",
            f"--job_endpoint=localhost:{job}",
            # By default a job that takes over a minute counts as lost.
            "--job_server_timeout=86400",
            "--environment_type=EXTERNAL",
            f"--environment_config=localhost:{pool}",
        ]


def _run(
    trial: Path, runner: str, arguments: list[str], environment: dict[str, str]
) -> dict[str, Any]:
    """Runs a day and returns the results that must not depend on the runner."""
    settings = yaml.safe_load((trial / "config.yaml").read_text(encoding="utf-8"))
    root = trial / runner.replace(" ", "-")
    settings |= {
        "root": str(root),
        "serving": {"directory": str(root / "serving")},
        "strategy": "target_only",
        "strategies": {"target_only": {}},
        "beam_args": arguments,
    }
    config = root.with_suffix(".yaml")
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    first = datetime.date.fromisoformat(settings["first_day"]) + datetime.timedelta(1)
    started = time.monotonic()
    ran = subprocess.run(
        [sys.executable, "-m", "pipeline", "run", str(config), "--day", str(first)],
        capture_output=True,
        text=True,
        check=False,
        cwd=trial,
        env=environment,
    )
    print(f"{runner}: exit {ran.returncode}, {time.monotonic() - started:.0f} s")
    if ran.returncode:
        sys.exit(ran.stdout + ran.stderr)
    (decision,) = Store(root).artifacts("GateDecision")
    judged = json.loads(Path(decision.uri, "decision.json").read_bytes())["candidate"]
    return {**vars(read_result(root)), "evaluation_rows": judged["example_count"]}


if __name__ == "__main__":
    main()
