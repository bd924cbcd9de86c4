"""Source models, trained on the source domains for target models that read them.

They form one chain: a day's model continues the newest one before it, on the days
since.
"""

from __future__ import annotations

from models.days import DayRange
from models.days import to_date
from models.errors import ConfigError
from pipeline.config.schema import Config
from pipeline.planning.calendar import Clock
from pipeline.planning.chain import chain
from pipeline.planning.fingerprint import digest
from pipeline.planning.fingerprint import training_settings
from pipeline.planning.step_kinds import StepKind
from pipeline.planning.steps import Block
from pipeline.planning.steps import Known
from pipeline.planning.steps import Step
from pipeline.planning.steps import new_days
from pipeline.planning.steps import overlapping
from pipeline.planning.steps import prints


class SourceLevel:
    """Plans the source models: CPM's network with a daily clock, continued for ever."""

    def __init__(self, config: Config, known: Known, code: str) -> None:
        """Collects what the fingerprint of a source model is made of.

        Args:
            config: The configuration.
            known: What is stored.
            code: Hash of the code that makes artifacts.
        """
        self._config = config
        self._code = code
        self._stored = known.sources
        self._first_day = config.first
        self._planned: dict[tuple[int, str, str], Step | None] = {}

    @property
    def _clock(self) -> Clock:
        return self._config.levels.source.clock(self._config.anchor)

    def before(self, day: int, strategy: str, history: list[Block]) -> Step:
        """Plans the newest source model of a day before `day`.

        Strictly before: the target impressions of `day - 1`, which a model of `day` is
        trained on, then meet a source model without their own day, as in serving.

        Args:
            day: Day of the model that reads it.
            strategy: The entry of `strategies` whose network it has.
            history: Blocks that end before `day`.

        Raises:
            ConfigError: There is no day of logs to train it on.
        """
        tick = self._clock.tick(day - 1)
        settings = digest(*self._settings(strategy))
        key = (tick, history[-1].fingerprint if history else "", settings)
        if key not in self._planned:
            self._planned[key] = chain(
                tick,
                self._stored,
                lambda of: self._step(of, None, strategy, history),
                lambda of, past: self._step(of, past, strategy, history),
            )
        found = self._planned[key]
        if found is None:
            raise ConfigError(
                f"the source model before {to_date(day)} is of {to_date(tick)} and has "
                f"no day to train on: the logs start on {to_date(self._first_day)}; "
                "choose a later day or a denser levels.source.every_days"
            )
        return found

    def _step(
        self, tick: int, past: Step | None, strategy: str, history: list[Block]
    ) -> Step | None:
        window = self._clock.window_of(tick)
        first = max(window.first, self._first_day, past.day if past else 0)
        if first > window.last:
            return None
        days = DayRange(first, window.last)
        blocks = overlapping(history, days)
        parent = past.fingerprint if past else None
        fingerprint = digest(
            *self._settings(strategy), prints(blocks), str(days), parent
        )
        return Step(
            kind=StepKind.SOURCE,
            label=f"source model of {to_date(tick)}",
            day=tick,
            # Its own day, but for a block of history that goes on beyond it.
            run_day=max(tick, *(block.days.last + 1 for block in blocks)),
            days=days,
            fingerprint=fingerprint,
            done=fingerprint in self._stored,
            blocks=blocks,
            warm_start=parent,
            strategy=strategy,
            continues=past is not None,
            note=f"continues from that of {to_date(past.day)}, "
            f"trains on {new_days(days)}"
            if past
            else f"starts anew on {len(days)} days",
        )

    def _settings(self, strategy: str) -> list[object]:
        return training_settings(self._config, self._code, "source", strategy)
