"""Fixed cost of a further day of a backfill, and impressions a day of CTNet reads.

    python -m benchmarks.bench_backfill [--days 5] [--config configs/feeds_ads.yaml]

`make bench-backfill` runs it. The days have 80 impressions each, so nearly all of their
time is fixed cost. Only the time to fit the model is subtracted; reading, statistics
and evaluation of those few impressions count as overhead. How to read the result:
docs/how-to/operations.md.
"""

from __future__ import annotations

import datetime
import itertools
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import click

from benchmarks.backfill_trial import DAY_DONE
from benchmarks.backfill_trial import backfill_arguments
from benchmarks.backfill_trial import write_trial
from benchmarks.kill_ingest import command
from benchmarks.kill_ingest import environment
from models.data.arrow_files import pq
from models.days import to_date
from models.days import to_day
from pipeline.config.load import load_config
from pipeline.config.schema import Config
from pipeline.execution.run_index import RunIndex
from pipeline.execution.run_index import oldest_first
from pipeline.execution.run_records import RunRecord
from pipeline.planning.planner import Planner
from pipeline.planning.steps import Known
from pipeline.planning.steps import Step
from pipeline.store.reader import Store
from pipeline.store.results import target_result
from pipeline.terminal.plain_text import Console
from pipeline.terminal.plain_text import Table

_HISTORY = 3
_CTNET = "ctnet"


@click.command()
@click.option("--days", default=5, show_default=True, help="Days of the backfill.")
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    default=Path("configs/feeds_ads.yaml"),
    show_default=True,
    help="Configuration for counting a day's impressions; its logs must exist.",
)
@click.option(
    "--day",
    default="2024-02-23",
    show_default=True,
    help="Day whose impressions are counted.",
)
def main(days: int, path: Path, day: str) -> None:
    """Run a backfill of tiny days and print where the time goes."""
    console = Console(width=100)
    share = rows_share(load_config(path), day, console)
    with tempfile.TemporaryDirectory(prefix="crossctr-backfill-") as name:
        folder = Path(name)
        write_trial(folder, days)
        started = time.perf_counter()
        processor = _run(backfill_arguments(folder, days), folder)
        wall = time.perf_counter() - started
        overhead, fitting = profile(folder / "runs", console)
    load = os.getloadavg()[0]
    further = statistics.median(
        late - early for early, late in itertools.pairwise(processor)
    )
    console.print(
        f"The whole backfill took {wall:.0f} s of wall time and {processor[-1]:.0f} s "
        f"of CPU time; a further day took {further:.1f} s of CPU time, including "
        f"{fitting:.1f} s of wall time for fitting. Load at the end: {load:.1f} on "
        f"{os.cpu_count()} cores"
    )
    keys = {
        "overhead_seconds_per_day": round(overhead, 1),
        "fitting_seconds_per_day": round(fitting, 1),
        "cpu_seconds_per_day": round(further, 1),
        "daily_rows_share_ctnet": round(share, 4),
        "wall_seconds": round(wall, 1),
        "cpu_seconds": round(processor[-1], 1),
    }
    print(json.dumps(keys))


