"""Start-up cost of a command: imports and planning.

Each is measured in fresh processes, one at a time. The minimum of the repeats counts,
because other work of the machine can only add time.

* *graphs*: wall seconds to import `pipeline.graphs.factory`, and with it TFX,
  TFMA, Beam and TensorFlow. CPU seconds stand beside them;
* *plan*: CPU seconds of a whole `crossctr plan`, the interpreter's start included, for
  `configs/feeds_ads.yaml` with 60 days of logs in each domain and nothing stored.

The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import yaml

from models.days import to_date
from models.days import to_day
from pipeline.config.load import load_config
from pipeline.terminal.plain_text import Console
from pipeline.terminal.plain_text import Table

_CONFIG = Path(__file__).parents[1] / "configs" / "feeds_ads.yaml"
_DAYS = 60

# Goals on 2 otherwise idle cores.
SECONDS_GRAPHS = 8.0
CPU_SECONDS_PLAN = 0.7

_IMPORT_GRAPHS = """
import json, time
clock, cpu = time.perf_counter(), time.process_time()
import pipeline.graphs.factory
print(json.dumps([time.perf_counter() - clock, time.process_time() - cpu]))
"""


def graphs_seconds() -> tuple[float, float]:
    """Returns seconds and CPU seconds of importing the graphs in a new process."""
    done = _run([sys.executable, "-c", _IMPORT_GRAPHS])
    seconds, cpu_seconds = json.loads(done.splitlines()[-1])
    return float(seconds), float(cpu_seconds)


def plan_cpu_seconds(config: Path, day: str) -> float:
    """Returns the CPU seconds of `crossctr plan` in a new process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    _run([sys.executable, "-m", "pipeline", "plan", str(config), "--day", day])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def write_world(folder: Path) -> tuple[Path, str]:
    """Writes a configuration and empty log files, as a plan only lists their names.

    Args:
        folder: An empty folder.

    Returns:
        Path of the configuration, and the run's day, right after the last of the logs.
    """
    content = yaml.safe_load(_CONFIG.read_text(encoding="utf-8"))
    content |= {
        "root": str(folder / "root"),
        "logs": str(folder / "logs"),
        "schema": str((_CONFIG.parent / content["schema"]).resolve()),
    }
    del content["simulate"]
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    config = load_config(path)
    first = to_day(content["first_day"])
    for domain in config.domains:
        for day in range(first, first + _DAYS):
            partition = Path(str(config.logs)) / domain / f"date={to_date(day)}"
            partition.mkdir(parents=True)
            (partition / "part-0.parquet").touch()
    return path, str(to_date(first + _DAYS - 1))


def _run(command: Sequence[str]) -> str:
    done = subprocess.run(
        command,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        cwd=_CONFIG.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return done.stdout


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    # The very first import reads files from disk and may compile them.
    graphs_seconds()
    graphs = [graphs_seconds() for _ in range(repeats)]
    seconds, cpu_seconds = (min(run[i] for run in graphs) for i in (0, 1))
    with tempfile.TemporaryDirectory() as folder:
        config, day = write_world(Path(folder))
        plan = min(plan_cpu_seconds(config, day) for _ in range(1 + repeats))
    table = Table(title=f"Start of a command, least of {repeats}")
    for column in ("what", "measured", "goal"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for what, measured, goal in (
        ("import of the graphs, seconds", seconds, f"{SECONDS_GRAPHS:.1f}"),
        ("import of the graphs, CPU seconds", cpu_seconds, ""),
        ("crossctr plan, CPU seconds", plan, f"{CPU_SECONDS_PLAN:.1f}"),
    ):
        table.add_row(what, f"{measured:.2f}", goal)
    Console(width=80).print(table)
    print(
        json.dumps(
            {
                "seconds_graphs": round(seconds, 2),
                "cpu_seconds_graphs": round(cpu_seconds, 2),
                "cpu_seconds_plan": round(plan, 2),
            }
        )
    )


if __name__ == "__main__":
    main()
