"""Python interface: what the commands do, for notebooks and scripts.

    from pipeline import api

    config = api.load_config("configs/first_run.yaml")
    result = api.run(config, "2024-01-29")
    result.results[0].decision["candidate"]["auc"]
    model = api.load_model(config)
    model.predict([{"user_id": "u1", "item_id": "i1"}])

The command line calls the same functions. A function that changes what is stored holds
the root while it runs, as a command does.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from models.days import DayRange
from models.days import to_date
from models.days import to_day
from models.errors import ConfigError
from models.errors import CrossctrError
from models.strategies.registry import BASELINE_KIND
from models.written_date import read_date
from pipeline.comparing.limits import LEAST_SEEDS
from pipeline.config.load import load_config as load_config
from pipeline.config.named_strategies import asked
from pipeline.config.schema import Config
from pipeline.execution.backfill import backfill as backfill_days
from pipeline.execution.day_file import DayDone
from pipeline.execution.failures import StrategiesFailedError
from pipeline.execution.job import Plan
from pipeline.execution.job import plan_run
from pipeline.execution.job import plan_when_ready
from pipeline.execution.job import run_steps
from pipeline.execution.lock import command_line
from pipeline.execution.lock import hold
from pipeline.execution.run_records import used
from pipeline.execution.run_result import RunResult as RunResult
from pipeline.planning.step_kinds import StepKind
from pipeline.planning.steps import steps_until
from pipeline.published_model import Model as Model
from pipeline.published_model import load_model as load_model
from pipeline.report.pages import report_days
from pipeline.report.pages import report_run
from pipeline.store.reader import Store
from pipeline.store.results import target_result
from pipeline.terminal.plain_text import Console as Console

if TYPE_CHECKING:
    from pipeline.comparing.record import Comparison

__all__ = [
    "Console",
    "Day",
    "DayDone",
    "Model",
    "Plan",
    "RunResult",
    "ablate",
    "backfill",
    "compare",
    "ingest",
    "load_config",
    "load_model",
    "plan",
    "run",
    "write_page",
]

# A day: a date, its text as YYYY-MM-DD, or days since 1970-01-01.
Day = datetime.date | str | int


def plan(config: Config, day: Day, strategies: Sequence[str] = ()) -> Plan:
    """Returns what `run` would do; nothing runs.

    Args:
        config: The configuration.
        day: The run's day.
        strategies: Entries of `strategies`, or kinds; the configuration's `strategy`
            by default.

    Raises:
        ConfigError: A strategy is not known.
        DataError: What the plan rests on is missing, lost or damaged.
    """
    config, names = asked(config, strategies)
    return plan_run(config, lambda planner: planner.run(_number(day), names))


def ingest(config: Config, last_day: Day, *, console: Console | None = None) -> Plan:
    """Ingests all days of logs up to a day that are not ingested yet.

    Args:
        config: The configuration.
        last_day: Last day of logs.
        console: Where progress is shown; standard output by default.

    Returns:
        What was planned, and is done now.

    Raises:
        ConfigError: `last_day` is before the configuration's first day.
        CrossctrError: A block failed; the blocks before it are kept.
        LockedError: Another command holds the root.
    """
    console = console or Console()
    last = _number(last_day)
    if last < config.first:
        raise ConfigError(
            f"{to_date(last)} is before first_day {config.first_day}; choose a later "
            "day"
        )
    with hold(config.root, command_line()):
        planned = plan_when_ready(config, lambda p: p.ingest(last), console)
        _say_unread(planned, console)
        run_steps(config, planned.steps, console)
    return planned


def run(
    config: Config,
    day: Day,
    strategies: Sequence[str] = (),
    *,
    until: StepKind = StepKind.TARGET,
    console: Console | None = None,
) -> RunResult:
    """Runs all levels that are due on a day, evaluates and publishes.

    Args:
        config: The configuration.
        day: The run's day D: trains on impressions before it.
        strategies: Entries of `strategies`, or kinds; the configuration's `strategy`
            by default.
        until: Last kind of step to run.
        console: Where progress is shown; standard output by default.

    Returns:
        The results; `failed` names the strategies that have none.

    Raises:
        CrossctrError: A step failed that all strategies rest on. The page of the day is
            written, and what was done before is kept.
        LockedError: Another command holds the root.
    """
    console = console or Console()
    config, names = asked(config, strategies)
    number = _number(day)
    with hold(config.root, command_line()):
        planned = plan_when_ready(config, lambda p: p.run(number, names), console)
        _say_unread(planned, console)
        steps = steps_until(planned.steps, until)
        console.print(
            f"crossctr {config.name}: {', '.join(config.sources)} -> {config.target}, "
            f"day {to_date(number)}, {', '.join(names)}; {len(used(steps))} steps"
        )
        if until != StepKind.TARGET:
            run_steps(config, steps, console)
            return RunResult(number, planned, steps, failed=planned.refused)
        failed = dict(planned.refused)
        try:
            run_steps(config, steps, console, day=number)
        except StrategiesFailedError as error:
            failed |= error.reasons
        except CrossctrError as error:
            report_run(config, number, steps, console, error=str(error))
            raise
    store = Store(config.root, config.metadata)
    results = tuple(
        target_result(store, step)
        for step in steps
        if step.kind == StepKind.TARGET and step.strategy not in failed
    )
    return RunResult(number, planned, steps, results, failed)


def write_page(
    config: Config, result: RunResult, console: Console | None = None
) -> Path | None:
    """Writes the page of a run, and returns its path; None if it cannot be written."""
    failed = str(StrategiesFailedError(result.failed)) if result.failed else ""
    return report_run(
        config, result.day, result.steps, console or Console(), error=failed
    )


def backfill(
    config: Config,
    first: Day,
    last: Day,
    strategies: Sequence[str] = (),
    *,
    console: Console | None = None,
) -> list[DayDone]:
    """Runs every day from `first` to `last` as `run` would have, oldest first.

    Args:
        config: The configuration.
        first: First run day.
        last: Last run day, included.
        strategies: Entries of `strategies`, or kinds; the configuration's `strategy`
            by default.
        console: Where progress is shown; standard output by default.

    Raises:
        ConfigError: `first` is after `last`.
        CrossctrError: A day failed; the days before it are kept.
    """
    console = console or Console()
    days = (_number(first), _number(last))
    if days[0] > days[1]:
        raise ConfigError(
            f"the first day, {to_date(days[0])}, is after the last day, "
            f"{to_date(days[1])}; swap them"
        )
    config, names = asked(config, strategies)
    console.print(
        f"crossctr {config.name}: {', '.join(config.sources)} -> {config.target}, "
        f"{len(DayRange(*days))} day(s) {DayRange(*days)}, {', '.join(names)}; full "
        f"logs of all libraries: {config.root / 'runs'}",
        soft_wrap=True,
    )
    with hold(config.root, command_line()):
        done = backfill_days(config, DayRange(*days), names, console)
        report_days(config, DayRange(*days), console)
    return done


def compare(
    config: Config,
    day: Day,
    strategies: Sequence[str] = (),
    *,
    seeds: int = LEAST_SEEDS,
    baseline: str = BASELINE_KIND,
    controls: bool = True,
    command: str = "",
    console: Console | None = None,
) -> Comparison:
    """Trains strategies on several seeds and compares them on the same impressions.

    Args:
        config: The configuration.
        day: The run's day D.
        strategies: Entries of `strategies`, or kinds; all entries by default.
        seeds: Trainings of each; fewer than the default tell no strategy apart.
        baseline: What the others are compared with.
        controls: Whether rows are added that control for the number of optimizer steps
            and for weights.
        command: How to make the comparison again, for its files.
        console: Where progress is shown; standard output by default.

    Returns:
        The comparison; `failed` names the strategies that are not in it.

    Raises:
        ConfigError: A strategy is not known, or cannot be compared on one day.
        StrategiesFailedError: The baseline failed.
        LockedError: Another command holds the root.
    """
    # Late, as it imports NumPy, SciPy and Arrow.
    from pipeline.comparing.run import Question
    from pipeline.comparing.run import chosen
    from pipeline.comparing.run import run_comparison

    names = [*(strategies or config.strategies), baseline]
    call = f"api.compare(config, {str(day)!r}, {list(strategies)!r}, seeds={seeds})"
    question = Question(
        config,
        _number(day),
        chosen(config, names),
        seeds,
        baseline,
        command or call,
        controls=controls,
    )
    with hold(config.root, command_line()):
        return run_comparison(question, console or Console())


def ablate(
    config: Config,
    day: Day,
    *,
    seeds: int = 1,
    command: str = "",
    console: Console | None = None,
) -> Comparison:
    """Compares E-CDCTR with itself without each of its parts.

    Args:
        config: The configuration.
        day: The run's day D.
        seeds: Trainings of each.
        command: How to make the comparison again, for its files.
        console: Where progress is shown; standard output by default.

    Returns:
        The comparison, with the whole as baseline.

    Raises:
        ConfigError: The configuration has no E-CDCTR to take parts from.
        StrategiesFailedError: The baseline failed.
        LockedError: Another command holds the root.
    """
    # Late, as it imports NumPy, SciPy and Arrow.
    from pipeline.comparing.ablation import ablation
    from pipeline.comparing.run import run_comparison

    again = command or f"api.ablate(config, {str(day)!r}, seeds={seeds})"
    question = ablation(config, _number(day), seeds, again)
    with hold(config.root, command_line()):
        return run_comparison(question, console or Console())


def _say_unread(planned: Plan, console: Console) -> None:
    """Names files in the logs' folders that no ingest reads."""
    for line in planned.unread:
        console.say(line, soft_wrap=True)


def _number(day: Day) -> int:
    if isinstance(day, int):
        return day
    try:
        return to_day(read_date(day))
    except ValueError as error:
        raise ConfigError(f"{error}; received {str(day)!r}") from error
