"""`crossctr compare`: strategies on the same impressions, with intervals and costs."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from models.days import to_date
from models.strategies.registry import BASELINE_KIND
from pipeline import api
from pipeline.cli.command import Command
from pipeline.cli.completion import StrategyNames
from pipeline.cli.options import CONFIG
from pipeline.cli.options import Day
from pipeline.cli.options import names_of
from pipeline.cli.options import progress_console
from pipeline.cli.output import answer
from pipeline.cli.output import output
from pipeline.comparing.limits import LEAST_SEEDS
from pipeline.execution.failures import raise_failed


@click.command(
    name="compare",
    cls=Command,
    as_json=True,
    example="crossctr compare configs/first_run.yaml --day 2024-01-29 --strategies "
    "ecdctr,joint",
    resume="seeds that were compared are in the files, finished trainings are kept; "
    "the same command goes on with the next",
)
@CONFIG
@click.option("--day", type=Day(), required=True, help="The run's day D.")
@click.option(
    "--strategies",
    type=StrategyNames(),
    help="Entries of `strategies`, or kinds, with commas between. Default: all "
    "entries.",
)
@click.option(
    "--seeds",
    default=LEAST_SEEDS,
    show_default=True,
    type=click.IntRange(1),
    help="Trainings of each strategy, with a seed each.",
)
@click.option(
    "--baseline",
    default=BASELINE_KIND,
    show_default=True,
    help="Strategy that the others are compared with.",
)
@click.option(
    "--controls/--no-controls",
    default=True,
    show_default=True,
    help="Models that rule out other causes of a gain: optimizer steps, weights.",
)
def compare_command(
    config_path: Path,
    day: int,
    strategies: str | None,
    seeds: int,
    baseline: str,
    controls: bool,
) -> None:
    """Train strategies with several seeds and compare them.

    All are scored on the same impressions. Writes a Markdown table, a CSV and a picture
    into <root>/comparisons/<day>/, after every seed. A command that was stopped resumes
    where it was. Nothing is gated or published.
    """
    config = api.load_config(config_path)
    names = names_of(strategies) or tuple(config.strategies)
    command = [
        *("crossctr", "compare", str(config_path), "--day", str(to_date(day))),
        *("--strategies", ",".join(names), "--seeds", str(seeds)),
        *("--baseline", baseline),
        *([] if controls else ["--no-controls"]),
    ]
    console = progress_console()
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
    # Late, as it imports NumPy, SciPy and Arrow.
    from pipeline.comparing.show import show

    if output().as_json:
        answer(vars(comparison))
    else:
        show(comparison, console)
    raise_failed(comparison.failed)
