"""Backfill: many days in order, in one process, each like a `crossctr run`."""

from __future__ import annotations

import time
from collections.abc import Collection
from collections.abc import Mapping
from collections.abc import Sequence

from models.days import DayRange
from models.days import to_date
from pipeline.config.schema import Config
from pipeline.execution.arrivals import unread_lines
from pipeline.execution.day_file import DayDone
from pipeline.execution.day_file import DayFile
from pipeline.execution.failures import StrategiesFailedError
from pipeline.execution.interruption import saying
from pipeline.execution.job import plan_when_ready
from pipeline.execution.job import run_steps
from pipeline.planning.step_kinds import StepKind
from pipeline.planning.steps import Step
from pipeline.store.reader import Store
from pipeline.store.results import TargetResult
from pipeline.store.results import rows_of
from pipeline.store.results import target_result
from pipeline.terminal.plain_text import Console
from pipeline.terminal.plain_text import Table
from pipeline.terminal.progress import duration


def backfill(
    config: Config,
    days: DayRange,
    strategies: Sequence[str],
    console: Console,
) -> list[DayDone]:
    """Runs `days`, oldest first, and prints a line for each and a table of all.

    A day is planned when the one before it is done, from what is stored by then, so it
    comes out as if it had been run on its own. What is done already is not done again:
    a backfill that was stopped goes on with the same command. One of several strategies
    that fails on a day is left out of the days after, which would rest on that day.

    Args:
        config: The configuration.
        days: Run days.
        strategies: Entries of the configuration's `strategies`.
        console: Where lines and table are printed.

    Raises:
        CrossctrError: A day failed. The table of the days before it is printed, their
            results are kept.
    """
    done: list[DayDone] = []
    going = list(strategies)
    progress = DayFile.new(config.root, days)
    console.print(f"Finished days are in {progress.path}", soft_wrap=True)

    def left() -> str:
        return f"{len(done)} of {len(days)} days are done, listed in {progress.path}"

    try:
        with saying(left):
            for number, day in enumerate(range(days.first, days.last + 1), 1):
                with progress.failing(day):
                    one, broken = _run_day(config, day, going, console)
                done.append(one)
                progress.add(one)
                going = [strategy for strategy in going if strategy not in broken]
                console.print(f"{number}/{len(days)} {_line(one)}", soft_wrap=True)
    finally:
        if done:
            console.say(summary(done, config.target))
    return done


def first_failures(done: Sequence[DayDone]) -> dict[str, str]:
    """Returns, by strategy, on which day it failed first and why."""
    found: dict[str, str] = {}
    for one in done:
        for strategy, reason in one.failed.items():
            found.setdefault(strategy, f"{to_date(one.day)}: {reason}")
    return found


def _run_day(
    config: Config, day: int, strategies: Sequence[str], console: Console
) -> tuple[DayDone, Collection[str]]:
    """Returns the result of a day, and the strategies that broke on it.

    Those that the day is only too early for may begin on a later one.
    """
    started = time.monotonic()
    broken: Mapping[str, str] = {}
    # A line has no room for references; `crossctr run` of a day adds them.
    plan = plan_when_ready(
        config, lambda p: p.run(day, strategies, references=False), console
    )
    due = [step for step in plan.steps if not step.done]
    # Of the blocks that are due alone: those before were named on their own day.
    blocks = [step.days for step in due if step.kind == "ingest"]
    for line in unread_lines(config, blocks, config.domains):
        console.say(line, soft_wrap=True)
    if due:
        try:
            run_steps(config, plan.steps, console, day=day, only_live=True)
        except StrategiesFailedError as error:
            broken = error.reasons
            if len(broken) + len(plan.refused) == len(strategies):
                raise
    failed = {**plan.refused, **broken}
    targets = [step for step in plan.steps if step.kind == StepKind.TARGET]
    store = Store(config.root, config.metadata)
    one = DayDone(
        day,
        tuple(dict.fromkeys(step.kind for step in due)),
        _trained_rows(store, due),
        time.monotonic() - started,
        tuple(target_result(store, s) for s in targets if s.strategy not in failed),
        failed,
    )
    return one, broken


def _trained_rows(store: Store, due: Sequence[Step]) -> int:
    return sum(
        rows_of(store, step) or 0 for step in due if step.kind != StepKind.INGEST
    )


def _line(one: DayDone) -> str:
    ran = ", ".join(one.ran) or "nothing to do"
    parts = [
        f"{result.strategy} AUC {_number(result, 'auc')} "
        f"GAUC {_number(result, 'gauc')}, {_verdict(result)}"
        for result in one.results
    ]
    parts += [f"{name} failed: {reason}" for name, reason in one.failed.items()]
    return (
        f"{to_date(one.day)} · {ran} · {one.rows:,} rows trained on · "
        f"{'; '.join(parts)} · {duration(one.seconds)}"
    )


def summary(done: Sequence[DayDone], target: str) -> Table:
    """Returns a line for every day and strategy."""
    total = sum(one.seconds for one in done)
    table = Table(
        title=f"{len(done)} day(s) in {duration(total)}; each judged on rows of "
        f"{target} from that day on",
        title_justify="left",
    )
    for column in ("day", "ran", "strategy"):
        table.add_column(column)
    names = ("rows trained on", "AUC", "GAUC", "log loss", "predicted/actual", "time")
    for column in names:
        table.add_column(column, justify="right")
    table.add_column("gate")
    for one in done:
        cells = [(result.strategy, _cells(result)) for result in one.results]
        for name, reason in one.failed.items():
            cells.append((name, [*[""] * 4, f"failed: {reason}"]))
        for index, (strategy, (*metrics, verdict)) in enumerate(cells):
            first = index == 0
            table.add_row(
                str(to_date(one.day)) if first else "",
                (", ".join(one.ran) or "nothing") if first else "",
                strategy,
                f"{one.rows:,}" if first else "",
                *metrics,
                duration(one.seconds) if first else "",
                verdict,
            )
    return table


def _cells(result: TargetResult) -> list[str]:
    return [
        _number(result, "auc"),
        _number(result, "gauc"),
        _number(result, "log_loss"),
        _number(result, "calibration", ".3f"),
        _verdict(result),
    ]


def _number(result: TargetResult, metric: str, form: str = ".4f") -> str:
    value = result.decision["candidate"][metric]
    return "undefined" if value is None else format(value, form)


def _verdict(result: TargetResult) -> str:
    if not result.decision["approved"]:
        return "refused"
    if result.published:
        return f"published as {result.published.rsplit('/', 1)[-1]}"
    return "approved"
