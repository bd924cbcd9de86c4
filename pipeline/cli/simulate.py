"""`crossctr simulate`: logs whose true click probabilities are known."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from models.errors import ConfigError
from pipeline.cli.command import Command
from pipeline.cli.options import CONFIG
from pipeline.cli.options import hold_root
from pipeline.cli.options import progress_console
from pipeline.config.load import load_config
from pipeline.config.local_paths import local_folder
from pipeline.config.schema import Config
from pipeline.datasets.simulation.settings import PRESETS
from pipeline.datasets.simulation.settings import SimulationConfig
from pipeline.datasets.simulation.settings import plan_domains
from pipeline.terminal.plain_text import Table
from pipeline.terminal.progress import duration

if TYPE_CHECKING:
    from pipeline.datasets.simulation.oracle import OracleScore


@click.command(
    name="simulate",
    cls=Command,
    example="crossctr simulate configs/feeds_ads.yaml --preset small",
    resume="whole days are kept, and no day is there in part; the same command writes "
    "the others",
)
@CONFIG
@click.option(
    "--preset",
    type=click.Choice(list(PRESETS)),
    help="Size. Default: the configuration's.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    help="Seed of all draws. Default: the configuration's.",
)
def simulate(config_path: Path, preset: str | None, seed: int | None) -> None:
    """Write simulated logs with known click probabilities.

    The configuration's `simulate` section says how. Prints the metrics of the oracle,
    the best possible model. Existing days are kept, so a killed simulation resumes.
    """
    config = load_config(config_path)
    simulation = _chosen(config, preset, seed)
    logs = local_folder(config.logs, "logs", "`crossctr simulate`")
    hold_root(config)
    # Late, as Arrow and NumPy would slow the start of the command line.
    from pipeline.datasets.simulation.oracle import newest_days
    from pipeline.datasets.simulation.oracle import score_oracle
    from pipeline.datasets.simulation.writer import write_domains

    console = progress_console()
    plans = plan_domains(simulation, config.sources, config.target)
    num_days = simulation.num_days
    last_day = config.first_day + datetime.timedelta(days=num_days - 1)
    console.print(
        f"simulating {config.name}: preset {simulation.preset}, seed "
        f"{simulation.seed}, {num_days:,} days from {config.first_day} to {last_day}"
    )
    with console.status("simulating") as status:
        reports = write_domains(
            plans,
            seed=simulation.seed,
            first_day=config.first_day,
            num_days=num_days,
            logs=logs,
            truth=simulation.truth,
            recent_items=simulation.recent_items,
            on_progress=lambda name, rows: status.update(f"{name}: {rows:,} rows"),
        )
        status.update("scoring the oracle")
        spans = [(p.name, newest_days(p.rows_per_day, num_days)) for p in plans]
        # The evaluation days of a run of the first of them.
        if config.evaluation_days < num_days:
            spans.append((config.target, config.evaluation_days))
        scores = [
            score_oracle(
                simulation.truth,
                name,
                last_day - datetime.timedelta(days=days - 1),
                days,
            )
            for name, days in spans
        ]
    for report in reports:
        rate = report.rows_per_second
        speed = f" ({rate:,.0f} rows/s)" if rate else ""
        reused = f", {report.reused_days:,} reused" if report.reused_days else ""
        console.say(
            f"{report.domain}: {report.rows:,} rows in {report.days:,} days{reused}, "
            f"{duration(report.seconds)}{speed}"
        )
    console.say(oracle_table(scores))
    console.say(f"Logs are in {logs}", soft_wrap=True)
    console.say(
        f"The truth (p*, accidents), which no model reads, is in {simulation.truth}",
        soft_wrap=True,
    )


def oracle_table(scores: list[OracleScore]) -> Table:
    """Returns the table of the oracle's metrics, one line per domain and range."""
    table = Table(title="Oracle, scored by the true p*", title_justify="left")
    for name in ("domain", "days"):
        table.add_column(name)
    for name in (
        "rows",
        "click rate",
        "predicted/actual",
        "accidents",
        "AUC",
        "GAUC",
        "coverage",
        "log loss",
    ):
        table.add_column(name, justify="right")
    for score in scores:
        table.add_row(
            score.domain,
            f"{score.first_day}..{score.last_day}",
            f"{score.rows:,}",
            f"{score.click_rate:.4f}",
            f"{score.predicted_over_actual:.3f}",
            f"{score.accidents:.1%}",
            f"{score.auc:.4f}",
            f"{score.gauc:.4f}",
            f"{score.coverage:.1%}",
            f"{score.log_loss:.4f}",
        )
    return table


def _chosen(config: Config, preset: str | None, seed: int | None) -> SimulationConfig:
    """Returns the configuration's simulation with the command line's changes."""
    if config.simulate is None:
        raise ConfigError(
            "the configuration has no `simulate` section; add `simulate: {truth: "
            "<folder outside logs>}`, or start from configs/feeds_ads.yaml"
        )
    given = {"preset": preset, "seed": seed}
    changes = {key: value for key, value in given.items() if value is not None}
    return config.simulate.model_copy(update=changes)
