"""What a training that weighs its sources saw, made ready for the page."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from models.days import to_date
from pipeline.report.charts import Point
from pipeline.report.charts import Series

_MAX_POINTS = 200
# Rows of the highest and of the lowest weight that the page shows.
_SHOWN = 5


@dataclass(frozen=True)
class SourceLine:
    """A source domain.

    Attributes:
        name: The domain.
        rows: Its rows that were read.
        weight: Their mean weight; None if none was read.
        agreement: How well its clicks agree with what the target has learned, over how
            well the target's own do, and its standard error; None if not measured.
    """

    name: str
    rows: int
    weight: float | None
    agreement: tuple[float, float] | None


@dataclass(frozen=True)
class WeighedRow:
    """A source row with one of the highest or lowest weights."""

    source: str
    weight: float
    day: str
    label: int
    values: str


@dataclass(frozen=True)
class Sources:
    """What the sources brought.

    Attributes:
        words: A sentence for each source.
        lines: The sources.
        weights: Mean weight of each source by step.
        gains: Log loss that the source rows of a window saved, by step.
        distances: Distance of the towers before they became one again, by step.
        highest: Rows of the highest weight, highest first.
        lowest: Rows of the lowest weight, lowest first.
    """

    words: tuple[str, ...]
    lines: tuple[SourceLine, ...]
    weights: tuple[Series, ...]
    gains: tuple[Series, ...]
    distances: tuple[Series, ...]
    highest: tuple[WeighedRow, ...]
    lowest: tuple[WeighedRow, ...]

    @property
    def has_gain(self) -> bool:
        """Whether any window was measured."""
        return any(p.y is not None for line in self.gains for p in line.points)


def describe_sources(saw: Mapping[str, Any] | None) -> Sources | None:
    """Returns what `LevelReport.cctl` says; None if no source was weighed."""
    if saw is None:
        return None
    windows = saw["windows"]
    windows = windows[:: -(-len(windows) // _MAX_POINTS) or 1]
    return Sources(
        words=tuple(saw["words"]),
        lines=tuple(
            SourceLine(
                name=name,
                rows=int(rows),
                weight=saw["weights"].get(name),
                agreement=_pair(saw, name),
            )
            for name, rows in saw["rows"].items()
        ),
        weights=tuple(
            Series(
                name,
                tuple(Point(w["step"], w["weights"].get(name)) for w in windows),
            )
            for name in saw["rows"]
        ),
        gains=_line("gain", windows),
        distances=_line("distance", windows),
        highest=_rows(saw["highest"]),
        lowest=_rows(saw["lowest"]),
    )


def _pair(saw: Mapping[str, Any], name: str) -> tuple[float, float] | None:
    values = saw["agreement"].get(name)
    if not saw["measured"] or values is None:
        return None
    return float(values[0]), float(values[1])


def _line(key: str, windows: Sequence[Mapping[str, Any]]) -> tuple[Series, ...]:
    points = tuple(Point(window["step"], window[key]) for window in windows)
    return (Series(key, points),)


def _rows(rows: Sequence[Mapping[str, Any]]) -> tuple[WeighedRow, ...]:
    return tuple(
        WeighedRow(
            source=row["source"],
            weight=float(row["weight"]),
            day=str(to_date(int(row["day"]))),
            label=int(row["label"]),
            values=", ".join(f"{name} {value}" for name, value in row["rows"].items()),
        )
        for row in rows[:_SHOWN]
    )
