"""Cost that a year of stored days adds to the run of one more day.

    python -m benchmarks.bench_metadata [--history 0,100,400]

`make bench-metadata` runs it. A trial's days have 80 impressions each. Between two
runs, ML Metadata's entries of the previous day (executions, artifacts, events and
contexts, as the graphs wrote them) are copied under new names, because TFX reads them
at the start of each node. The result is in docs/lines.md.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import click
import ml_metadata
from ml_metadata.proto import metadata_store_pb2

from benchmarks.backfill_trial import backfill_arguments
from benchmarks.backfill_trial import write_trial
from benchmarks.kill_ingest import command
from benchmarks.kill_ingest import environment
from models.days import to_date
from pipeline.config.load import load_config
from pipeline.execution.run_records import read_records
from pipeline.store.reader import Store
from pipeline.terminal.plain_text import Console
from pipeline.terminal.plain_text import Table

# Contexts shared by all days; those of a run and of a cache entry belong to one day.
_SHARED_CONTEXTS = ("pipeline", "node")
_FIRST_DAYS = 2


@click.command()
@click.option(
    "--history",
    default="0,100,400",
    show_default=True,
    help="Numbers of stored days that a further day is run on, ascending.",
)
def main(history: str) -> None:
    """Run further days on an ever longer stored history and print their cost."""
    console = Console(width=100)
    counts = [int(count) for count in history.split(",")]
    table = Table(title="A further day, by the number of days in ML Metadata")
    columns = ("stored days", "executions", "plan, CPU", "run, CPU", "steps", "a node")
    for column in columns:
        table.add_column(column, justify="right")
    measured = {}
    with tempfile.TemporaryDirectory(prefix="crossctr-metadata-") as name:
        folder = Path(name)
        write_trial(folder, _FIRST_DAYS + len(counts))
        config = load_config(folder / "config.yaml")
        store = Store(config.root, config.metadata)
        _call(backfill_arguments(folder, 1), folder)
        before = len(store.connect().get_executions())
        _call(backfill_arguments(folder, _FIRST_DAYS), folder)
        day = store.connect().get_executions()[before:]
        numbers = sorted(execution.id for execution in day)
        stored = 0
        for place, count in enumerate(counts):
            copy_executions(store.connect(), numbers, range(stored, count))
            stored = count
            run_day = str(to_date(config.first + _FIRST_DAYS + 1 + place))
            arguments = [str(folder / "config.yaml"), "--day", run_day]
            plan = _call(["plan", *arguments], folder)
            run = _call(["run", *arguments], folder)
            steps = read_records(config.root)[-1].steps
            seconds = sum(step.seconds or 0.0 for step in steps)
            nodes = sum(len(step.nodes) for step in steps)
            executions = len(store.connect().get_executions())
            table.add_row(
                f"{count:,}",
                f"{executions:,}",
                f"{plan:.1f} s",
                f"{run:.1f} s",
                f"{seconds:.1f} s",
                f"{seconds / nodes:.2f} s",
            )
            measured[count] = {
                "plan_cpu": round(plan, 1),
                "run_cpu": round(run, 1),
                "steps": round(seconds, 1),
            }
    console.print(table)
    load = os.getloadavg()[0]
    print(json.dumps({"seconds_by_stored_days": measured, "load": round(load, 1)}))


def copy_executions(
    store: ml_metadata.MetadataStore, numbers: list[int], copies: range
) -> None:
    """Stores a day's executions again, once for each of `copies`.

    Args:
        store: ML Metadata.
        numbers: The executions' ids, in an order in which inputs come before outputs.
        copies: Suffixes that make each copy's names and fingerprints unique.
    """
    executions = store.get_executions_by_id(numbers)
    events: dict[int, list[Any]] = {number: [] for number in numbers}
    for event in store.get_events_by_execution_ids(numbers):
        events[event.execution_id].append(event)
    contexts = {number: store.get_contexts_by_execution(number) for number in numbers}
    ids = {event.artifact_id for of in events.values() for event in of}
    artifacts = {a.id: a for a in store.get_artifacts_by_id(sorted(ids))}
    kinds = {kind.id: kind.name for kind in store.get_context_types()}
    for copy in copies:
        made: dict[int, Any] = {}
        for original in sorted(executions, key=lambda execution: execution.id):
            execution = _renamed(original, copy)
            pairs = []
            for event in events[original.id]:
                artifact = artifacts[event.artifact_id]
                if event.type == metadata_store_pb2.Event.OUTPUT:
                    made[artifact.id] = _renamed(artifact, copy)
                # Artifacts of another day are shared by every copy.
                pair = metadata_store_pb2.Event(type=event.type, path=event.path)
                pairs.append((made.get(artifact.id, artifact), pair))
            around = [
                context
                if kinds[context.type_id] in _SHARED_CONTEXTS
                else _renamed(context, copy)
                for context in contexts[original.id]
            ]
            _, artifact_ids, _ = store.put_execution(
                execution, pairs, around, reuse_context_if_already_exist=True
            )
            for (artifact, _), number in zip(pairs, artifact_ids, strict=True):
                artifact.id = number


def _renamed(entry: Any, copy: int) -> Any:
    """Returns a copy of an execution, artifact or context under another name."""
    again = type(entry)()
    again.CopyFrom(entry)
    for name in ("id", "create_time_since_epoch", "last_update_time_since_epoch"):
        again.ClearField(name)
    if again.name:
        again.name = f"{again.name}-copy-{copy}"
    if "fingerprint" in again.custom_properties:
        again.custom_properties["fingerprint"].string_value += f"-{copy}"
    return again


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
