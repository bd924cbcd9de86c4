"""Stored days without runs: a year's results, made from those of a few real days.

A step that is due counts as run once ML Metadata has the entries of an earlier step of
its kind again, under the fingerprints and days of the new one. Artifacts share the
folders of the earlier step, so that a real run of a later day finds models and
vocabularies to go on from.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ml_metadata
from ml_metadata.proto import metadata_store_pb2

from models import durable_files
from models.artifact_files import LOG_DAYS_FILE
from models.days import to_date
from pipeline.config.load import dump
from pipeline.config.schema import Config
from pipeline.execution.job import Plan
from pipeline.execution.job import plan_run
from pipeline.execution.run_index import RunIndex
from pipeline.execution.run_records import RunRecorder
from pipeline.planning.fingerprint import LogFingerprints
from pipeline.planning.fingerprint import code_fingerprint
from pipeline.planning.reasons import CONFIG_FILE
from pipeline.planning.step_kinds import StepKind
from pipeline.planning.steps import Step
from pipeline.store.reader import Store

# Contexts shared by all days; those of a run and of a cache entry belong to one day.
_SHARED_CONTEXTS = ("pipeline", "node")
# Ending of the folder of a run that was none.
_STORED = "-0"
_PRINTS = ("fingerprint", "model_fingerprint")


def store_days(config: Config, days: range) -> None:
    """Stores the results of run days, oldest first, and the records of their runs.

    Args:
        config: The configuration; real runs of some days before have made a step of
            every kind that is due.
        days: Run days.
    """
    store = Store(config.root, config.metadata)
    patterns = newest_steps(config)
    metadata = store.connect()
    numbers = {kind: executions_of(metadata, step) for kind, step in patterns.items()}
    for day in days:
        plan = _plan(config, day)
        folder = config.root / "runs" / f"20000101T{day:06}{_STORED}"
        folder.mkdir(parents=True)
        durable_files.write_text(folder / CONFIG_FILE, dump(config))
        recorder = RunRecorder(folder, plan.steps, day, code_fingerprint())
        for step in plan.steps:
            if not step.done:
                repeat_step(metadata, patterns[step.kind], numbers[step.kind], step)
                if step.kind == StepKind.INGEST:
                    own_rows(config, metadata, step)
                recorder.finished(step, seconds=1.0, rows=80, nodes=[("Node", 1.0)])
        RunIndex(config.root).save()


def _plan(config: Config, day: int) -> Plan:
    return plan_run(config, lambda p: p.run(day, [config.strategy]), save_hashes=True)


def newest_steps(config: Config) -> dict[StepKind, Step]:
    """Returns the newest step of each kind that a real run has done."""
    found: dict[StepKind, Step] = {}
    for folder, record in RunIndex(config.root).records():
        if folder.name.endswith(_STORED):
            continue
        for run in record.steps:
            if run.state == "done":
                found.setdefault(run.step.kind, run.step)
    return found


def repeat_step(
    store: ml_metadata.MetadataStore, pattern: Step, numbers: list[int], step: Step
) -> None:
    """Stores the executions of a step again as those of another step.

    Args:
        store: ML Metadata.
        pattern: The step that has run.
        numbers: Its executions.
        step: The step that counts as run from now on.
    """
    prints = {pattern.fingerprint: step.fingerprint, pattern.training: step.training}
    days = {"first_day": step.days.first, "last_day": step.days.last}
    copy_executions(store, numbers, step.fingerprint, prints, days)


def own_rows(config: Config, store: ml_metadata.MetadataStore, step: Step) -> None:
    """Gives a block's raw Examples a folder that names the logs of its own days."""
    (rows,) = [
        artifact
        for artifact in store.get_artifacts_by_type("Examples")
        if artifact.custom_properties["fingerprint"].string_value == step.fingerprint
        and artifact.custom_properties["role"].string_value == "raw"
    ]
    folder = Path(f"{rows.uri}-{step.fingerprint}")
    shutil.copytree(rows.uri, folder)
    found = LogFingerprints(config).by_domain(step.days)
    logs = {
        domain: {str(to_date(day)): text for day, text in by_day.items()}
        for domain, by_day in found.items()
    }
    (folder / LOG_DAYS_FILE).write_text(json.dumps(logs), encoding="utf-8")
    rows.uri = str(folder)
    store.put_artifacts([rows])


