"""Trials of a comparison: every strategy trained and scored on every seed.

Each trial is a step of its own and stored when it is done, so a command that was
stopped resumes. Seeds are the outer loop: after each one, all strategies can be
compared.
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

from components.references.stored import StoredReferences
from models.errors import ConfigError
from models.errors import CrossctrError
from models.strategies.base import StrategyConfig
from pipeline.comparing.controls import declared_controls
from pipeline.comparing.controls import equal_steps
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
from pipeline.store.references import references_of
from pipeline.terminal.plain_text import Console
from pipeline.terminal.plain_text import TextColumn
from pipeline.terminal.progress import quiet_libraries


class Trial(NamedTuple):
    """Scores and cost of one strategy on one seed."""

    scored: Scored
    cost: Cost


@dataclass
class Trials:
    """Trials of all strategies on the seeds so far.

    Attributes:
        complete: By strategy, one trial per seed.
        failed: By strategy, the first seed that failed and why; later seeds are not
            tried.
        references: Simple models on the same impressions; None without any.
        controls: What each control that was added stands for, by name.
    """

    complete: dict[str, list[Trial]]
    failed: dict[str, str] = field(default_factory=dict)
    references: StoredReferences | None = None
    controls: dict[str, str] = field(default_factory=dict)

    def fail(self, strategy: str, seed: int, reason: str) -> None:
        """Removes a strategy, as only strategies with all seeds are compared."""
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
    *,
    controls: bool = False,
    references: bool = True,
    quiet: bool = False,
) -> Trials:
    """Trains what is not stored yet and scores it on the evaluation impressions.

    Nothing is gated or published. A variant that fails is left out from then on.

    Args:
        config: The configuration.
        day: The run's day D.
        variants: Entries of `strategies` to compare, by name.
        num_seeds: Number of trainings of each.
        console: Shows progress.
        after_seed: Called after each seed with all trials so far.
        controls: Whether controls are added to the variants, see `controls`.
        references: Whether the references that the configuration has are made, too.
        quiet: Whether only the live line of the running step and warnings are shown.

    Raises:
        CrossctrError: A step failed that all variants depend on.
        StrategiesFailedError: No variant is left.
    """
    entries = dict(variants)
    if controls:
        entries |= declared_controls(config, variants)
    trials = Trials({name: [] for name in entries})
    bar = None if quiet else TrialBar(console, len(entries) * num_seeds)
    asked = _Asked(config, day, console, bar, references)
    for seed in seeds_of(config, num_seeds):
        if bar is not None:
            bar.seed(seed, len(trials.complete))
        _run_seed(asked, seed, entries, trials)
        if controls and seed == config.training.seed:
            costs = {name: found[0].cost for name, found in trials.complete.items()}
            added = equal_steps(config, entries, costs)
            trials.controls = {name: note for name, (_, note) in added.items()}
            trials.complete |= {name: [] for name in added}
            if bar is not None:
                bar.add(len(added) * num_seeds)
            more = {name: entry for name, (entry, _) in added.items()}
            entries |= more
            if more:
                _run_seed(asked, seed, more, trials)
        if bar is not None:
            bar.show()
        after_seed(trials)
    return trials


class _Asked(NamedTuple):
    """What stays the same in all trials."""

    config: Config
    day: int
    console: Console
    bar: TrialBar | None
    references: bool


def _run_seed(
    asked: _Asked, seed: int, entries: Mapping[str, StrategyConfig], trials: Trials
) -> None:
    """Trains and scores the entries that have not failed, on one seed.

    Raises:
        StrategiesFailedError: No entry is left.
    """
    console, bar = asked.console, asked.bar
    going = {name: entries[name] for name in entries if name in trials.complete}
    seeded = with_variants(asked.config, going, seed)
    make = functools.partial(
        Planner.run,
        day=asked.day,
        strategies=list(going),
        judge=False,
        references=asked.references,
    )
    plan = plan_when_ready(seeded, make, console)
    for name, reason in plan.refused.items():
        trials.fail(name, seed, reason)
    try:
        if bar is None:
            run_steps(seeded, plan.steps, console, only_live=True)
        else:
            run_steps(
                seeded, plan.steps, console, on_step=bar.finished, below=bar.shown
            )
    except StrategiesFailedError as error:
        for name, reason in error.reasons.items():
            trials.fail(name, seed, reason)
    _score(seeded, seed, plan.steps, trials, console, quiet=bar is None)
    if not trials.complete:
        raise StrategiesFailedError(trials.failed)


def run_references(config: Config, day: int, console: Console) -> StoredReferences:
    """Makes the references of a day, unless they are stored, and returns them.

    Raises:
        CrossctrError: They cannot be made.
    """
    make = functools.partial(Planner.run, day=day, strategies=[], judge=False)
    plan = plan_when_ready(config, make, console)
    run_steps(config, plan.steps, console, only_live=True)
    found = references_of(Store(config.root, config.metadata), plan.steps)
    if found is None:
        raise ConfigError(
            "references.rows is 0, which leaves references out; give a number, such as "
            "200000"
        )
    return found


def _score(
    config: Config,
    seed: int,
    steps: Sequence[Step],
    trials: Trials,
    console: Console,
    *,
    quiet: bool,
) -> None:
    """Scores the trials of a seed, with TensorFlow's output in a log file."""
    store = Store(config.root, config.metadata)
    trials.references = references_of(store, steps) or trials.references
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
            if not quiet and not is_scored(config, step):
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
    """Progress bar of the trials, with the estimated time left.

    On a terminal it is shown below the live line of the running step; elsewhere a line
    is printed after each trial.

    Attributes:
        shown: The progress bar, for below the live line.
    """

    def __init__(self, console: Console, total: int) -> None:
        """Makes a bar for `total` trials."""
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
        """Announces the `count` trials of a seed."""
        self._seed = seed
        self.shown.update(self._task, description=f"seed {seed}")
        self._console.print(f"Seed {seed}: {count} strategies")

    def add(self, count: int) -> None:
        """Adds trials that were not known before."""
        self._total += count
        self.shown.update(self._task, total=self._total)

    def finished(self, step: Step, console: Console) -> None:
        """Counts a finished step if it is a target step, which ends a trial."""
        if step.kind != StepKind.TARGET:
            return
        trial = f"{step.strategy}, seed {self._seed}"
        self.shown.update(self._task, advance=1, description=f"after {trial}")
        if not console.is_terminal:
            done = self.shown.tasks[0].completed
            console.print(f"trial {done:.0f}/{self._total}: {trial}")

    def show(self) -> None:
        """Prints the bar's current state."""
        if self._console.is_terminal:
            self._console.print(self.shown)