def _run(arguments: list[str], folder: Path) -> list[float]:
    """Runs a backfill; returns the CPU seconds used by the end of each day."""
    process = subprocess.Popen(
        command(arguments),
        cwd=folder,
        env={**environment(), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    spent = [
        _processor_seconds(process.pid)
        for line in process.stdout
        if DAY_DONE.match(line)
    ]
    if process.wait():
        raise click.ClickException(f"the backfill ended with {process.returncode}")
    return spent


def _processor_seconds(pid: int) -> float:
    """Returns the CPU seconds of a process and its finished children, from /proc."""
    text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    # The name, in parentheses, may hold spaces; user and system time follow.
    fields = text.rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def profile(root: Path, console: Console) -> tuple[float, float]:
    """Prints how the seconds of the days are spent.

    Returns:
        A further day's seconds beyond fitting its model, and those of fitting.
    """
    records = [
        record
        for record in oldest_first(RunIndex(root).records())
        if record.day is not None
    ]
    store = Store(root)
    days = [_seconds(record, store) for record in records]
    # The first day imports TFX, ingests the history and trains the rarer levels.
    first, *further = days
    parts = sorted(
        {part for day in further for part in day},
        key=lambda part: -_median(further, part),
    )
    table = Table(title=f"Seconds of a day, median of {len(further)} further days")
    for column in ("", "first day", "further day"):
        table.add_column(column, justify="left" if not column else "right")
    for part in parts:
        row = f"{first.get(part, 0.0):.2f}", f"{_median(further, part):.2f}"
        table.add_row(part, *row)
    console.print(table)
    overhead = statistics.median(
        sum(seconds for part, seconds in day.items() if part != "fitting")
        for day in further
    )
    return overhead, _median(further, "fitting")


def _median(days: Sequence[dict[str, float]], part: str) -> float:
    return statistics.median(day.get(part, 0.0) for day in days)


def _seconds(record: RunRecord, store: Store) -> dict[str, float]:
    """Returns a day's seconds by component; fitting is separate from its trainer."""
    spent: dict[str, float] = {}
    for run in record.steps:
        if run.seconds is None:
            continue
        inside = 0.0
        for node, seconds in run.nodes:
            spent[node] = spent.get(node, 0.0) + seconds
            inside += seconds
        between = "building graphs and between components"
        spent[between] = spent.get(between, 0.0) + run.seconds - inside
        if run.step.kind == "target":
            report = target_result(store, run.step).report
            fitting = float(report.get("seconds", 0.0))
            spent["fitting"] = spent.get("fitting", 0.0) + fitting
            spent["TargetTrainer"] = spent.get("TargetTrainer", 0.0) - fitting
    return spent


def rows_share(config: Config, day: str, console: Console) -> float:
    """Returns impressions read by a day of `ctnet`, relative to `joint`'s window."""
    wanted = to_day(datetime.date.fromisoformat(day))
    config = config.model_copy(
        update={
            "strategies": {
                **config.strategies,
                _CTNET: type(config.strategies[config.strategy])(),
            }
        }
    )
    known = Known()
    for one in range(wanted - _HISTORY, wanted + 1):
        steps = Planner(config, known, str, "").run(one, [_CTNET])
        due = [s for s in steps if not _is_known(s, known) and s.kind != "ingest"]
        known = _with(known, steps)
    joint = Planner(config, Known(), str, "").run(wanted, ["joint"])[-1]
    read = {
        "ctnet": sum(_rows(config, step) for step in due if not step.initialize_only),
        "joint": _rows(config, joint),
    }
    console.print(
        f"{config.name} on {to_date(wanted)}: ctnet reads {read['ctnet']:,} rows "
        f"({', '.join(f'{s.kind} {s.days}' for s in due)}), joint {read['joint']:,} "
        f"({joint.days})"
    )
    return read["ctnet"] / read["joint"]


def _is_known(step: Step, known: Known) -> bool:
    stored = {**known.models, **known.sources}
    return (step.training or step.fingerprint) in stored


def _with(known: Known, steps: Sequence[Step]) -> Known:
    blocks = {s.fingerprint: s.days for s in steps if s.kind == "ingest"}
    models = {
        s.training or s.fingerprint: s.day
        for s in steps
        if s.kind in ("base", "target")
    }
    sources = {s.fingerprint: s.day for s in steps if s.kind == "source"}
    return Known(
        blocks={**known.blocks, **blocks},
        models={**known.models, **models},
        sources={**known.sources, **sources},
    )


def _rows(config: Config, step: Step) -> int:
    domains = config.sources
    if step.kind in ("base", "target"):
        domains = config.domains_of(step.strategy)
    return sum(
        pq.read_metadata(path).num_rows
        for domain in domains
        for one in range(step.days.first, step.days.last + 1)
        for path in (Path(str(config.logs)) / domain / f"date={to_date(one)}").glob(
            "*.parquet"
        )
    )


if __name__ == "__main__":
    main()
