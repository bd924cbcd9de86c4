"""`crossctr ablate`: what each part of the method is worth."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path

import click

from components.evaluation.metrics import COMPARED
from models.days import to_date
from pipeline.cli.options import CONFIG
from pipeline.cli.options import Day
from pipeline.cli.options import hold_root
from pipeline.cli.options import wide_console
from pipeline.comparing.ablation import WHOLE
from pipeline.comparing.ablation import ablation_variants
from pipeline.comparing.measure import Measured
from pipeline.comparing.measure import measure
from pipeline.comparing.tables import quality
from pipeline.comparing.trials import run_trials
from pipeline.comparing.words import interval_caveat
from pipeline.config.load import load_config
from pipeline.config.schema import Config
from pipeline.execution.failures import StrategiesFailedError
from pipeline.execution.failures import raise_failed
from pipeline.terminal.plain_text import Console
from pipeline.terminal.plain_text import Table


@click.command()
@CONFIG
@click.option("--day", type=Day(), required=True, help="The run's day D.")
@click.option(
    "--seeds", default=1, show_default=True, type=click.IntRange(1), help="Trainings."
)
def ablate(config_path: Path, day: int, seeds: int) -> None:
    """Leave out one part of E-CDCTR at a time and compare on the same rows.

    Every variant and seed is a step of its own: a command that was stopped goes on
    where it was. Nothing is published.
    """
    config = load_config(config_path)
    console = wide_console()
    hold_root(config)
    results, failed = run_ablation(config, day, seeds, console)
    console.print(ablation_table(results, failed, config, day, seeds))
    console.print(interval_caveat(seeds))
    raise_failed(failed)


def run_ablation(
    config: Config, day: int, seeds: int, console: Console
) -> tuple[list[Measured], Mapping[str, str]]:
    """Trains what is not stored yet, scores it and compares it with the whole.

    Returns:
        The variants that were compared, and why each other one failed.

    Raises:
        StrategiesFailedError: The whole failed, and there is nothing to compare with.
    """
    trials = run_trials(config, day, ablation_variants(config), seeds, console)
    if WHOLE in trials.failed:
        raise StrategiesFailedError(trials.failed)
    complete = trials.complete
    scored = {name: [one.scored for one in found] for name, found in complete.items()}
    return list(measure(scored, WHOLE).models), trials.failed


def ablation_table(
    results: Sequence[Measured],
    failed: Mapping[str, str],
    config: Config,
    day: int,
    seeds: int,
) -> Table:
    """Returns the variants' metrics and their differences to the whole."""
    title = (
        f"E-CDCTR on {config.target}, {to_date(day)}, mean of {seeds} seed(s) ± "
        "standard deviation; in brackets variant minus whole with its paired 95 % "
        "interval over users and seeds"
    )
    return quality(results, WHOLE, COMPARED, "variant", failed).as_rich(title)
