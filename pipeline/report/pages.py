"""Pages at the end of a command, and again later."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from collections.abc import Sequence
from pathlib import Path

from models.days import DayRange
from models.days import to_date
from pipeline.config.schema import Config
from pipeline.planning.steps import Step
from pipeline.report.files import run_folder
from pipeline.terminal.plain_text import Console
from pipeline.terminal.progress import quiet_libraries

# Scoring takes some 10,000 impressions a second; a run should not end much later.
MAX_SCORED_ROWS = 200_000


def report_run(
    config: Config,
    day: int,
    steps: Sequence[Step],
    console: Console,
    *,
    error: str = "",
) -> Path | None:
    """Writes the page of a run that has just succeeded or failed.

    The run's result is stored already, and its error matters more than the page: any
    error here is printed and does not end the command.

    Args:
        config: The configuration.
        day: The run's day.
        steps: Its plan.
        console: Prints the page's path, or the error.
        error: Why the run failed; empty if it succeeded.

    Returns:
        The page; None if it could not be written.
    """

    def write() -> Path:
        from pipeline.report.content import gather
        from pipeline.report.content import record_of
        from pipeline.report.write import write_run

        record = record_of(config, day, steps, error)
        report = gather(config, record, max_scored_rows=MAX_SCORED_ROWS)
        return write_run(report, config.root)

    again = f"--day {to_date(day)}"
    return _at_the_end(config, str(to_date(day)), console, write, again)


def report_days(config: Config, days: DayRange, console: Console) -> Path | None:
    """Writes the page over the days of a command that has just ended.

    As in `report_run`, any error is printed and does not end the command.
    """
    again = f"--from {to_date(days.first)} --to {to_date(days.last)}"
    write = days_writer(config, days)
    return _at_the_end(config, str(days), console, write, again)


def _at_the_end(
    config: Config, name: str, console: Console, write: Callable[[], Path], again: str
) -> Path | None:
    try:
        path = write_quietly(config, name, console, write)
    # Any error at all: see `report_run`.
    except Exception as failure:  # noqa: BLE001
        text = f"{type(failure).__name__}: {' '.join(str(failure).split())}"
        console.say(
            f"The report could not be written ({text}). The run's result is "
            f"stored; `crossctr report CONFIG {again}` tries again.",
            style="bold red",
            markup=False,
            soft_wrap=True,
        )
        return None
    console.say(f"Report: {path}", soft_wrap=True)
    return path


def day_writer(config: Config, day: int) -> Callable[[], Path]:
    """Returns what writes the page of a day's newest run."""

    def write() -> Path:
        from pipeline.report.content import gather
        from pipeline.report.content import newest_record
        from pipeline.report.write import write_run

        report = gather(config, newest_record(config, day))
        return write_run(report, config.root)

    return write


def days_writer(config: Config, days: DayRange) -> Callable[[], Path]:
    """Returns what writes the page over some days."""

    def write() -> Path:
        from pipeline.report.over_days import gather_days
        from pipeline.report.write import write_days

        return write_days(gather_days(config, days), config.root)

    return write


def write_quietly(
    config: Config, name: str, console: Console, write: Callable[[], Path]
) -> Path:
    """Runs `write` and sends what TensorFlow prints to a file beside the page."""
    if not config.root.is_dir():
        # Nothing is stored, so `write` raises, and no file must be created.
        return write()
    log_file = run_folder(config.root, name) / "libraries.log"
    with quiet_libraries(log_file, console):
        try:
            return write()
        except Exception:
            with log_file.open("a", encoding="utf-8") as log:
                traceback.print_exc(file=log)
            raise
