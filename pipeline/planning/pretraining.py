"""Pretraining steps: the TPM periods and CPM that the target models of a run read.

TPM's periods form a chain, and so do CPM's models with `levels.cpm.continues`: the
first one trains on a whole window, each later one continues from the one before, on
the days since. A chain starts on a day that `first_day` and the clocks determine, see
`Pretraining.periods`, so that it does not depend on the days that were run.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence

from models.days import DayRange
from models.days import to_date
from models.errors import ConfigError
from pipeline.config.schema import Config
from pipeline.planning.fingerprint import digest
from pipeline.planning.fingerprint import training_settings
from pipeline.planning.step_kinds import StepKind
from pipeline.planning.steps import Block
from pipeline.planning.steps import Known
from pipeline.planning.steps import Step
from pipeline.planning.steps import due_before
from pipeline.planning.steps import new_days
from pipeline.planning.steps import newest
from pipeline.planning.steps import overlapping
from pipeline.planning.steps import prints

# Plans the step of a tick that continues from another step, or starts anew from None.
_Planned = Callable[[int, Step | None], Step]


class Pretraining:
    """Plans TPM periods and CPM, whatever strategy asks for them."""

    def __init__(self, config: Config, known: Known, code: str) -> None:
        """Collects what fingerprints are made of.

        Args:
            config: The configuration.
            known: What is stored.
            code: Hash of the code that makes artifacts.
        """
        self._config = config
        self._known = known
        self._code = code
        self._first_day = config.first
        levels, anchor = config.levels, config.anchor
        self._tpm = levels.tpm.clock(anchor)
        self._cpm = levels.cpm.clock(anchor)
        # The chain of TPM periods, and the tick of CPM from which on it is read.
        self._first_period = self._tpm.first_tick(config.first + self._tpm.window)
        more = max(levels.tpm.snapshots - 1, 0) * self._tpm.every
        self._complete = self._cpm.first_tick(self._first_period + more)
        # A target that is planned over many days asks for the same chains often.
        self._planned: dict[tuple[object, ...], list[Step]] = {}

    def cpm_tick(self, day: int) -> int:
        """Returns the day of the newest CPM that is not after `day`."""
        return self._cpm.tick(day)

    def periods(
        self, run_day: int, strategies: Sequence[str], history: list[Block]
    ) -> list[Step]:
        """Plans every TPM period that the run reads, oldest first.

        Periods form a chain, each starting from the one before, so that all snapshots
        share one coordinate system. The chain starts with the first tick whose whole
        window has logs. Until it has `levels.tpm.snapshots` periods on a tick of CPM,
        a preliminary chain is read, which starts with the first tick that has any day
        of logs: a data set younger than that has snapshots, too. CPM may be older than
        the newest period and read earlier ones than the target does: both take theirs
        from one chain, the one of CPM's tick.

        Args:
            run_day: Day of the target models that read them.
            strategies: Entries of the configuration's `strategies`.
            history: Blocks that end before `run_day`.

        Returns:
            The periods that are read, and earlier ones that must be trained for them.
        """
        chain = self._period_chain(run_day, history)
        wanted = self._wanted(run_day, strategies, chain, history)
        return due_before(chain, min(wanted), max(wanted)) if wanted else []

    def cpm(self, run_day: int, strategy: str, history: list[Block]) -> list[Step]:
        """Plans the newest CPM that is not after `run_day`.

        Args:
            run_day: Day of the target model that reads it.
            strategy: The entry of `strategies` whose snapshots and network it has.
            history: Blocks that end before `run_day`.

        Returns:
            CPM, the last one, and earlier ones that must be trained for it.

        Raises:
            ConfigError: There is no day of logs to train it on.
        """
        key = (StepKind.CPM, strategy, run_day, _newest_block(history))
        if key not in self._planned:
            self._planned[key] = self._cpm_chain(run_day, strategy, history)
        return self._planned[key]

    def _cpm_chain(
        self, run_day: int, strategy: str, history: list[Block]
    ) -> list[Step]:
        tick, every = self.cpm_tick(run_day), self._cpm.every
        if tick <= self._first_day:
            raise ConfigError(
                f"CPM of {to_date(tick)} has no day to train on: the logs start on "
                f"{to_date(self._first_day)}; choose a later day or a denser "
                "levels.cpm.every_days"
            )
        network = self._config.network_of(strategy)
        count = self._config.needs(strategy).tpm_periods
        periods = self._period_chain(run_day, history) if count else []

        def plan(of: int, past: Step | None) -> Step:
            snapshots = newest(periods, of, count)
            pooled = ", mean" * bool(network.snapshot_pooling == "mean" and snapshots)
            return self._step(
                StepKind.CPM,
                f"CPM of {to_date(of)}, {len(snapshots)} snapshots{pooled}",
                of,
                run_day,
                history,
                past,
                snapshots=snapshots,
                strategy=strategy,
            )

        if not self._config.levels.cpm.continues:
            return [plan(tick, None)]
        # All models of a chain read snapshots, or none does: the interaction's width
        # depends on it. They are snapshots of one chain of periods.
        start = self._cpm.first_tick(self._first_day + self._cpm.window)
        if periods:
            start = max(start, self._cpm.first_tick(periods[0].day))
        if periods and tick >= self._complete:
            start = max(start, self._complete)
        chain = self._chain([*range(start, tick + 1, every)] or [tick], plan)
        return due_before(chain, tick, tick)

    def _wanted(
        self,
        run_day: int,
        strategies: Sequence[str],
        chain: Sequence[Step],
        history: list[Block],
    ) -> set[int]:
        """Returns the days of the TPM periods that the strategies read."""
        days = {step.fingerprint: step.day for step in chain}
        wanted: set[int] = set()
        for strategy in strategies:
            needs = self._config.needs(strategy)
            if not needs.tpm_periods:
                continue
            read = {*newest(chain, run_day, needs.tpm_periods)}
            if needs.cpm and self.cpm_tick(run_day) > self._first_day:
                for step in self.cpm(run_day, strategy, history):
                    read.update(step.snapshots)
            wanted.update(days[fingerprint] for fingerprint in read)
        return wanted

    def _period_chain(self, run_day: int, history: list[Block]) -> list[Step]:
        """Plans all TPM periods until `run_day`, see `periods`."""
        key = (StepKind.TPM, run_day, _newest_block(history))
        if key not in self._planned:
            start = self._first_period
            if self.cpm_tick(run_day) < self._complete:
                start = self._tpm.first_tick(self._first_day + 1)

            def plan(of: int, past: Step | None) -> Step:
                return self._step(
                    StepKind.TPM,
                    f"TPM of {to_date(of)}",
                    of,
                    run_day,
                    history,
                    past,
                    whole_window=self._config.levels.tpm.trains_on == "window",
                )

            ticks = range(start, self._tpm.tick(run_day) + 1, self._tpm.every)
            self._planned[key] = self._chain(list(ticks), plan)
        return self._planned[key]

    def _chain(self, ticks: Sequence[int], plan: _Planned) -> list[Step]:
        """Plans the steps of `ticks`, each continuing from the one before.

        The chain starts with a later tick if a step that is due would otherwise read
        what `crossctr clean` has removed, as after a change of the network's sizes.
        """
        chains = (_continued(ticks[start:], plan) for start in range(len(ticks)))
        readable = (chain for chain in chains if not self._reads_removed(chain))
        return next(readable, None) or _continued(ticks, plan)

    def _reads_removed(self, chain: Sequence[Step]) -> bool:
        removed = self._known.removed
        return any(not step.done and step.reads & removed for step in chain)

    def _step(
        self,
        kind: StepKind,
        label: str,
        tick: int,
        run_day: int,
        history: list[Block],
        past: Step | None,
        *,
        whole_window: bool = False,
        snapshots: tuple[str, ...] = (),
        strategy: str = "",
    ) -> Step:
        """Plans a pretraining step.

        Args:
            kind: TPM or CPM.
            label: Its name.
            tick: Its day.
            run_day: Day of the target models that read it.
            history: Blocks that end before `run_day`.
            past: The step that it continues from, if any.
            whole_window: Whether it trains on its whole window nevertheless.
            snapshots: Fingerprints of the TPM periods that it reads, newest first.
            strategy: The entry of `strategies` that it is for.
        """
        clock = self._tpm if kind is StepKind.TPM else self._cpm
        window = clock.logged_window(tick, self._first_day)
        days, note = window.days, window.note
        continues = past is not None and not whole_window
        if past is not None and continues:
            days = DayRange(past.day, tick - 1)
            name = past.label.split(",")[0]
            note = f"continues from {name}, trains on {new_days(days)}"
        blocks = overlapping(history, days)
        warm_start = past.fingerprint if past else None
        fingerprint = digest(
            *training_settings(self._config, self._code, str(kind), strategy),
            prints(blocks),
            str(days),
            snapshots,
            warm_start,
            continues,
        )
        return Step(
            kind=kind,
            label=label,
            day=tick,
            run_day=run_day,
            days=days,
            fingerprint=fingerprint,
            done=fingerprint in self._known.results,
            blocks=blocks,
            warm_start=warm_start,
            snapshots=snapshots,
            strategy=strategy,
            continues=continues,
            note=note,
        )


def _newest_block(history: Sequence[Block]) -> str:
    """Returns the newest block's fingerprint, which includes all earlier blocks'."""
    return history[-1].fingerprint if history else ""


def _continued(ticks: Sequence[int], plan: _Planned) -> list[Step]:
    chain: list[Step] = []
    for tick in ticks:
        chain.append(plan(tick, chain[-1] if chain else None))
    return chain
