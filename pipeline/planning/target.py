"""Target level: the model that each day's target model starts from."""

from __future__ import annotations

from collections.abc import Sequence

from models.errors import ConfigError
from pipeline.config.schema import Config
from pipeline.planning.blocks import BlockChain
from pipeline.planning.chain import chain
from pipeline.planning.pretraining import Pretraining
from pipeline.planning.source import SourceLevel
from pipeline.planning.steps import Known
from pipeline.planning.steps import Step
from pipeline.planning.steps import Training
from pipeline.planning.steps import newest
from pipeline.planning.trainings import TargetInputs
from pipeline.planning.trainings import Trainings


class TargetLevel:
    """Plans the target models of a day, with what is stored of earlier days."""

    def __init__(
        self,
        config: Config,
        known: Known,
        code: str,
        blocks: BlockChain,
        pretraining: Pretraining,
    ) -> None:
        """Collects what fingerprints are made of.

        Args:
            config: The configuration.
            known: What is stored.
            code: Hash of the code that makes artifacts.
            blocks: Plans the blocks of days.
            pretraining: Plans TPM and CPM.
        """
        self._config = config
        self._models = known.models
        self._blocks = blocks
        self._pretraining = pretraining
        self._source = SourceLevel(config, known, code)
        self._trainings = Trainings(config, code, pretraining)
        self._planned: dict[tuple[int, str, tuple[str, ...]], Training] = {}

    def training(self, day: int, strategy: str, strategies: Sequence[str]) -> Training:
        """Plans how the target model of `day` is made, without a source model.

        When CPM's clock ticks it restarts and replays its window; between two of CPM's
        ticks it continues from its own newest model before the day, on the days since.
        A day whose model is stored keeps it, though an earlier day was run only later.
        Strategies that start from no CPM follow the same rule and restart from scratch;
        those that mix domains do either on the impressions of all.

        Args:
            day: A tick of the target's clock.
            strategy: The entry of `strategies`.
            strategies: All entries of the run, which share their TPM periods.

        Raises:
            ConfigError: There is no day of logs to train CPM on.
        """
        start = max(self._pretraining.cpm_tick(day), self._config.first + 1)
        stored = set(self._models.values())
        earlier = sorted(past for past in stored if start <= past < day)
        # Oldest first: a day's model rests on those before it.
        planned: list[Training] = []
        for past in [*earlier, day]:
            inputs = self._inputs(past, strategy, strategies)
            planned.append(self._choose(inputs, planned))
        return planned[-1]

    def training_beside_source(
        self, day: int, strategy: str, strategies: Sequence[str]
    ) -> tuple[Training, Step]:
        """Plans how the target model of `day` is made that reads a source model.

        The first one is initialised from the same day's target model without the source
        model; it trains on no impressions yet and scores as that model does. From the
        next day on it trains on the new impressions alone, whether CPM's clock ticks or
        not.

        Args:
            day: A tick of the target's clock.
            strategy: The entry of `strategies`.
            strategies: All entries of the run, which share their TPM periods.

        Returns:
            The training and the source model that it reads.

        Raises:
            ConfigError: There is no day of logs to train the source model on.
        """
        sources: dict[str, Step] = {}
        reload = self._config.needs(strategy).newest_source

        def source_before(inputs: TargetInputs) -> str:
            step = self._source.before(inputs.day, strategy, inputs.history)
            sources[step.fingerprint] = step
            return step.fingerprint

        def begin(of: int) -> Training | None:
            inputs = self._inputs(of, strategy, strategies)
            try:
                source = source_before(inputs)
            except ConfigError:
                # A day that was run without this strategy may be too early for it.
                if of == day:
                    raise
                return None
            base = self._base(of, strategy, strategies)
            return self._trainings.initialised(inputs, base, source)

        def go_on(of: int, past: Training) -> Training:
            inputs = self._inputs(of, strategy, strategies)
            source = source_before(inputs) if reload else past.source
            return self._trainings.continued(inputs, past, source)

        training = chain(day, self._models, begin, go_on)
        if training is None or training.source is None:
            raise ValueError(f"{strategy} has no beginning on day {day}")
        return training, sources[training.source]

    def _base(self, day: int, strategy: str, strategies: Sequence[str]) -> Training:
        """Returns the training without a source model; a chain asks for it often."""
        key = (day, strategy, tuple(strategies))
        if key not in self._planned:
            self._planned[key] = self.training(day, strategy, strategies)
        return self._planned[key]

    def _inputs(
        self, day: int, strategy: str, strategies: Sequence[str]
    ) -> TargetInputs:
        history = self._blocks.before(day)
        periods = self._pretraining.periods(day, strategies, history)
        count = self._config.needs(strategy).tpm_periods
        snapshots = newest(periods, day, count)
        return TargetInputs(day, strategy, history, snapshots)

    def _choose(self, inputs: TargetInputs, earlier: Sequence[Training]) -> Training:
        """Returns the training to use, given those of earlier days, oldest first."""
        ways = [
            self._trainings.continued(inputs, past)
            for past in reversed(earlier)
            if past.fingerprint in self._models
        ]
        restart = self._trainings.restarted(inputs)
        if inputs.day == self._pretraining.cpm_tick(inputs.day):
            return restart
        ways.append(restart)
        done = [way for way in ways if way.fingerprint in self._models]
        return [*done, *ways][0]
