"""Metrics over days, from stored decisions."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from models.artifact_files import DECISION_FILE
from models.days import DayRange
from models.days import to_date
from models.errors import DataError
from pipeline.config.schema import Config
from pipeline.execution.run_index import RunIndex
from pipeline.execution.run_index import oldest_first
from pipeline.planning.step_kinds import StepKind
from pipeline.report.charts import Point
from pipeline.report.charts import Series
from pipeline.report.files import read_json
from pipeline.report.ids import unknown_by_day
from pipeline.report.judged import Judged
from pipeline.report.judged import Value
from pipeline.report.judged import describe
from pipeline.store.reader import Store
from pipeline.store.reader import Stored


@dataclass(frozen=True)
class DayLine:
    """Evaluated model of one strategy and day."""

    day: int
    date: str
    judged: Judged


@dataclass(frozen=True)
class OverDays:
    """Report over several days.

    Attributes:
        name: The configuration's name.
        target: The target domain.
        strategy: Strategy whose models are published.
        days: The days.
        written: Time at which the report was written, UTC.
        lines: Evaluated models, by day, then strategy.
        published: Versions published for these days, oldest first.
        unknown: Share of ids out of vocabulary by day, a line per feature.
    """

    name: str
    target: str
    strategy: str
    days: DayRange
    written: datetime.datetime
    lines: tuple[DayLine, ...]
    published: tuple[DayLine, ...]
    unknown: tuple[Series, ...]

    @property
    def first(self) -> str:
        """First date."""
        return str(to_date(self.days.first))

    @property
    def last(self) -> str:
        """Last date."""
        return str(to_date(self.days.last))

    @property
    def x_ends(self) -> tuple[int, int]:
        """Ends of the x axis of every chart."""
        return (self.days.first, self.days.last)

    def series(self, metric: str) -> list[Series]:
        """Returns a metric over days, a line per strategy, with its intervals."""
        return self._lines(lambda judged: judged.candidate.get(metric))

    @property
    def rows(self) -> list[Series]:
        """Evaluation impressions over days, a line per strategy."""
        return self._lines(lambda judged: Value(float(judged.candidate.rows)))

    def _lines(self, value_of: Callable[[Judged], Value]) -> list[Series]:
        points: dict[str, list[Point]] = {}
        for line in self.lines:
            value = value_of(line.judged)
            points.setdefault(line.judged.strategy, []).append(
                Point(line.day, value.value, value.low, value.high)
            )
        return [Series(name, tuple(found)) for name, found in sorted(points.items())]


def gather_days(config: Config, days: DayRange) -> OverDays:
    """Returns the stored decisions of the runs of some days.

    Args:
        config: The configuration.
        days: Run days. The newest run of each day and strategy counts.

    Raises:
        DataError: No decision of these days is stored.
    """
    store = Store(config.root, config.metadata)
    judged = _judged(config, store, days)
    lines = [line for line in judged if line.day in days]
    if not lines:
        raise DataError(
            f"no run of {days} is recorded under {str(config.root)!r}; choose other "
            "days, or run these with `crossctr run`"
        )
    return OverDays(
        name=config.name,
        target=config.target,
        strategy=config.strategy,
        days=days,
        written=datetime.datetime.now(tz=datetime.timezone.utc).replace(microsecond=0),
        lines=tuple(sorted(lines, key=lambda x: (x.day, x.judged.strategy))),
        published=tuple(_published(config, store, days)),
        unknown=tuple(unknown_by_day(store, config.table, days)),
    )


def _judged(config: Config, store: Store, days: DayRange) -> list[DayLine]:
    """Returns the newest evaluated model of every day and strategy; of `days` at least.

    The day of a decision is in the run's record and, for the published strategy, also
    in ML Metadata, which has runs without a record, too.
    """
    decisions = {s.fingerprint: s for s in store.artifacts("GateDecision")}
    published = {s.fingerprint: s for s in store.artifacts("PublishedModel")}
    found = {
        (int(stored.properties["day"]), config.strategy): name
        for name, stored in published.items()
        if "day" in stored.properties
    }
    for record in oldest_first(RunIndex(config.root).records(days=days)):
        for run in record.steps:
            judged = (
                run.state in ("done", "reused") and run.step.kind == StepKind.TARGET
            )
            if judged and record.day is not None:
                found[record.day, run.step.strategy] = run.step.fingerprint
    lines = []
    for (day, strategy), name in found.items():
        line = _line(config, decisions.get(name), day, strategy, published.get(name))
        lines += [line] if line else []
    return lines


def _published(config: Config, store: Store, days: DayRange) -> list[DayLine]:
    decisions = {s.fingerprint: s for s in store.artifacts("GateDecision")}
    lines = []
    for stored in store.artifacts("PublishedModel"):
        day = int(stored.properties.get("day", -1))
        if stored.properties.get("pushed") and day in days:
            decision = decisions.get(stored.fingerprint)
            line = _line(config, decision, day, config.strategy, stored)
            lines += [line] if line else []
    return sorted(lines, key=lambda line: line.day)


def _line(
    config: Config,
    stored: Stored | None,
    day: int,
    strategy: str,
    published: Stored | None,
) -> DayLine | None:
    """Returns the decision of a day; None if it is not stored."""
    decision = read_json(Path(stored.uri) / DECISION_FILE) if stored else None
    if stored is None or decision is None:
        return None
    judged = describe(
        decision,
        strategy=str(decision.get("strategy", strategy)),
        fingerprint=stored.fingerprint,
        publishes=strategy == config.strategy,
        published=published,
    )
    return DayLine(day, str(to_date(day)), judged)
