"""`crossctr tune`: the same budget of trials for each strategy and reference."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from models.days import to_date
from pipeline.cli.command import Command
from pipeline.cli.completion import StrategyNames
from pipeline.cli.options import CONFIG
from pipeline.cli.options import Day
from pipeline.cli.options import hold_root
from pipeline.cli.options import names_of
from pipeline.cli.options import progress_console
from pipeline.config.load import load_config
from pipeline.terminal.progress import duration

if TYPE_CHECKING:
    from pipeline.tuning.studies import Judged
    from pipeline.tuning.studies import TunedTrial


@click.command(
    name="tune",
    cls=Command,
    example="crossctr tune configs/first_run.yaml --day 2024-01-29 --strategies "
    "ecdctr,gbdt --trials 20",
    resume="finished trials are kept, and the file of frozen values is as it was; the "
    "same command goes on with the next",
)
@CONFIG
@click.option("--day", type=Day(), required=True, help="The run's day D.")
@click.option(
    "--strategies",
    type=StrategyNames(),
    help="Entries of `strategies`, kinds, and the references `logistic` and `gbdt`, "
    "with commas between. Default: all entries and both references.",
)
@click.option(
    "--trials",
    "num_trials",
    default=20,
    show_default=True,
    type=click.IntRange(1, 10_000),
    help="Trials of each; the first has the configuration's values.",
)
@click.option(
    "--origins",
    "num_origins",
    default=3,
    show_default=True,
    type=click.IntRange(1, 100),
    help="Earlier days that each trial is trained up to and judged from.",
)
@click.option(
    "--seeds",
    "num_seeds",
    default=1,
    show_default=True,
    type=click.IntRange(1, 100),
    help="Trainings of each trial at each origin, with a seed each.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File of the best values. Default: tuned/<CONFIG's name> beside CONFIG.",
)
def tune_command(
    config_path: Path,
    day: int,
    strategies: str | None,
    num_trials: int,
    num_origins: int,
    num_seeds: int,
    output: Path | None,
) -> None:
    """Tune strategies and references on days before a run's day.

    Each trial is judged by log loss on several windows that end before the day; no
    impression of the day or later is read. Writes the best values and, beside them, a
    CSV of all trials; the configuration's key `tuned` uses them. A command that was
    stopped resumes where it was.
    """
    # Late, as they import NumPy and Arrow.
    from pipeline.tuning.results import budgets
    from pipeline.tuning.results import table_of
    from pipeline.tuning.results import write_results
    from pipeline.tuning.space import FAMILIES
    from pipeline.tuning.tune import task_of
    from pipeline.tuning.tune import tune

    config = load_config(config_path)
    names = names_of(strategies) or (*config.strategies, *FAMILIES)
    path = output or config_path.parent / "tuned" / f"{config_path.stem}.yaml"
    command = [
        *("crossctr", "tune", str(config_path), "--day", str(to_date(day))),
        *("--strategies", ",".join(names), "--trials", str(num_trials)),
        *("--origins", str(num_origins), "--seeds", str(num_seeds)),
    ]
    console = progress_console()
    task = task_of(
        config,
        day,
        names,
        num_trials=num_trials,
        num_origins=num_origins,
        num_seeds=num_seeds,
    )
    hold_root(task.config)
    windows = ", ".join(str(origin.judged) for origin in task.origins)
    console.print(
        f"{len(task.names)} names, {num_trials} trials each, judged by log loss on "
        f"{windows}; trials are kept in {task.config.root}",
        soft_wrap=True,
    )

    def show(name: str, trial: TunedTrial) -> None:
        line = f"{name}, trial {trial.number + 1}/{num_trials}: {_told(trial.judged)}"
        console.print(line, soft_wrap=True, highlight=False)

    found = tune(task, console, show)
    for name, trials in found.items():
        console.say(table_of(task, name, trials))
    write_results(task, found, path, shlex.join(command))
    for line in (_where(path), budgets(path)):
        if line:
            console.say(line, soft_wrap=True)


def _where(path: Path) -> str:
    return (
        f"Frozen values are in {path}, all trials in {path.with_suffix('.csv')}. Add "
        "`tuned: <that file, relative to the configuration>` to use them"
    )


def _told(judged: Judged) -> str:
    """Returns a trial's result in words."""
    told = f"failed: {judged.failure}"
    if judged.log_loss is not None:
        told = f"log loss {judged.log_loss:.4f}"
    auc = "" if judged.auc is None else f", AUC {judged.auc:.4f}"
    return f"{told}{auc} ({duration(judged.seconds)})"
