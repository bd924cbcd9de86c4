"""`crossctr ablate`: a comparison of one strategy without each of its parts."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from models.days import to_date
from pipeline.cli.compare import show
from pipeline.cli.options import CONFIG
from pipeline.cli.options import Day
from pipeline.cli.options import hold_root
from pipeline.cli.options import wide_console
from pipeline.comparing.ablation import ablation
from pipeline.comparing.run import run_comparison
from pipeline.config.load import load_config
from pipeline.execution.failures import raise_failed


@click.command()
@CONFIG
@click.option("--day", type=Day(), required=True, help="The run's day D.")
@click.option(
    "--seeds", default=1, show_default=True, type=click.IntRange(1), help="Trainings."
)
def ablate(config_path: Path, day: int, seeds: int) -> None:
    """Leave out one part of E-CDCTR at a time and compare on the same impressions.

    The same as `compare` with these variants as strategies and the whole as baseline.
    Writes ablation.md, .csv, .svg and .json into <root>/comparisons/<day>/.
    """
    config = load_config(config_path)
    command = [
        *("crossctr", "ablate", str(config_path), "--day", str(to_date(day))),
        *("--seeds", str(seeds)),
    ]
    console = wide_console()
    question = ablation(config, day, seeds, shlex.join(command))
    hold_root(config)
    comparison = run_comparison(question, console)
    show(comparison, console)
    raise_failed(comparison.failed)