def executions_of(store: ml_metadata.MetadataStore, step: Step) -> list[int]:
    """Returns the numbers of the executions of the graph run that made a step."""
    made = [
        artifact.id
        for artifact in store.get_artifacts()
        if artifact.custom_properties["fingerprint"].string_value == step.fingerprint
    ]
    events = store.get_events_by_artifact_ids(made)
    outputs = [e for e in events if e.type == metadata_store_pb2.Event.OUTPUT]
    run = store.get_context_type("pipeline_run").id
    (context, *_) = [
        context
        for context in store.get_contexts_by_execution(outputs[-1].execution_id)
        if context.type_id == run
    ]
    return sorted(e.id for e in store.get_executions_by_context(context.id))


def copy_executions(
    store: ml_metadata.MetadataStore,
    numbers: list[int],
    name: str,
    prints: Mapping[str, str],
    days: Mapping[str, int],
) -> None:
    """Stores executions again, connected as they were.

    Args:
        store: ML Metadata.
        numbers: The executions, in an order in which inputs come before outputs.
        name: Suffix that makes the names of the copies unique.
        prints: Fingerprints of outputs, those of the copies by those of before.
        days: Values of the outputs' custom properties that are days.
    """
    executions = store.get_executions_by_id(numbers)
    events: dict[int, list[Any]] = {number: [] for number in numbers}
    for event in store.get_events_by_execution_ids(numbers):
        events[event.execution_id].append(event)
    ids = {event.artifact_id for of in events.values() for event in of}
    artifacts = {a.id: a for a in store.get_artifacts_by_id(sorted(ids))}
    kinds = {kind.id: kind.name for kind in store.get_context_types()}
    made: dict[int, Any] = {}
    for original in sorted(executions, key=lambda execution: execution.id):
        pairs = []
        for event in events[original.id]:
            artifact = artifacts[event.artifact_id]
            if event.type == metadata_store_pb2.Event.OUTPUT:
                made[artifact.id] = _output(artifact, name, prints, days)
            # Artifacts of another step are shared by every copy.
            pair = metadata_store_pb2.Event(type=event.type, path=event.path)
            pairs.append((made.get(artifact.id, artifact), pair))
        around = [
            context
            if kinds[context.type_id] in _SHARED_CONTEXTS
            else _renamed(context, name)
            for context in store.get_contexts_by_execution(original.id)
        ]
        _, artifact_ids, _ = store.put_execution(
            _renamed(original, name), pairs, around, reuse_context_if_already_exist=True
        )
        for (artifact, _), number in zip(pairs, artifact_ids, strict=True):
            artifact.id = number


def _output(
    artifact: Any, name: str, prints: Mapping[str, str], days: Mapping[str, int]
) -> Any:
    again = _renamed(artifact, name)
    for key in _PRINTS:
        # Asking a map of protobuf for what it lacks puts it there.
        if key in again.custom_properties:
            value = again.custom_properties[key].string_value
            again.custom_properties[key].string_value = prints.get(value, value)
    for key, day in days.items():
        if key in again.custom_properties:
            again.custom_properties[key].int_value = day
    if "day" in again.custom_properties:
        # Of a publication: the run's day, which follows the last day of the window.
        again.custom_properties["day"].int_value = days["last_day"] + 1
    return again


def _renamed(entry: Any, name: str) -> Any:
    """Returns a copy of an execution, artifact or context under another name."""
    again = type(entry)()
    again.CopyFrom(entry)
    for field in ("id", "create_time_since_epoch", "last_update_time_since_epoch"):
        again.ClearField(field)
    if again.name:
        again.name = f"{again.name}-{name}"
    return again
