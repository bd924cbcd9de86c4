"""Trains and scores every (strategy, seed), seed by seed.

Each is a step of its own, stored when it is done, so a command that was stopped goes on
where it was. Seeds are outermost: what is there after any seed is comparable.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import NamedTuple

from rich.progress import BarColumn
from rich.progress import MofNCompleteColumn
from rich.progress import Progress
from rich.progress import TimeElapsedColumn
from rich.progress import TimeRemainingColumn

from models.errors import CrossctrError
from models.strategies.base import StrategyConfig
from pipeline.comparing.costs import Cost
from pipeline.comparing.costs import cost_of
from pipeline.config.schema import Config
from pipeline.execution.failures import StrategiesFailedError
from pipeline.execution.job import new_log_file
from pipeline.execution.job import plan_when_ready
from pipeline.execution.job import run_steps
from pipeline.planning.planner import Planner
from pipeline.planning.step_kinds import StepKind
from pipeline.planning.steps import Step
from pipeline.report.scoring import Scored
from pipeline.report.scoring import is_scored
from pipeline.report.scoring import score_step
from pipeline.store.reader import Store
from pipeline.terminal.plain_text import Console
from pipeline.terminal.plain_text import TextColumn
from pipeline.terminal.progress import quiet_libraries


class Trial(NamedTuple):
    """What one strategy came to on one seed."""

    scored: Scored
    cost: Cost


@dataclass
class Trials:
    """What the strategies came to on the seeds so far.

    Attributes:
        complete: By strategy, a trial of each seed.
        failed: The strategies that failed on a seed, with the first and the reason;
            later ones are not tried.
    """

    complete: dict[str, list[Trial]]
    failed: dict[str, str] = field(default_factory=dict)

    def fail(self, strategy: str, seed: int, reason: str) -> None:
        """Takes a strategy out: what is compared has every seed."""
        self.complete.pop(strategy, None)
        self.failed.setdefault(strategy, f"seed {seed}: {reason}")


def seeds_of(config: Config, count: int) -> list[int]:
    """Returns the configured seed and those after it."""
    return [config.training.seed + index for index in range(count)]


def run_trials(
    config: Config,
    day: int,
    variants: Mapping[str, StrategyConfig],
    num_seeds: int,
    console: Console,
    after_seed: Callable[[Trials], None] = lambda _: None,
) -> Trials:
    """Trains what is not stored yet, and scores it on the evaluation rows.

    Nothing is gated or published. A variant that fails is left out from then on.

    Args:
        config: The configuration.
        day: The run's day D.
        variants: Entries of `strategies` to compare, by name.
        num_seeds: Trainings of each.
        console: Where progress is shown.
        after_seed: Called with all trials so far when a seed's are complete.

    Raises:
        CrossctrError: A step failed that all variants rest on.
        StrategiesFailedError: No variant is left.
    """
    trials = Trials({name: [] for name in variants})
    bar = TrialBar(console, len(variants) * num_seeds)
    for seed in seeds_of(config, num_seeds):
        going = {name: variants[name] for name in trials.complete}
        seeded = with_variants(config, going, seed)
        make = functools.partial(
            Planner.run, day=day, strategies=list(going), judge=False
        )
        plan = plan_when_ready(seeded, make, console)
        for name, reason in plan.refused.items():
            trials.fail(name, seed, reason)
        bar.seed(seed, len(trials.complete))
        try:
            run_steps(
                seeded, plan.steps, console, on_step=bar.finished, below=bar.shown
            )
        except StrategiesFailedError as error:
            for name, reason in error.reasons.items():
                trials.fail(name, seed, reason)
        _score(seeded, seed, plan.steps, trials, console)
        if not trials.complete:
            raise StrategiesFailedError(trials.failed)
        bar.show()
        after_seed(trials)
    return trials


def _score(
    config: Config, seed: int, steps: Sequence[Step], trials: Trials, console: Console
) -> None:
    """Scores the trials of a seed, TensorFlow's words in a log file."""
    store = Store(config.root, config.metadata)
    targets = [
        step
        for step in steps
        if step.kind == StepKind.TARGET and step.strategy in trials.complete
    ]
    with contextlib.ExitStack() as stack:
        shown = console
        if not all(is_scored(config, step) for step in targets):
            shown = stack.enter_context(quiet_libraries(new_log_file(config), console))
        for step in targets:
            if not is_scored(config, step):
                shown.print(f"scoring {step.label}", style="dim")
            try:
                scored = score_step(config, store, step)
                cost = cost_of(store, step, steps, scored.milliseconds)
            except CrossctrError as error:
                trials.fail(step.strategy, seed, str(error))
            else:
                trials.complete[step.strategy].append(Trial(scored, cost))


def with_variants(
    config: Config, variants: Mapping[str, StrategyConfig], seed: int
) -> Config:
    """Returns `config` with these strategies, none published, trained on `seed`."""
    seeded = {"seed": seed}
    levels = {
        name: level.model_copy(
            update={"training": level.training.model_copy(update=seeded)}
        )
        for name in type(config.levels).model_fields
        if (level := getattr(config.levels, name)).training is not None
    }
    return config.model_copy(
        update={
            "strategies": dict(variants),
            "strategy": "",
            "training": config.training.model_copy(update=seeded),
            "levels": config.levels.model_copy(update=levels),
        }
    )


class TrialBar:
    """How many (strategy, seed) are trained, and how long the rest may take.

    On a terminal it stands below the live line of the running step; elsewhere every
    trial ends with a line.

    Attributes:
        shown: What to show below the live line.
    """

    def __init__(self, console: Console, total: int) -> None:
        """Shows `total` trials on `console`."""
        self._console = console
        self._total = total
        self._seed = 0
        self.shown = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
        )
        self._task = self.shown.add_task("trials", total=total)

    def seed(self, seed: int, count: int) -> None:
        """Says that `count` trials of a seed begin."""
        self._seed = seed
        self.shown.update(self._task, description=f"seed {seed}")
        self._console.print(f"Seed {seed}: {count} strategies")

    def finished(self, step: Step, console: Console) -> None:
        """Counts a step that ends a trial."""
        if step.kind != StepKind.TARGET:
            return
        trial = f"{step.strategy}, seed {self._seed}"
        self.shown.update(self._task, advance=1, description=f"after {trial}")
        if not console.is_terminal:
            done = self.shown.tasks[0].completed
            console.print(f"trial {done:.0f}/{self._total}: {trial}")

    def show(self) -> None:
        """Prints the bar as it is."""
        if self._console.is_terminal:
            self._console.print(self.shown)
