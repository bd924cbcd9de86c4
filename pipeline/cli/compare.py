"""`crossctr compare`: strategies on the same impressions, with intervals and costs."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from models.days import to_date
from models.strategies.registry import BASELINE_KIND
from pipeline import api
from pipeline.cli.options import CONFIG
from pipeline.cli.options import Day
from pipeline.cli.options import names_of
from pipeline.cli.options import wide_console
from pipeline.comparing import tables
from pipeline.comparing.measure import LEAST_SEEDS
from pipeline.comparing.record import Comparison
from pipeline.comparing.words import verdict
from pipeline.config.load import load_config
from pipeline.execution.failures import raise_failed
from pipeline.terminal.plain_text import Console


@click.command(name="compare")
@CONFIG
@click.option("--day", type=Day(), required=True, help="The run's day D.")
@click.option(
    "--strategies",
    help="Entries of `strategies`, or kinds, with commas between. Default: all "
    "entries.",
)
@click.option(
    "--seeds",
    default=LEAST_SEEDS,
    show_default=True,
    type=click.IntRange(1),
    help="Trainings.",
)
@click.option(
    "--baseline",
    default=BASELINE_KIND,
    show_default=True,
    help="What the others are compared with.",
)
@click.option(
    "--controls/--no-controls",
    default=True,
    show_default=True,
    help="Rows that control for the number of optimizer steps and for weights.",
)
def compare_command(
    config_path: Path,
    day: int,
    strategies: str | None,
    seeds: int,
    baseline: str,
    controls: bool,
) -> None:
    """Train strategies on several seeds and compare them on the same impressions.

    Writes a Markdown table, a CSV and a picture into <root>/comparisons/<day>/, after
    every seed. Every strategy and seed is a step of its own: a command that was stopped
    resumes where it was. Nothing is gated or published.
    """
    config = load_config(config_path)
    names = names_of(strategies) or tuple(config.strategies)
    command = [
        *("crossctr", "compare", str(config_path), "--day", str(to_date(day))),
        *("--strategies", ",".join(names), "--seeds", str(seeds)),
        *("--baseline", baseline),
        *([] if controls else ["--no-controls"]),
    ]
    console = wide_console()
    comparison = api.compare(
        config,
        day,
        names,
        seeds=seeds,
        baseline=baseline,
        controls=controls,
        command=shlex.join(command),
        console=console,
    )
    show(comparison, console)
    raise_failed(comparison.failed)


def show(comparison: Comparison, console: Console) -> None:
    """Prints a comparison."""
    grid = tables.quality(comparison)
    title = (
        f"{comparison.name}, {comparison.day}: {comparison.rows:,} rows of "
        f"{comparison.target}, {comparison.clicks:,} clicks, "
        f"{len(comparison.seeds)} seed(s); in brackets paired 95 % intervals with "
        "seeds, users and items as random effects, * if told apart from zero"
    )
    console.print(grid.as_rich(title))
    console.print(tables.cost(comparison).as_rich("What each costs, all levels"))
    for sentence in verdict(comparison):
        console.print(sentence, soft_wrap=True, highlight=False)
