"""Planner: what a run of a day does, on which impressions and artifacts.

A plan is a list of steps in running order. Each step names the days of impressions it
reads, the artifacts it reads by fingerprint, and whether its result is stored already.
The graphs are built from the steps; `crossctr plan` prints them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

from models.days import DayRange
from models.days import to_date
from models.errors import ConfigError
from pipeline.config.schema import Config
from pipeline.planning.blocks import BlockChain
from pipeline.planning.blocks import LogFingerprint
from pipeline.planning.fingerprint import digest
from pipeline.planning.pretraining import Pretraining
from pipeline.planning.references import references_step
from pipeline.planning.step_kinds import StepKind
from pipeline.planning.steps import Block
from pipeline.planning.steps import Known
from pipeline.planning.steps import Step
from pipeline.planning.steps import Training
from pipeline.planning.steps import block_of
from pipeline.planning.steps import live_before
from pipeline.planning.steps import overlapping
from pipeline.planning.steps import prints
from pipeline.planning.target import TargetLevel


class _Run(NamedTuple):
    """The days of a run.

    Attributes:
        day: The run's day D.
        learned: Day of the target models: the newest tick of the target's clock.
        evaluation: Days on whose target impressions they are evaluated.
        judge: Whether they are evaluated and gated, not only trained.
        references: Whether references are planned beside them.
    """

    day: int
    learned: int
    evaluation: DayRange
    judge: bool
    references: bool


class Planner:
    """Plans the steps of one configuration.

    Attributes:
        refused: By strategy, why the last call of `run` left it out.
    """

    def __init__(
        self, config: Config, known: Known, logs: LogFingerprint, code: str
    ) -> None:
        """Collects what fingerprints are made of.

        Args:
            config: The configuration.
            known: What is stored.
            logs: Hash of the log files of a range of days.
            code: Hash of the code that makes artifacts.
        """
        self._config = config
        self._known = known
        self._code = code
        self._blocks = BlockChain(config, known, logs, code)
        self._pretraining = Pretraining(config, known, code)
        self._target = TargetLevel(config, known, code, self._blocks, self._pretraining)
        self.refused: dict[str, str] = {}

    def run(
        self,
        day: int,
        strategies: Sequence[str],
        *,
        judge: bool = True,
        references: bool = True,
    ) -> list[Step]:
        """Plans the run of `day`: what it ingests, trains, judges and publishes.

        A strategy that the day is too early for is left out if others remain, see
        `refused`.

        Args:
            day: The run's day D, days since 1970-01-01.
            strategies: Entries of the configuration's `strategies`, in order; none for
                the references alone.
            judge: Whether models are compared with the live one, gated and published;
                else they are only trained.
            references: Whether the references that the configuration has are planned.

        Returns:
            The steps in running order; done ones are included.

        Raises:
            ConfigError: There is no day of logs before `day`, or none that a level of
                any strategy could be trained on.
        """
        self.refused = {}
        run = self._days_of(day, judge, references)
        steps, refused = self._plan(run, strategies)
        if refused:
            left = [name for name in strategies if name not in refused]
            if not left:
                raise list(refused.values())[-1]
            # Planned anew, as some of the TPM periods may have been the refused ones'.
            steps, _ = self._plan(run, left)
            self.refused = {name: str(error) for name, error in refused.items()}
        return steps

    def ingest(self, *cuts: int) -> list[Step]:
        """Plans the chain of blocks, see `BlockChain.plan`."""
        return self._blocks.plan(*cuts)

    def knows(self, strategy: str) -> bool:
        """Whether `strategy` is an entry of the configuration."""
        return strategy in self._config.strategies

    def _days_of(self, day: int, judge: bool, references: bool) -> _Run:
        """Returns the days of the run of `day`.

        Raises:
            ConfigError: There is no day of logs to train on.
        """
        config, first = self._config, self._config.first
        if day <= first:
            raise ConfigError(
                f"day {to_date(day)} leaves no day to train on: the logs start on "
                f"{to_date(first)} (`first_day`); choose a later day"
            )
        learned = config.levels.target.clock(config.anchor).tick(day)
        if learned <= first:
            raise ConfigError(
                f"the target's clock ticked last on {to_date(learned)}, when there was "
                f"no day to train on: the logs start on {to_date(first)} "
                "(`first_day`); choose a later day or a denser levels.target.every_days"
            )
        evaluation = DayRange(day, day + config.evaluation_days - 1)
        return _Run(day, learned, evaluation, judge, references)

    def _plan(
        self, run: _Run, strategies: Sequence[str]
    ) -> tuple[list[Step], dict[str, ConfigError]]:
        """Plans a run.

        Returns:
            The steps in running order, and why the run is too early for strategies.
        """
        chain = self.ingest(*sorted({run.learned, run.day}), run.evaluation.last)
        blocks = [block_of(step) for step in chain]
        history = [block for block in blocks if block.days.last < run.learned]
        periods = self._pretraining.periods(run.learned, strategies, history)
        steps = {step.fingerprint: step for step in [*chain, *periods]}
        targets, refused = [], {}
        for strategy in strategies:
            try:
                training, before = self._level(run, strategy, strategies, history)
            except ConfigError as error:
                refused[strategy] = error
                continue
            steps.update({step.fingerprint: step for step in before})
            targets.append(self._target_step(run, strategy, training, blocks))
        # Without strategies, the references alone are asked for.
        wanted = targets or not strategies
        beside = self._references(run, history, blocks) if wanted else None
        if beside is not None:
            steps[beside.fingerprint] = beside
            targets = [
                dataclasses.replace(step, references=beside.fingerprint)
                for step in targets
            ]
        order = list(StepKind)
        upstream = sorted(steps.values(), key=lambda step: order.index(step.kind))
        return [*upstream, *targets], refused

    def _level(
        self,
        run: _Run,
        strategy: str,
        strategies: Sequence[str],
        history: list[Block],
    ) -> tuple[Training, list[Step]]:
        """Plans a strategy's target model, and the models that it rests on.

        Raises:
            ConfigError: One of them has no day of logs to be trained on.
        """
        needs, before = self._config.needs(strategy), []
        if needs.cpm:
            before += self._pretraining.cpm(run.learned, strategy, history)
        if not needs.source_model:
            training = self._target.training(run.learned, strategy, strategies)
            return training, before
        training, source = self._target.training_beside_source(
            run.learned, strategy, strategies
        )
        before.append(source)
        if training.base is not None:
            before.append(self._base_step(run, strategy, training.base))
        return training, before

    def _references(
        self, run: _Run, history: list[Block], blocks: Sequence[Block]
    ) -> Step | None:
        """Plans the references on the target level's window; None without any."""
        if not run.references or not self._config.references.rows:
            return None
        return references_step(
            self._config,
            self._known,
            self._code,
            run_day=run.day,
            day=run.learned,
            evaluation=run.evaluation,
            history=history,
            judged=overlapping(blocks, run.evaluation),
        )

    def _base_step(self, run: _Run, strategy: str, training: Training) -> Step:
        return Step(
            kind=StepKind.BASE,
            label=f"target model that {strategy} starts from, {to_date(training.day)}",
            day=training.day,
            run_day=run.day,
            days=training.days,
            fingerprint=training.fingerprint,
            done=training.fingerprint in self._known.models,
            blocks=training.blocks,
            warm_start=training.warm_start,
            snapshots=training.snapshots,
            strategy=strategy,
            continues=training.continues,
            judged=False,
            note=training.note,
        )

    def _target_step(
        self, run: _Run, strategy: str, training: Training, blocks: Sequence[Block]
    ) -> Step:
        config, evaluation = self._config, run.evaluation
        judged = overlapping(blocks, evaluation)
        live = live_before(self._known.live, run.day) if run.judge else None
        publishes = run.judge and strategy == config.strategy
        fingerprint = digest(
            training.fingerprint,
            strategy,
            str(evaluation),
            prints(judged),
            config.judging() if run.judge else None,
            [str(config.serving.directory), config.name] if publishes else None,
            live,
        )
        return Step(
            kind=StepKind.TARGET,
            label=f"{strategy} for {config.target} on {to_date(run.day)}",
            day=training.day,
            run_day=run.day,
            days=training.days,
            fingerprint=fingerprint,
            # A publishing step that was killed after the Gate is not done.
            done=fingerprint in self._known.results
            and (not publishes or fingerprint in self._known.published)
            if run.judge
            else training.fingerprint in self._known.models,
            blocks=training.blocks,
            warm_start=training.warm_start,
            snapshots=training.snapshots,
            source=training.source,
            initialize_only=training.base is not None,
            strategy=strategy,
            training=training.fingerprint,
            continues=training.continues,
            evaluation=evaluation,
            evaluation_blocks=judged,
            live=live,
            judged=run.judge,
            note=training.note,
        )
