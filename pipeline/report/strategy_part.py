"""Part of the report that a strategy adds for one training."""

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
    """A line chart with the arguments of `charts.line_chart`."""

    title: str
    series: tuple[Series, ...]
    from_zero: bool


@dataclass(frozen=True)
class StrategyPart:
    """A strategy's part of the report.

    Attributes:
        part: Title, sentences, tables and notes.
        charts: Charts made from the part's curves.
    """

    part: ReportPart
    charts: tuple[LineChart, ...]


def strategy_part(report: Mapping[str, Any]) -> StrategyPart | None:
    """Returns a strategy's part of the report about a training; None if it has none.

    Args:
        report: Report of the training, see `LevelReport`.
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
