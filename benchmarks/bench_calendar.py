"""Cost of a plan and of a further day's run on a year of stored days.

    python -m benchmarks.bench_calendar [--history 30,400]

`make bench-calendar` runs it. A trial's days have 80 impressions each. The first three
are run; then days count as run (`benchmarks.stored_days`) until as many are stored as
are wanted, and one more is planned and run. The result is in docs/reference/lines.md.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click

from benchmarks.backfill_trial import write_trial
from benchmarks.kill_ingest import command
from benchmarks.kill_ingest import environment
from benchmarks.stored_days import store_days
from models.days import to_date
from pipeline.config.load import load_config
from pipeline.config.schema import Config
from pipeline.store.reader import Store
from pipeline.terminal.plain_text import Console
from pipeline.terminal.plain_text import Table

_REAL_DAYS = 3
# Where it is there, a file system in memory: SQLite waits for the disk at every entry.
_IN_MEMORY = Path("/dev/shm")


@click.command()
@click.option(
    "--history",
    default="30,400",
    show_default=True,
    help="Numbers of stored days that a further day is run on, ascending; ratios are "
    "of the last to the first.",
)
@click.option("--plans", default=3, show_default=True, help="Plans of each.")
def main(history: str, plans: int) -> None:
    """Plan and run further days on an ever longer stored history; print their cost."""
    console = Console(width=100)
    counts = [int(count) for count in history.split(",")]
    table = Table(title="A further day, by the number of stored days")
    for column in ("stored days", "executions", "plan, CPU", "run, CPU"):
        table.add_column(column, justify="right")
    measured = {}
    with _folder() as folder:
        write_trial(folder, counts[-1] + 1)
        config = load_config(folder / "config.yaml")
        # A backfill would make no references, which a daily run has.
        for number in range(_REAL_DAYS):
            _call(_arguments("run", folder, _run_day(config, number)), folder)
        stored = _REAL_DAYS
        for count in counts:
            store_days(config, range(_run_day(config, stored), _run_day(config, count)))
            executions = len(Store(config.root).connect().get_executions())
            day = _run_day(config, count)
            plan = min(
                _call(_arguments("plan", folder, day), folder) for _ in range(plans)
            )
            run = _call(_arguments("run", folder, day), folder)
            stored = count + 1
            table.add_row(
                f"{count:,}", f"{executions:,}", f"{plan:.2f} s", f"{run:.1f} s"
            )
            measured[count] = {"plan_cpu": round(plan, 2), "run_cpu": round(run, 1)}
    console.print(table)
    first, last = measured[counts[0]], measured[counts[-1]]
    over = f"ratio_{counts[-1]}_over_{counts[0]}_days"
    print(
        json.dumps(
            {
                f"plan_{over}": round(last["plan_cpu"] / first["plan_cpu"], 2),
                f"day_{over}": round(last["run_cpu"] / first["run_cpu"], 2),
                "cpu_seconds_by_stored_days": measured,
                "load": round(os.getloadavg()[0], 1),
            }
        )
    )


def _arguments(name: str, folder: Path, day: int) -> list[str]:
    return [name, str(folder / "config.yaml"), "--day", str(to_date(day))]


def _run_day(config: Config, stored: int) -> int:
    """Returns the run day that follows `stored` days that were run."""
    return config.first + 1 + stored


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    place = _IN_MEMORY if os.access(_IN_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="crossctr-calendar-", dir=place) as name:
        yield Path(name)


def _call(arguments: list[str], folder: Path) -> float:
    """Runs a command; returns its CPU seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended = subprocess.run(
        command(arguments),
        cwd=folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        check=False,
    )
    if ended.returncode:
        raise click.ClickException(f"{arguments[0]} ended with {ended.returncode}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
