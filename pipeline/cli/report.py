"""`crossctr report`: the page of a run, or over days, again."""

from __future__ import annotations

from pathlib import Path

import click

from models.days import to_date
from models.errors import ConfigError
from pipeline.cli.command import Command
from pipeline.cli.options import CONFIG
from pipeline.cli.options import Day
from pipeline.cli.options import days_between
from pipeline.cli.options import wide_console
from pipeline.config.load import load_config
from pipeline.report.pages import day_writer
from pipeline.report.pages import days_writer
from pipeline.report.pages import write_quietly


@click.command(
    name="report",
    cls=Command,
    example="crossctr report configs/first_run.yaml --day 2024-01-29\n"
    "crossctr report configs/first_run.yaml --from 2024-01-29 --to 2024-01-30",
)
@CONFIG
@click.option("--day", type=Day(), help="Rebuild the page of this day's newest run.")
@click.option("--from", "first", type=Day(), help="Metrics over days: the first.")
@click.option("--to", "last", type=Day(), help="The last, included.")
def report_command(
    config_path: Path, day: int | None, first: int | None, last: int | None
) -> None:
    """Write the page of a day's run, or of many days.

    With --day, the page of the day's newest run; with --from and --to, metrics over
    days. One HTML file that needs no network. Nothing is trained; for the calibration
    plot of a day, its evaluation impressions are scored unless they are already.
    """
    config = load_config(config_path)
    console = wide_console()
    if day is not None and first is None and last is None:
        name, write = str(to_date(day)), day_writer(config, day)
    elif day is None and first is not None and last is not None:
        days = days_between(first, last)
        name, write = str(days), days_writer(config, days)
    else:
        raise ConfigError("expected either --day D, or --from A and --to B; give one")
    path = write_quietly(config, name, console, write)
    console.print(f"Report: {path}", soft_wrap=True)
