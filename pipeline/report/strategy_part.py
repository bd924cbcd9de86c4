"""Part of the page that a strategy adds for one training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models.strategies.base import ReportPart
from models.strategies.registry import create
from pipeline.report.charts import Point
from pipeline.report.charts import Series


@dataclass(frozen=True)
class LineChart:
    """A line chart, as the charts of the page take it."""

    title: str
    series: tuple[Series, ...]
    from_zero: bool


@dataclass(frozen=True)
class StrategyPart:
    """A strategy's part of the page.

    Attributes:
        part: Title, sentences, tables and notes.
        charts: Its charts.
    """

    part: ReportPart
    charts: tuple[LineChart, ...]


def strategy_part(report: Mapping[str, Any]) -> StrategyPart | None:
    """Returns what the strategy of a training says about it; None if nothing.

    Args:
        report: The training's report, see `LevelReport`.
    """
    entry, record = report.get("strategy"), report.get("record")
    if not entry or not record:
        return None
    part = create(entry["kind"], entry).report(record)
    if not part.title:
        return None
    charts = tuple(
        LineChart(
            chart.title,
            tuple(
                Series(name, tuple(Point(step, value) for step, value in points))
                for name, points in chart.lines.items()
            ),
            chart.from_zero,
        )
        for chart in part.charts
    )
    return StrategyPart(part, charts)
