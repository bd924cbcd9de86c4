"""Comparison of strategies: train, score, measure, write the record.

<root>/comparisons/<day>/comparison.md, .csv, .svg, .json; `ablation` for an ablation.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models import durable_files
from models.days import to_date
from models.errors import ConfigError
from models.errors import DataError
from models.strategies.base import StrategyConfig
from pipeline.comparing import tables
from pipeline.comparing.costs import summary
from pipeline.comparing.measure import measure
from pipeline.comparing.picture import picture
from pipeline.comparing.record import Comparison
from pipeline.comparing.record import to_csv
from pipeline.comparing.record import to_json
from pipeline.comparing.trials import Trials
from pipeline.comparing.trials import run_trials
from pipeline.comparing.trials import seeds_of
from pipeline.comparing.words import interval_note
from pipeline.comparing.words import verdict
from pipeline.config.named_strategies import with_strategies
from pipeline.config.schema import Config
from pipeline.execution.failures import StrategiesFailedError
from pipeline.report.scoring import Scored
from pipeline.terminal.plain_text import Console

STEM = "comparison"


@dataclass(frozen=True)
class Question:
    """Strategies to compare, and how.

    Attributes:
        config: The configuration.
        day: The run's day D.
        strategies: The strategies by name, in order, the baseline among them.
        num_seeds: Number of trainings of each.
        baseline: The strategy that the others are compared with.
        command: The command line.
        stem: Name of the files, without suffix.
        controls: Whether controls are added, see `controls`.
    """

    config: Config
    day: int
    strategies: Mapping[str, StrategyConfig]
    num_seeds: int
    baseline: str
    command: str
    stem: str = STEM
    controls: bool = True


def run_comparison(question: Question, console: Console) -> Comparison:
    """Trains what is not stored yet and writes the comparison after every seed.

    Raises:
        DataError: The strategies were not scored on the same impressions.
        StrategiesFailedError: The baseline failed.
    """
    config = question.config
    folder = config.root / "comparisons" / str(to_date(question.day))
    latest: list[Comparison] = []

    def after_seed(trials: Trials) -> None:
        latest[:] = [compared(question, trials)]
        write(latest[0], folder, question.stem)
        seeds = len(latest[0].seeds)
        console.print(
            f"{seeds} of {question.num_seeds} seeds compared: {folder}", soft_wrap=True
        )

    run_trials(
        config,
        question.day,
        question.strategies,
        question.num_seeds,
        console,
        after_seed,
        controls=question.controls,
    )
    return latest[0]


def chosen(config: Config, names: Sequence[str]) -> dict[str, StrategyConfig]:
    """Returns entries of the configuration, or of kinds it does not name, by name.

    Args:
        config: The configuration.
        names: Names of entries, or of kinds; repeated names count once.

    Raises:
        ConfigError: A name is neither, or the kind does not fit the configuration or a
            comparison on one day.
    """
    extended = with_strategies(config, names)
    for name in names:
        kind = extended.kind_of(name)
        if not extended.needs(name).learns_on_first_day:
            raise ConfigError(
                f"strategy {name!r} is of kind {kind}, which scores on its first day "
                "as the target model it starts from; one day cannot compare it. Name "
                "the others with --strategies; docs/methods/ctnet.md says more"
            )
    return {name: extended.strategies[name] for name in names}


def compared(question: Question, trials: Trials) -> Comparison:
    """Returns the comparison of the trials so far; all strategies have the same seeds.

    Raises:
        StrategiesFailedError: The baseline failed.
    """
    if question.baseline in trials.failed:
        raise StrategiesFailedError(trials.failed)
    config, complete = question.config, trials.complete
    scored = {name: [one.scored for one in found] for name, found in complete.items()}
    oracle, note = oracle_of(question, scored[question.baseline][0])
    simple = trials.references
    reference_scores = simple.scores() if simple else {}
    measured = measure(
        scored,
        question.baseline,
        oracle=None if oracle is None else [oracle],
        references={name: [one] for name, one in reference_scores.items()},
    )
    now = datetime.datetime.now(tz=datetime.timezone.utc)
    return Comparison(
        name=config.name,
        target=config.target,
        sources=config.sources,
        day=to_date(question.day),
        last_day=to_date(question.day + config.evaluation_days - 1),
        seeds=tuple(seeds_of(config, len(complete[question.baseline]))),
        baseline=question.baseline,
        rows=measured.rows,
        clicks=measured.clicks,
        users=measured.users,
        coverage=measured.coverage,
        models=measured.models,
        costs={
            n: summary([one.cost for one in found]) for n, found in complete.items()
        },
        oracle=measured.oracle,
        note=note,
        command=question.command,
        written=now.replace(microsecond=0),
        failed=trials.failed.copy(),
        references=measured.references,
        best_reference=measured.best_reference,
        reference_notes={
            name: one.remark
            for name, one in (simple.by_name if simple else {}).items()
            if one.remark
        },
        guard=simple.guard if simple else "",
        random_effects=True,
        controls=trials.controls,
    )


def write(comparison: Comparison, folder: Path, stem: str = STEM) -> None:
    """Writes Markdown, CSV, picture and record, each by an atomic rename."""
    folder.mkdir(parents=True, exist_ok=True)
    for suffix, text in (
        (".md", markdown(comparison, f"{stem}.svg")),
        (".csv", to_csv(comparison)),
        (".svg", picture(comparison)),
        (".json", to_json(comparison)),
    ):
        durable_files.write_text(folder / f"{stem}{suffix}", text)


def markdown(comparison: Comparison, image: str = f"{STEM}.svg", level: int = 1) -> str:
    """Returns the comparison as Markdown.

    Args:
        comparison: The comparison.
        image: Path of the picture, relative to the page.
        level: Level of the heading.
    """
    grid = tables.quality(comparison)
    seeds = ", ".join(str(seed) for seed in comparison.seeds)
    sources = ", ".join(comparison.sources)
    words = "".join(f"* {sentence}\n" for sentence in verdict(comparison))
    drawn = picture(comparison)
    shown = f"![Difference to {comparison.baseline}]({image})\n\n" if drawn else ""
    return (
        f"{'#' * level} {comparison.name}: {sources} → {comparison.target}\n\n"
        f"{words}\n{shown}"
        f"Trained on the days before {comparison.day}, judged on {comparison.rows:,} "
        f"rows of {comparison.target} from {comparison.day} to {comparison.last_day}: "
        f"{comparison.clicks:,} clicks, {comparison.users:,} users; GAUC speaks for "
        f"{comparison.coverage:.1%} of the rows. Seeds {seeds}; ± is the standard "
        f"deviation over them. {interval_note(comparison)}\n\n"
        f"{grid.as_markdown()}\n"
        "What each costs, all levels that it needs. Seconds and milliseconds follow "
        "what else the machine does meanwhile; rows read and sizes do not:\n\n"
        f"{tables.cost(comparison).as_markdown()}\n"
        f"`{comparison.command}`, {comparison.written:%Y-%m-%d}\n"
    )


def oracle_of(
    question: Question, rows: Scored
) -> tuple[npt.NDArray[np.float64] | None, str]:
    """Returns the true click probabilities, or why they are not known."""
    config = question.config
    if config.simulate is None:
        return None, ""
    # Late, as it is for simulated logs only.
    from pipeline.datasets.simulation.oracle import probabilities_of

    try:
        known = probabilities_of(
            config.simulate.truth,
            config.target,
            to_date(question.day),
            config.evaluation_days,
            rows.users,
            rows.labels,
        )
    except DataError as error:
        return None, f"The oracle is not known: {error}."
    return known, ""
