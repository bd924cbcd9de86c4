"""What would run for a day, on which rows and artifacts: pure functions.

A plan is a list of steps in the order in which they run. Each step names the days of
rows it reads, the artifacts it reads by fingerprint, and whether its result is stored
already. The graphs are built from the steps; `crossctr plan` prints them.
"""

from __future__ import annotations

from collections.abc import Sequence

from models.days import DayRange
from models.days import to_date
from models.errors import ConfigError
from models.settings import NetworkConfig
from models.strategies.registry import origin
from pipeline.config.schema import Config
from pipeline.planning.blocks import BlockChain
from pipeline.planning.blocks import LogFingerprint
from pipeline.planning.calendar import Clock
from pipeline.planning.chain import SourceLevel
from pipeline.planning.chain import chain
from pipeline.planning.fingerprint import digest
from pipeline.planning.step_kinds import StepKind
from pipeline.planning.steps import Block
from pipeline.planning.steps import Known
from pipeline.planning.steps import Step
from pipeline.planning.steps import Training
from pipeline.planning.steps import block_of
from pipeline.planning.steps import live_before
from pipeline.planning.steps import newest
from pipeline.planning.steps import overlapping
from pipeline.planning.steps import prints


class Planner:
    """Plans the steps of one configuration.

    Attributes:
        refused: By strategy, why the newest `run` left it out; empty if it did not.
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
        self._source = SourceLevel(config, known, self._settings("source"))
        self._planned: dict[tuple[int, str], Training] = {}
        self.refused: dict[str, str] = {}

    def run(
        self, day: int, strategies: Sequence[str], *, judge: bool = True
    ) -> list[Step]:
        """Plans the run of `day`: what it ingests, trains, judges and publishes.

        One of several strategies that the day is too early for is left out, see
        `refused`.

        Args:
            day: The run's day D, days since 1970-01-01.
            strategies: Entries of the configuration's `strategies`, in order.
            judge: Whether models are evaluated beside the live one, gated and
                published; else they are only trained.

        Returns:
            The steps in running order; done ones are included.

        Raises:
            ConfigError: There is no day of logs before `day`, or none that a level of
                any strategy could be trained on.
        """
        self.refused = {}
        config = self._config
        first = self._first_day
        if day <= first:
            raise ConfigError(
                f"day {to_date(day)} leaves no day to train on: the logs start on "
                f"{to_date(first)} (`first_day`); choose a later day"
            )
        evaluation = DayRange(day, day + config.evaluation_days - 1)
        learned = self._target_clock.tick(day)
        if learned <= first:
            raise ConfigError(
                f"the target's clock ticked last on {to_date(learned)}, when there was "
                f"no day to train on: the logs start on {to_date(first)} "
                "(`first_day`); choose a later day or a denser levels.target.every_days"
            )
        chain = self.ingest(*sorted({learned, day}), evaluation.last)
        blocks = [block_of(step) for step in chain]
        history = [block for block in blocks if block.days.last < learned]
        judged = tuple(block for block in blocks if block.days.overlaps(evaluation))

        periods = self._tpm_steps(learned, strategies, history)
        steps = {step.fingerprint: step for step in [*chain, *periods]}
        targets = []
        for strategy in strategies:
            needs, added = self._config.needs(strategy), []
            try:
                if needs.cpm:
                    added = [self._cpm_step(learned, strategy, periods, history)]
                if needs.source_model:
                    training, before = self._beside_source(
                        day, learned, strategy, strategies
                    )
                    added += before
                else:
                    training = self._training(learned, strategy, strategies)
            except ConfigError as error:
                others = [name for name in strategies if name != strategy]
                if not others:
                    raise
                # Planned anew, as some of the TPM periods may have been its own.
                self._planned.clear()
                planned = self.run(day, others, judge=judge)
                self.refused[strategy] = str(error)
                return planned
            steps.update({step.fingerprint: step for step in added})
            targets.append(
                self._target_step(day, strategy, training, evaluation, judged, judge)
            )
        order = list(StepKind)
        upstream = sorted(steps.values(), key=lambda step: order.index(step.kind))
        return [*upstream, *targets]

    def ingest(self, *cuts: int) -> list[Step]:
        """Plans the chain of blocks, see `BlockChain.plan`."""
        return self._blocks.plan(*cuts)

    def knows(self, strategy: str) -> bool:
        """Whether `strategy` is an entry of the configuration."""
        return strategy in self._config.strategies

    @property
    def _first_day(self) -> int:
        return self._config.first

    def _window(self, clock: Clock, run_day: int) -> tuple[DayRange, str] | None:
        """Returns the window as far as logs go, and a note if that cuts it short."""
        window = clock.window_of(run_day)
        if window.last < self._first_day:
            return None
        if window.first >= self._first_day:
            return window, ""
        cut = DayRange(self._first_day, window.last)
        return cut, f"window starts with the logs, {len(window) - len(cut)} days short"

    def _settings(
        self, level: str, network: NetworkConfig | None = None
    ) -> list[object]:
        config = self._config
        return [
            self._code,
            level,
            (network or config.network).model_dump(),
            config.training_of(level).model_dump(),
        ]

    def _cpm_tick(self, day: int) -> int:
        return self._config.levels.cpm.clock(self._config.anchor).tick(day)

    def _tpm_steps(
        self, run_day: int, strategies: Sequence[str], history: list[Block]
    ) -> list[Step]:
        """Plans every TPM period that the run reads, oldest first.

        Periods chain, each starting from the one before, so that all snapshots share
        one coordinate system. CPM may be older than the newest period and read earlier
        ones than the target does: both take theirs from one chain. A chain that is
        stored whole is taken as it is, one whose earliest period is stored is
        continued; else the chain starts with the earliest period wanted.
        """
        level = self._config.levels.tpm
        clock = level.clock(self._config.anchor)
        config, cpm_tick = self._config, self._cpm_tick(run_day)
        wanted = {
            period
            for strategy in strategies
            for until in (run_day, *([cpm_tick] if config.needs(strategy).cpm else ()))
            for period in clock.ticks(until, config.needs(strategy).tpm_periods)
            if self._window(clock, period)
        }
        if not wanted:
            return []
        earliest = min(wanted)
        starts = [earliest]
        while self._window(clock, starts[0] - level.every_days):
            starts.insert(0, starts[0] - level.every_days)
        chains = []
        for start in starts:
            periods = range(start, max(wanted) + 1, level.every_days)
            chain = self._tpm_chain(run_day, clock, list(periods), history)
            chains.append([step for step in chain if step.day >= earliest])
        whole = [chain for chain in chains if all(step.done for step in chain)]
        begun = [chain for chain in chains if chain[0].done]
        return [*whole, *begun, chains[-1]][0]

    def _tpm_chain(
        self, run_day: int, clock: Clock, periods: list[int], history: list[Block]
    ) -> list[Step]:
        chain: list[Step] = []
        for period in periods:
            window, note = self._window(clock, period) or (DayRange(0, 0), "")
            blocks = overlapping(history, window)
            parent = chain[-1].fingerprint if chain else None
            fingerprint = digest(
                *self._settings("tpm"), prints(blocks), str(window), parent
            )
            chain.append(
                Step(
                    kind=StepKind.TPM,
                    label=f"TPM of {to_date(period)}",
                    day=period,
                    run_day=run_day,
                    days=window,
                    fingerprint=fingerprint,
                    done=fingerprint in self._known.results,
                    blocks=blocks,
                    warm_start=parent,
                    note=note,
                )
            )
        return chain

    def _cpm_step(
        self, day: int, strategy: str, periods: Sequence[Step], history: list[Block]
    ) -> Step:
        config = self._config
        count, network = config.needs(strategy).tpm_periods, config.network_of(strategy)
        clock = config.levels.cpm.clock(config.anchor)
        tick = self._cpm_tick(day)
        found = self._window(clock, tick)
        if found is None:
            raise ConfigError(
                f"CPM of {to_date(tick)} has no day to train on: the logs start on "
                f"{to_date(self._first_day)}; choose a later day or a denser "
                "levels.cpm.every_days"
            )
        window, note = found
        snapshots = newest(periods, tick, count)
        blocks = overlapping(history, window)
        fingerprint = digest(
            *self._settings("cpm", network), prints(blocks), str(window), snapshots
        )
        pooled = ", mean" if network.snapshot_pooling == "mean" and snapshots else ""
        return Step(
            kind=StepKind.CPM,
            label=f"CPM of {to_date(tick)}, {len(snapshots)} snapshots{pooled}",
            day=tick,
            run_day=day,
            days=window,
            fingerprint=fingerprint,
            done=fingerprint in self._known.results,
            blocks=blocks,
            snapshots=snapshots,
            strategy=strategy,
            note=note,
        )

    def _training(self, day: int, strategy: str, strategies: Sequence[str]) -> Training:
        """Plans how the target model of `day`, a tick of the target's clock, is made.

        When CPM's clock ticks it restarts and replays its window; between two of CPM's
        ticks it continues from its own newest model before the day, on the days since.
        A day whose model is stored keeps it, though an earlier day was run only later.
        Strategies that start from no CPM follow the same rule and restart from scratch;
        those that mix domains do either on the rows of all.
        """
        start = max(self._cpm_tick(day), self._first_day + 1)
        stored = set(self._known.models.values())
        earlier = sorted(past for past in stored if start <= past < day)
        # Oldest first: a day's model rests on those before it.
        planned: list[Training] = []
        for past in [*earlier, day]:
            planned.append(self._train_on(past, strategy, strategies, planned))
        return planned[-1]

    def _train_on(
        self,
        day: int,
        strategy: str,
        strategies: Sequence[str],
        earlier: Sequence[Training],
    ) -> Training:
        """Plans the training of `day`, given those of earlier days, oldest first."""
        history = [block_of(step) for step in self.ingest(day - 1)]
        periods = self._tpm_steps(day, strategies, history)
        snapshots = newest(periods, day, self._config.needs(strategy).tpm_periods)
        models = self._known.models
        ways = [
            self._continue(day, strategy, past, history, snapshots)
            for past in reversed(earlier)
            if past.fingerprint in models
        ]
        restart = self._restart(day, strategy, periods, history, snapshots)
        ways.append(restart)
        if day != self._cpm_tick(day):
            done = [way for way in ways if way.fingerprint in models]
            return [*done, *ways][0]
        return restart

    def _beside_source(
        self, day: int, learned: int, strategy: str, strategies: Sequence[str]
    ) -> tuple[Training, list[Step]]:
        """Plans the model of `learned` that reads a source model, and what it needs.

        Initialised from the same day's target model without the source model; it reads
        no impressions yet and scores as that model does. From the next day on it
        trains on the new impressions alone, whether CPM's clock ticks or not.
        """
        sources: dict[str, Step] = {}
        reload = self._config.needs(strategy).newest_source

        def source_of(of: int, history: list[Block]) -> str:
            step = self._source.before(of, history)
            sources[step.fingerprint] = step
            return step.fingerprint

        def begin(of: int) -> Training | None:
            history = [block_of(step) for step in self.ingest(of - 1)]
            try:
                source = source_of(of, history)
            except ConfigError:
                # A day that was run without this strategy may be too early for it.
                if of == learned:
                    raise
                return None
            if (of, strategy) not in self._planned:
                base = self._training(of, strategy, strategies)
                self._planned[of, strategy] = base
            base = self._planned[of, strategy]
            notes = [f"starts from the target model of {to_date(of)} as it is"]
            return self._as_training(
                of,
                strategy,
                DayRange(of - 1, of - 1),
                history,
                base.fingerprint,
                base.snapshots,
                notes,
                True,
                source=source,
                base=base,
            )

        def go_on(of: int, past: Training) -> Training:
            history = [block_of(step) for step in self.ingest(of - 1)]
            source = source_of(of, history) if reload else past.source
            periods = self._tpm_steps(of, strategies, history)
            snapshots = newest(periods, of, self._config.needs(strategy).tpm_periods)
            return self._continue(of, strategy, past, history, snapshots, source)

        training = chain(learned, self._known.models, begin, go_on)
        if training is None:
            raise ValueError(f"{strategy} has no beginning on day {learned}")
        before = [sources[training.source]] if training.source in sources else []
        if training.base is not None:
            before.append(self._base_step(day, strategy, training.base))
        return training, before

    def _base_step(self, day: int, strategy: str, training: Training) -> Step:
        return Step(
            kind=StepKind.BASE,
            label=f"target model that {strategy} starts from, {to_date(training.day)}",
            day=training.day,
            run_day=day,
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

    def _restart(
        self,
        day: int,
        strategy: str,
        periods: Sequence[Step],
        history: list[Block],
        snapshots: tuple[str, ...],
    ) -> Training:
        window, short = self._window(self._target_clock, day) or (DayRange(0, 0), "")
        cpm = None
        tick = self._cpm_tick(day)
        notes = [f"starts anew on {len(window)} days{self._of_domains(strategy)}"]
        if self._config.needs(strategy).cpm:
            cpm = self._cpm_step(day, strategy, periods, history)
            notes = [
                f"restarts from CPM of {to_date(tick)}, replays {len(window)} days"
            ]
        if day != tick:
            notes.append(f"no model of {to_date(tick)} or later to continue from")
        if cpm is not None and snapshots and not cpm.snapshots:
            # The interaction's width depends on whether there are snapshots.
            snapshots = ()
            notes.append("no snapshots, as CPM had none yet")
        base = cpm.fingerprint if cpm is not None else None
        notes.append(short)
        return self._as_training(day, strategy, window, history, base, snapshots, notes)

    def _continue(
        self,
        day: int,
        strategy: str,
        past: Training,
        history: list[Block],
        snapshots: tuple[str, ...],
        source: str | None = None,
    ) -> Training:
        window = self._target_clock.window_of(day)
        days = DayRange(max(past.day, window.first), window.last)
        notes = [
            f"continues from {self._model_name(strategy, source)} of "
            f"{to_date(past.day)}, "
            f"trains on {len(days)} new {'day' if len(days) == 1 else 'days'}"
            f"{self._of_domains(strategy)}"
        ]
        if past.day < days.first:
            notes.append(f"{days.first - past.day} older days lie before its window")
        if snapshots and not past.snapshots:
            snapshots = ()
            until = "" if source else " until CPM's next tick"
            notes.append(f"no snapshots{until}, as it started without")
        return self._as_training(
            day,
            strategy,
            days,
            history,
            past.fingerprint,
            snapshots,
            notes,
            True,
            source=source,
        )

    def _as_training(
        self,
        day: int,
        strategy: str,
        days: DayRange,
        history: list[Block],
        warm_start: str | None,
        snapshots: tuple[str, ...],
        notes: Sequence[str],
        continues: bool = False,
        *,
        source: str | None = None,
        base: Training | None = None,
    ) -> Training:
        config = self._config
        blocks = overlapping(history, days)
        # What all keys of an entry of somebody else's strategy do is not known here.
        foreign = origin(config.kind_of(strategy))
        fingerprint = digest(
            *self._settings("target", config.network_of(strategy)),
            config.domains_of(strategy),
            config.strategy_of(strategy).identity(source_model=source is not None),
            [config.needs(strategy).batch_norm, config.levels.target.calibration_days],
            prints(blocks),
            str(days),
            snapshots,
            warm_start,
            continues,
            [*foreign, config.entry_of(strategy)] if foreign else [],
            [source, base is not None] if source else None,
        )
        return Training(
            day=day,
            days=days,
            fingerprint=fingerprint,
            blocks=blocks,
            warm_start=warm_start,
            continues=continues,
            snapshots=snapshots,
            note="; ".join(note for note in notes if note),
            source=source,
            base=base,
        )

    def _of_domains(self, strategy: str) -> str:
        return " of all domains" if len(self._config.domains_of(strategy)) > 1 else ""

    def _model_name(self, strategy: str, source: str | None) -> str:
        if self._config.needs(strategy).source_model and not source:
            return "the target model"
        return self._config.strategy_of(strategy).model_name or strategy

    @property
    def _target_clock(self) -> Clock:
        return self._config.levels.target.clock(self._config.anchor)

    def _target_step(
        self,
        day: int,
        strategy: str,
        training: Training,
        evaluation: DayRange,
        judged: tuple[Block, ...],
        judge: bool,
    ) -> Step:
        config = self._config
        live = live_before(self._known.live, day) if judge else None
        publishes = judge and strategy == config.strategy
        fingerprint = digest(
            training.fingerprint,
            strategy,
            str(evaluation),
            prints(judged),
            config.judging() if judge else None,
            [str(config.serving.directory), config.name] if publishes else None,
            live,
        )
        return Step(
            kind=StepKind.TARGET,
            label=f"{strategy} for {config.target} on {to_date(day)}",
            day=training.day,
            run_day=day,
            days=training.days,
            fingerprint=fingerprint,
            # A publishing step that was killed after the Gate is not done.
            done=fingerprint in self._known.results
            and (not publishes or fingerprint in self._known.published)
            if judge
            else training.fingerprint in self._known.models,
            blocks=training.blocks,
            warm_start=training.warm_start,
            snapshots=training.snapshots,
            source=training.source,
            begins=training.base is not None,
            strategy=strategy,
            training=training.fingerprint,
            continues=training.continues,
            evaluation=evaluation,
            evaluation_blocks=judged,
            live=live,
            judged=judge,
            note=training.note,
        )
