"""`crossctr ablate`: a comparison of one strategy without each of its parts."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from models.days import to_date
from pipeline import api
from pipeline.cli.command import Command
from pipeline.cli.options import CONFIG
from pipeline.cli.options import Day
from pipeline.cli.options import progress_console
from pipeline.execution.failures import raise_failed


@click.command(
    name="ablate",
    cls=Command,
    example="crossctr ablate configs/first_run.yaml --day 2024-01-29 --seeds 10",
    resume="seeds that were compared are in the files, finished trainings are kept; "
    "the same command goes on with the next",
)
@CONFIG
@click.option("--day", type=Day(), required=True, help="The run's day D.")
@click.option(
    "--seeds", default=1, show_default=True, type=click.IntRange(1), help="Seeds."
)
def ablate(config_path: Path, day: int, seeds: int) -> None:
    """Compare a strategy with variants that lack one part.

    The strategy is the configured one, or the first that has parts to leave out. The
    same as `compare`, with the complete strategy as baseline and `target_only` beside
    it. Writes ablation.md, .csv, .svg and .json into <root>/comparisons/<day>/.
    """
    config = api.load_config(config_path)
    command = [
        *("crossctr", "ablate", str(config_path), "--day", str(to_date(day))),
        *("--seeds", str(seeds)),
    ]
    console = progress_console()
    comparison = api.ablate(
        config, day, seeds=seeds, command=shlex.join(command), console=console
    )
    # Late, as it imports NumPy, SciPy and Arrow.
    from pipeline.comparing.show import show

    show(comparison, console)
    raise_failed(comparison.failed)
