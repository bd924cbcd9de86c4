"""Pretraining steps: the TPM periods and CPM that the target models of a run read."""

from __future__ import annotations

from collections.abc import Sequence

from models.days import to_date
from models.errors import ConfigError
from pipeline.config.schema import Config
from pipeline.planning.fingerprint import digest
from pipeline.planning.fingerprint import training_settings
from pipeline.planning.step_kinds import StepKind
from pipeline.planning.steps import Block
from pipeline.planning.steps import Known
from pipeline.planning.steps import Step
from pipeline.planning.steps import newest
from pipeline.planning.steps import overlapping
from pipeline.planning.steps import prints


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
        self._clocks = {
            StepKind.TPM: levels.tpm.clock(anchor),
            StepKind.CPM: levels.cpm.clock(anchor),
        }

    def cpm_tick(self, day: int) -> int:
        """Returns the day of the newest CPM that is not after `day`."""
        return self._clocks[StepKind.CPM].tick(day)

    def periods(
        self, run_day: int, strategies: Sequence[str], history: list[Block]
    ) -> list[Step]:
        """Plans every TPM period that the run reads, oldest first.

        Periods form a chain, each starting from the one before, so that all snapshots
        share one coordinate system. CPM may be older than the newest period and read
        earlier ones than the target does: both take theirs from one chain. A chain that
        is stored whole is taken as it is, one whose earliest period is stored is
        continued; else the chain starts with the earliest period wanted.

        Args:
            run_day: Day of the target models that read them.
            strategies: Entries of the configuration's `strategies`.
            history: Blocks that end before `run_day`.
        """
        wanted = self._wanted(run_day, strategies)
        if not wanted:
            return []
        earliest, every = min(wanted), self._clocks[StepKind.TPM].every
        starts = [earliest]
        while starts[0] - every > self._first_day:
            starts.insert(0, starts[0] - every)
        chains = []
        for start in starts:
            days = range(start, max(wanted) + 1, every)
            chain = self._chain(run_day, days, history)
            chains.append([step for step in chain if step.day >= earliest])
        whole = [chain for chain in chains if all(step.done for step in chain)]
        begun = [chain for chain in chains if chain[0].done]
        return [*whole, *begun, chains[-1]][0]

    def cpm(
        self,
        run_day: int,
        strategy: str,
        periods: Sequence[Step],
        history: list[Block],
    ) -> Step:
        """Plans the newest CPM that is not after `run_day`.

        Args:
            run_day: Day of the target model that reads it.
            strategy: The entry of `strategies` whose snapshots and network it has.
            periods: TPM periods of the run, see `periods`.
            history: Blocks that end before `run_day`.

        Raises:
            ConfigError: There is no day of logs to train it on.
        """
        config, tick = self._config, self.cpm_tick(run_day)
        if tick <= self._first_day:
            raise ConfigError(
                f"CPM of {to_date(tick)} has no day to train on: the logs start on "
                f"{to_date(self._first_day)}; choose a later day or a denser "
                "levels.cpm.every_days"
            )
        network = config.network_of(strategy)
        snapshots = newest(periods, tick, config.needs(strategy).tpm_periods)
        pooled = ", mean" if network.snapshot_pooling == "mean" and snapshots else ""
        return self._step(
            StepKind.CPM,
            f"CPM of {to_date(tick)}, {len(snapshots)} snapshots{pooled}",
            tick,
            run_day,
            history,
            snapshots=snapshots,
            strategy=strategy,
        )

    def _wanted(self, run_day: int, strategies: Sequence[str]) -> set[int]:
        """Returns the days of the TPM periods that the strategies read."""
        clock, cpm_tick = self._clocks[StepKind.TPM], self.cpm_tick(run_day)
        wanted: set[int] = set()
        for needs in map(self._config.needs, strategies):
            for until in (run_day, cpm_tick) if needs.cpm else (run_day,):
                wanted.update(clock.ticks(until, needs.tpm_periods))
        return {period for period in wanted if period > self._first_day}

    def _chain(
        self, run_day: int, days: Sequence[int], history: list[Block]
    ) -> list[Step]:
        """Plans TPM periods of these days, each starting from the one before."""
        chain: list[Step] = []
        for day in days:
            parent = chain[-1].fingerprint if chain else None
            label = f"TPM of {to_date(day)}"
            chain.append(
                self._step(
                    StepKind.TPM, label, day, run_day, history, warm_start=parent
                )
            )
        return chain

    def _step(
        self,
        kind: StepKind,
        label: str,
        tick: int,
        run_day: int,
        history: list[Block],
        *,
        warm_start: str | None = None,
        snapshots: tuple[str, ...] = (),
        strategy: str = "",
    ) -> Step:
        """Returns a pretraining step on the logged days of the window of `tick`."""
        window = self._clocks[kind].logged_window(tick, self._first_day)
        blocks = overlapping(history, window.days)
        fingerprint = digest(
            *training_settings(self._config, self._code, str(kind), strategy),
            prints(blocks),
            str(window.days),
            warm_start if kind is StepKind.TPM else snapshots,
        )
        return Step(
            kind=kind,
            label=label,
            day=tick,
            run_day=run_day,
            days=window.days,
            fingerprint=fingerprint,
            done=fingerprint in self._known.results,
            blocks=blocks,
            warm_start=warm_start,
            snapshots=snapshots,
            strategy=strategy,
            note=window.note,
        )
