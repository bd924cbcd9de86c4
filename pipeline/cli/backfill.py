"""`crossctr backfill`: many days in order, in one process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from models.days import DayRange
from models.days import to_date
from models.errors import ConfigError
from pipeline import api
from pipeline.cli.options import CONFIG
from pipeline.cli.options import STRATEGY_HELP
from pipeline.cli.options import Day
from pipeline.cli.options import chosen_strategies
from pipeline.cli.options import wide_console
from pipeline.config.load import load_config
from pipeline.execution.backfill import first_failures
from pipeline.execution.failures import raise_failed


@click.command(name="backfill")
@CONFIG
@click.option("--from", "first", type=Day(), required=True, help="The first day.")
@click.option("--to", "last", type=Day(), required=True, help="The last, included.")
@click.option("--strategy", "-s", multiple=True, help=STRATEGY_HELP)
@click.option("--compare", is_flag=True, help="All entries of `strategies`.")
def backfill_command(
    config_path: Path, first: int, last: int, strategy: Sequence[str], compare: bool
) -> None:
    """Run every day from A to B as `run` would have on that day, oldest first.

    TFX is imported once. Days that are done are skipped, so the same command resumes
    where it was stopped. Ends with a table and a page of the days' metrics;
    `crossctr report --day D` makes the page of one of them.
    """
    config = load_config(config_path)
    if first > last:
        raise ConfigError(
            f"--from {to_date(first)} is after --to {to_date(last)}; swap them"
        )
    days = DayRange(first, last)
    console = wide_console()
    config, strategies = chosen_strategies(config, strategy, compare)
    console.print(
        f"crossctr {config.name}: {', '.join(config.sources)} -> {config.target}, "
        f"{len(days)} day(s) {days}, {', '.join(strategies)}; full logs of all "
        f"libraries: {config.root / 'runs'}",
        soft_wrap=True,
    )
    done = api.backfill(config, first, last, strategies, console=console)
    raise_failed(first_failures(done))
