"""`crossctr backfill`: many days in order, in one process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from pipeline import api
from pipeline.cli.command import Command
from pipeline.cli.options import COMPARE
from pipeline.cli.options import CONFIG
from pipeline.cli.options import STRATEGY
from pipeline.cli.options import Day
from pipeline.cli.options import asked_for
from pipeline.cli.options import days_between
from pipeline.cli.options import progress_console
from pipeline.execution.backfill import first_failures
from pipeline.execution.failures import raise_failed


@click.command(
    name="backfill",
    cls=Command,
    example="crossctr backfill configs/first_run.yaml --from 2024-01-29 "
    "--to 2024-01-30",
    resume="finished days and steps are kept; the same command goes on with the next",
)
@CONFIG
@click.option("--from", "first", type=Day(), required=True, help="The first day.")
@click.option("--to", "last", type=Day(), required=True, help="The last, included.")
@STRATEGY
@COMPARE
def backfill_command(
    config_path: Path, first: int, last: int, strategy: Sequence[str], compare: bool
) -> None:
    """Run every day from A to B, oldest first, in one process.

    The results are those of `run` on each day. Days that are done are skipped, so the
    same command resumes where it was stopped. Ends with a table and a page of the days'
    metrics; `crossctr report --day D` makes the page of one of them.
    """
    days = days_between(first, last)
    config = api.load_config(config_path)
    names = asked_for(config, strategy, compare)
    done = api.backfill(
        config, days.first, days.last, names, console=progress_console()
    )
    raise_failed(first_failures(done))
