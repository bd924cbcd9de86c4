"""What CTNet rests on, day by day: its source models and its own models before.

Both are chains that begin once and go on for ever. A day's model continues the newest
one before it, on the days since; only what is stored counts, so a chain is planned from
its beginning, and a day that was run keeps its model though an earlier one is run
later.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Protocol
from typing import TypeVar

from models.days import DayRange
from models.days import to_date
from models.errors import ConfigError
from pipeline.config.schema import Config
from pipeline.planning.calendar import Clock
from pipeline.planning.fingerprint import digest
from pipeline.planning.step_kinds import StepKind
from pipeline.planning.steps import Block
from pipeline.planning.steps import Known
from pipeline.planning.steps import Step
from pipeline.planning.steps import overlapping
from pipeline.planning.steps import prints


class _Made(Protocol):
    @property
    def fingerprint(self) -> str: ...


M = TypeVar("M", bound=_Made)


def chain(
    day: int,
    stored: Mapping[str, int],
    begin: Callable[[int], M | None],
    go_on: Callable[[int, M], M | None],
) -> M | None:
    """Plans the model of `day` at the end of a chain of stored ones.

    Args:
        day: The model's day.
        stored: Day of every stored model of the level, by fingerprint.
        begin: Plans the model of a day at the start of a chain; None if it cannot.
        go_on: Plans the model of a day on an earlier one.

    Returns:
        The plan: one that is stored if there is any, else on the newest earlier model,
        else a beginning; None if the chain cannot begin on this day.

    Example:
        >>> class Text(str):
        ...     fingerprint = property(str)
        >>> def begin(day):
        ...     return Text(f"{day}")
        >>> def go_on(day, past):
        ...     return Text(f"{past}>{day}")
        >>> chain(9, {}, begin, go_on)
        '9'
        >>> chain(9, {"5": 5, "5>7": 7, "8>9": 9}, begin, go_on)
        '5>7>9'
    """
    earlier: list[M] = []

    def ways(of: int) -> Iterator[M]:
        for past in reversed(earlier):
            next_one = go_on(of, past)
            if next_one is not None:
                yield next_one
        beginning = begin(of)
        if beginning is not None:
            yield beginning

    for past in sorted({known for known in stored.values() if known < day}):
        found = _first(way for way in ways(past) if way.fingerprint in stored)
        if found is not None:
            earlier.append(found)
    return _first(way for way in ways(day) if way.fingerprint in stored) or _first(
        ways(day)
    )


def _first(values: Iterable[M]) -> M | None:
    return next(iter(values), None)


class SourceLevel:
    """Plans the source models: CPM's network with a daily clock, trained on and on."""

    def __init__(self, config: Config, known: Known, settings: list[object]) -> None:
        """Remembers what a source model is made of.

        Args:
            config: The configuration.
            known: What is stored.
            settings: What decides a training beside its rows.
        """
        self._config = config
        self._stored = known.sources
        self._settings = settings
        self._first_day = config.first
        self._planned: dict[tuple[int, str], Step | None] = {}

    @property
    def _clock(self) -> Clock:
        return self._config.levels.source.clock(self._config.anchor)

    def before(self, day: int, history: list[Block]) -> Step:
        """Plans the newest source model of a day before `day`.

        Strictly before: the target rows of `day - 1`, which a model of `day` is trained
        on, then meet a source that has not seen their own day, as in serving.

        Args:
            day: Day of the model that reads it.
            history: Blocks that end before `day`.

        Raises:
            ConfigError: There is no day of logs to train it on.
        """
        tick = self._clock.tick(day - 1)
        key = (tick, history[-1].fingerprint if history else "")
        if key not in self._planned:
            self._planned[key] = chain(
                tick,
                self._stored,
                lambda of: self._step(of, None, history),
                lambda of, past: self._step(of, past, history),
            )
        found = self._planned[key]
        if found is None:
            raise ConfigError(
                f"the source model before {to_date(day)} is of {to_date(tick)} and has "
                f"no day to train on: the logs start on {to_date(self._first_day)}; "
                "choose a later day or a denser levels.source.every_days"
            )
        return found

    def _step(self, tick: int, past: Step | None, history: list[Block]) -> Step | None:
        window = self._clock.window_of(tick)
        first = max(window.first, self._first_day, past.day if past else 0)
        if first > window.last:
            return None
        days = DayRange(first, window.last)
        blocks = overlapping(history, days)
        parent = past.fingerprint if past else None
        fingerprint = digest(*self._settings, prints(blocks), str(days), parent)
        new = f"{len(days)} new {'day' if len(days) == 1 else 'days'}"
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
            continues=past is not None,
            note=f"continues from that of {to_date(past.day)}, trains on {new}"
            if past
            else f"starts anew on {len(days)} days",
        )
