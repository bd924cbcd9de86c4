"""Execution of a plan: one graph after the other, in one process."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

from rich.console import RenderableType

from components.log_example_gen.log_files import list_log_files
from components.log_example_gen.log_files import refuse_twins
from models import durable_files
from models.days import DayRange
from models.errors import CrossctrError
from models.errors import DataError
from pipeline.config.load import dump
from pipeline.config.schema import Config
from pipeline.execution.arrivals import unread_lines
from pipeline.execution.arrivals import wait_for_logs
from pipeline.execution.failures import Failures
from pipeline.execution.failures import raise_failed
from pipeline.execution.interruption import saying
from pipeline.execution.preflight import check_before_work
from pipeline.execution.readable_errors import readable_errors
from pipeline.execution.run_index import RunIndex
from pipeline.execution.run_records import RunRecorder
from pipeline.execution.run_records import used
from pipeline.planning.fingerprint import LogFingerprints
from pipeline.planning.fingerprint import code_fingerprint
from pipeline.planning.late import LateLog
from pipeline.planning.late import explain
from pipeline.planning.late import ingested
from pipeline.planning.late import late_logs
from pipeline.planning.late import runs_to_repeat
from pipeline.planning.planner import Planner
from pipeline.planning.reasons import CONFIG_FILE
from pipeline.planning.retention import refuse_removed
from pipeline.planning.step_kinds import StepKind
from pipeline.planning.steps import Step
from pipeline.store.evaluation_rows import too_few_to_publish
from pipeline.store.integrity import refuse_lost_metadata
from pipeline.store.integrity import refuse_lost_results
from pipeline.store.integrity import refuse_lost_versions
from pipeline.store.metadata import connection
from pipeline.store.reader import Store
from pipeline.store.references import with_stored_references
from pipeline.store.results import few_steps
from pipeline.store.results import known_state
from pipeline.store.results import removed_fingerprints
from pipeline.store.results import rows_of
from pipeline.store.results import training_report
from pipeline.terminal.plain_text import Console
from pipeline.terminal.progress import RunDisplay
from pipeline.terminal.progress import quiet_libraries
from pipeline.terminal.progress import waiting


def _planner(config: Config, logs: LogFingerprints, store: Store) -> Planner:
    if not config.schema_path.is_file():
        raise DataError(
            f"there is no schema file {str(config.schema_path)!r}; expected a TFMD "
            "schema in text format; set `schema` in the configuration"
        )
    if not config.schema_path.read_bytes().strip():
        raise DataError(
            f"the schema file {str(config.schema_path)!r} is empty; restore it from a "
            "backup, or make it anew with `crossctr schema infer CONFIG --force`"
        )
    return Planner(config, known_state(store), logs, code_fingerprint())


@dataclass(frozen=True)
class Plan:
    """Steps that would run, and inputs of earlier runs that have changed since.

    Attributes:
        steps: The steps in running order.
        late: Logs that came or changed after their day was ingested.
        to_repeat: (day, strategy) of finished runs that used the former version.
        refused: Strategies that the day is too early for, and why.
        unread: By domain, a line that names files in the days' folders that no ingest
            reads.
    """

    steps: list[Step]
    late: list[LateLog]
    to_repeat: list[tuple[int, str]]
    refused: Mapping[str, str] = field(default_factory=dict)
    unread: Sequence[str] = ()


def plan_run(
    config: Config,
    make: Callable[[Planner], list[Step]],
    *,
    save_hashes: bool = False,
) -> Plan:
    """Plans a command on what is stored and on the logs that are there now.

    Args:
        config: The configuration.
        make: Asks the planner for the steps.
        save_hashes: Whether hashes of log files are kept, which takes a command that
            holds the root.

    Raises:
        DataError: There is no schema file, a domain has no log folder, a day that is
            due holds a file twice, or what the plan rests on is lost or damaged.
    """
    logs = LogFingerprints(config)
    store = Store(config.root, config.metadata, once=True)
    refuse_lost_metadata(store)
    planner = _planner(config, logs, store)
    steps = make(planner)
    refused = planner.refused
    days = DayRange(
        min(step.days.first for step in steps), max(step.days.last for step in steps)
    )
    before, now = ingested(store), logs.by_domain(days)
    late = late_logs(before, now, days)
    refuse_lost_results(store, used(steps))
    if any(step.kind == StepKind.TARGET and step.judged for step in steps):
        refuse_lost_versions(config, store)
    if save_hashes:
        logs.hashes.save()
    run_day = max(step.run_day for step in steps)
    refuse_removed(steps, removed_fingerprints(store))
    ingests = [step for step in steps if step.kind == "ingest"]
    for step in ingests:
        if not step.done:
            _refuse_twins(config, step.days)
    return Plan(
        explain(steps, before, now),
        late,
        runs_to_repeat(store, planner, late, run_day),
        refused,
        unread_lines(config, [step.days for step in ingests], config.domains),
    )


def _refuse_twins(config: Config, days: DayRange) -> None:
    for domain in config.domains:
        refuse_twins(list_log_files(config.logs / domain, days.first, days.last))


def plan_when_ready(
    config: Config, make: Callable[[Planner], list[Step]], console: Console
) -> Plan:
    """Plans a command once the logs that it may wait for are there.

    Raises:
        LogsNotThereError: They did not come in time.
    """
    plan = plan_run(config, make, save_hashes=True)
    due = [
        step.days
        for step in plan.steps
        if step.kind == StepKind.INGEST and not step.done
    ]
    if wait_for_logs(config, due, console):
        return plan_run(config, make, save_hashes=True)
    return plan


def run_steps(
    config: Config,
    steps: Sequence[Step],
    console: Console,
    *,
    day: int | None = None,
    on_step: Callable[[Step, Console], None] = lambda *_: None,
    below: RenderableType | None = None,
    only_live: bool = False,
) -> None:
    """Runs what is not done yet.

    When a step fails, the strategies that rest on it are given up; what the others need
    runs on.

    Args:
        config: The configuration.
        steps: The plan, in running order.
        console: Where progress is shown.
        day: The run's day, for its record; None for a command that is no `run`.
        on_step: Called after each step, those that were done before included, with
            the console that is not redirected while libraries run.
        below: What stands below the live line, see `RunDisplay`.
        only_live: Whether no line stays of a step but warnings, see `RunDisplay`.

    Raises:
        CrossctrError: A step failed that all strategies rest on; earlier steps'
            results are kept, so the same command takes up where this one stopped.
        StrategiesFailedError: Some strategies failed; the results of the others, if
            there are any, are complete.
    """
    steps = used(steps)
    due = [step for step in steps if not step.done]
    if not due:
        _show_reused(config, steps, console, on_step, only_live=only_live)
        return
    check_before_work(config, steps)
    log_file = new_log_file(config)
    if not only_live:
        console.print(f"Full log of all libraries: {log_file}", soft_wrap=True)
    durable_files.write_text(log_file.parent / CONFIG_FILE, dump(config))
    failures = Failures(steps)
    recorder = RunRecorder(log_file.parent, steps, day, code_fingerprint())
    RunIndex(config.root).save()
    with quiet_libraries(log_file, console) as shown:
        display = RunDisplay(shown, len(steps), below, only_live=only_live)
        try:
            with saying(lambda: _left(display, steps)):
                _run_due(config, steps, display, shown, recorder, failures, on_step)
        finally:
            display.stop()
    if not only_live:
        console.print(display.summary())
    raise_failed(failures.reasons)


def _left(display: RunDisplay, steps: Sequence[Step]) -> str:
    """Returns which steps are done and which one was under way, in words."""
    done = f"{display.num_done} of {len(steps)} steps are done"
    if not display.under_way:
        return done
    return f"{done}, and `{display.under_way}` was under way and starts anew"


def _show_reused(
    config: Config,
    steps: Sequence[Step],
    console: Console,
    on_step: Callable[[Step, Console], None],
    *,
    only_live: bool,
) -> None:
    """Shows steps that were all done before; arguments as of `run_steps`."""
    store = Store(config.root, config.metadata)
    for index, step in enumerate(steps, 1):
        display = RunDisplay(console, len(steps), only_live=only_live)
        display.reused(index, step.label)
        if note := _few_steps(store, step):
            display.note(note)
        on_step(step, console)
    if not only_live:
        console.print("Everything was done already; nothing ran.")


def _run_due(
    config: Config,
    steps: Sequence[Step],
    display: RunDisplay,
    console: Console,
    recorder: RunRecorder,
    failures: Failures,
    on_step: Callable[[Step, Console], None],
) -> None:
    with waiting(console, "importing TFX and Beam (about 20 s, once)"):
        # Only here, because the import takes that long.
        from pipeline.execution.runner import run_graph
        from pipeline.graphs.factory import graph_for
    display.spend("importing TFX")
    display.imported()
    connect = connection(config.root, config.metadata)
    store = Store(config.root, config.metadata)
    ingests = sum(step.kind == StepKind.INGEST for step in steps)
    for index, step in enumerate(steps, 1):
        if index == ingests + 1 and (few := too_few_to_publish(config, store, steps)):
            display.note(few)
        if step.done:
            display.reused(index, step.label)
            if note := _few_steps(store, step):
                display.note(note)
            on_step(step, console)
            continue
        if not failures.needs(step):
            display.left_out(index, step.label)
            continue
        display.start(index, step.label)
        if step.note:
            display.detail(step.note)
        try:
            with readable_errors(step, config.root):
                ready = with_stored_references(store, step)
                run_graph(graph_for(config, ready), display, connect)
        except CrossctrError as error:
            recorder.failed(
                step, str(error), seconds=display.step_elapsed, nodes=display.nodes
            )
            failures.add(step, error)
            display.fail(str(error).removeprefix(f"{step.label}: "))
            continue
        display.spend(step.kind)
        rows, note = rows_of(store, step), _few_steps(store, step)
        recorder.finished(
            step,
            seconds=display.step_elapsed,
            rows=rows,
            nodes=display.nodes,
            note=note,
        )
        display.finish(rows)
        if note:
            display.note(note)
        on_step(step, console)


def _few_steps(store: Store, step: Step) -> str:
    """Returns what to know of a step's training; empty if it had steps enough."""
    if step.kind == StepKind.INGEST:
        return ""
    report = training_report(store, step)
    return few_steps(report) if report is not None else ""


def new_log_file(config: Config) -> Path:
    """Returns where a command's libraries may write; its folder is made."""
    now = datetime.datetime.now(tz=datetime.timezone.utc)
    folder = config.root / "runs" / f"{now:%Y%m%dT%H%M%S}-{os.getpid()}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "libraries.log"
