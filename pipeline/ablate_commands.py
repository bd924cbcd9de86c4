"""`crossctr ablate`: what each part of the method is worth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from components.metrics.bootstrap import Difference
from models.days import to_date
from pipeline.ablation import VariantResult
from pipeline.ablation import compare
from pipeline.ablation import ecdctr_variants
from pipeline.ablation import verdict
from pipeline.ablation import with_variants
from pipeline.config import Config
from pipeline.config_file import load_config
from pipeline.job import plan_when_ready
from pipeline.job import run_steps
from pipeline.options import CONFIG
from pipeline.options import Day
from pipeline.options import wide_console
from pipeline.plan import Planner
from pipeline.scoring import Scored
from pipeline.scoring import score_step
from pipeline.steps import Step
from pipeline.store import Store


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
    results = run_ablation(config, day, seeds, console)
    console.print(ablation_table(results, config, day, seeds))
    console.print(verdict(results))


def run_ablation(
    config: Config, day: int, seeds: int, console: Console
) -> list[VariantResult]:
    """Trains what is not stored yet, scores it and compares it with the whole."""
    variants = ecdctr_variants(config)
    scored: dict[str, list[Scored]] = {name: [] for name in variants}
    for index in range(seeds):
        seed = config.training.seed + index
        console.print(f"Seed {seed} ({index + 1} of {seeds}), {len(variants)} variants")
        seeded = with_variants(config, variants, seed)

        def steps(planner: Planner) -> list[Step]:
            return planner.run(day, list(variants), against_live=False)

        planned = plan_when_ready(seeded, steps, console)
        run_steps(seeded, planned.steps, console)
        store = Store(config.root)
        for step in planned.steps:
            if step.kind == "target":
                scored[step.strategy].append(score_step(seeded, store, step))
    return compare(scored)


def ablation_table(
    results: Sequence[VariantResult], config: Config, day: int, seeds: int
) -> Table:
    """Returns the variants' metrics and their differences to the whole."""
    table = Table(
        title=f"E-CDCTR on {config.target}, {to_date(day)}, mean of {seeds} seed(s); "
        "in brackets variant minus whole with its paired 95 % interval over users "
        "and seeds",
        title_justify="left",
    )
    table.add_column("variant")
    for name in ("AUC", "GAUC", "log loss"):
        table.add_column(name, justify="right")
        table.add_column(f"{name}: minus whole", justify="right")
    for result in results:
        cells = [result.name]
        for metric in ("auc", "gauc", "log_loss"):
            cells.append(f"{result.metrics[metric]:.4f}")
            cells.append(_interval(result.differences.get(metric)))
        table.add_row(*cells)
    return table


def _interval(difference: Difference | None) -> str:
    if difference is None:
        return ""
    return f"{difference.value:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}]"
