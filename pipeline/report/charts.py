"""Charts of the report as inline SVG: no script, no network, colours from its CSS.

A chart is about as wide as a phone's screen, so that its text is not scaled down there;
on wide screens charts stand side by side. `s0` ... `s7` are the colour classes of the
page's CSS.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup
from markupsafe import escape

from pipeline.report import svg
from pipeline.report.svg import NOTHING
from pipeline.report.svg import Scale
from pipeline.report.svg import as_number
from pipeline.report.svg import as_share
from pipeline.report.svg import joined

WIDTH, HEIGHT = 360, 210
NUM_COLOURS = 8

# With more points, dots would hide the line.
_MOST_DOTS = 20
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 10, 24


@dataclass(frozen=True)
class Point:
    """A value of a series with its interval; `y` None leaves a gap in the line."""

    x: float
    y: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Series:
    """A named line."""

    name: str
    points: tuple[Point, ...]


class _Axes:
    """Scales of both axes inside the margins."""

    def __init__(self, x_ends: tuple[float, float], ticks: Sequence[float]) -> None:
        self.x = Scale(*x_ends, _LEFT, WIDTH - _RIGHT)
        self.y = Scale(ticks[0], ticks[-1], HEIGHT - _BOTTOM, _TOP)
        self.ticks = ticks

    def place(self, x: float, y: float) -> svg.Place:
        return self.x(x), self.y(y)


def line_chart(
    title: str,
    series: Sequence[Series],
    *,
    x_text: Callable[[float], str] = as_number,
    y_text: Callable[[float], str] = as_number,
    from_zero: bool = True,
    x_ends: tuple[float, float] | None = None,
) -> Markup:
    """Returns a line chart with intervals; empty without a value.

    Args:
        title: Caption of the figure, also read by screen readers.
        series: The lines.
        x_text: Formats x at both ends of its axis.
        y_text: Formats y at its ticks.
        from_zero: Whether the y axis starts at 0.
        x_ends: Ends of the x axis; by default those of the points.
    """
    points = [point for line in series for point in line.points if point.y is not None]
    if not points:
        return NOTHING
    values = [
        value
        for point in points
        for value in (point.y, point.low, point.high)
        if value is not None
    ]
    ticks = svg.nice_ticks(0.0 if from_zero else min(values), max(values))
    ends = x_ends or (min(p.x for p in points), max(p.x for p in points))
    axes = _Axes(ends, ticks)
    body = [_grid(axes, y_text), _x_labels(axes, x_text)]
    dots = max(len(line.points) for line in series) <= _MOST_DOTS
    for index, line in enumerate(series):
        if dots:
            body += [_whisker(point, axes, index) for point in line.points]
        else:
            body.append(_band(line, axes, index))
        body.append(_line(line, axes, index, dots))
    return _figure(title, body, [line.name for line in series])


def reliability_chart(title: str, points: Sequence[Point]) -> Markup:
    """Returns a chart of actual (y) by predicted (x) click rate, with its diagonal."""
    if not points:
        return NOTHING
    values = [
        value
        for point in points
        for value in (point.x, point.y, point.low, point.high)
        if value is not None
    ]
    ticks = svg.nice_ticks(min(values), max(values))
    first, last = ticks[0], ticks[-1]
    axes = _Axes((first, last), ticks)
    diagonal = svg.line("equal", *axes.place(first, first), *axes.place(last, last))
    body = [_grid(axes, as_share), _x_labels(axes, as_share), diagonal]
    body += [_whisker(point, axes, 0) for point in points]
    body.append(_line(Series("", tuple(points)), axes, 0))
    return _figure(title, body, [])


def interval_bar(
    value: float | None,
    low: float | None,
    high: float | None,
    *,
    first: float,
    last: float,
    reference: float | None,
) -> Markup:
    """Returns a bar with one value and its interval, on an axis `first` to `last`."""
    if value is None or last <= first:
        return NOTHING
    scale = Scale(first, last, 4, 116)

    def x(number: float) -> float:
        return scale(min(max(number, first), last))

    parts = [svg.line("grid", 4, 7, 116, 7)]
    if reference is not None:
        parts.append(svg.line("equal", x(reference), 0, x(reference), 14))
    if low is not None and high is not None:
        parts.append(svg.line("line s0", x(low), 7, x(high), 7))
    parts.append(svg.dot("dot s0", x(value), 7, 3.5))
    return Markup(
        '<svg class="mini" viewBox="0 0 120 14" aria-hidden="true">{}</svg>'
    ).format(joined(parts))


def _grid(axes: _Axes, y_text: Callable[[float], str]) -> Markup:
    return joined(
        svg.line("grid", _LEFT, axes.y(tick), WIDTH - _RIGHT, axes.y(tick))
        + svg.text(_LEFT - 6, axes.y(tick) + 4, y_text(tick), "end")
        for tick in axes.ticks
    )


def _x_labels(axes: _Axes, x_text: Callable[[float], str]) -> Markup:
    ends = [(axes.x.first, "start"), (axes.x.last, "end")]
    if axes.x.last == axes.x.first:
        ends = [(axes.x.first, "middle")]
    return joined(
        svg.text(axes.x(value), HEIGHT - 7, x_text(value), anchor)
        for value, anchor in ends
    )


def _runs(points: Sequence[Point]) -> list[list[Point]]:
    """Returns the runs of consecutive points that have a value."""
    runs: list[list[Point]] = [[]]
    for point in points:
        if point.y is None:
            runs.append([])
        else:
            runs[-1].append(point)
    return [run for run in runs if run]


def _line(line: Series, axes: _Axes, index: int, dots: bool = True) -> Markup:
    colour = f"s{index % NUM_COLOURS}"
    parts = []
    for run in _runs(line.points):
        places = [axes.place(p.x, p.y or 0.0) for p in run]
        if len(places) > 1:
            parts.append(svg.curve(f"line {colour}", places))
        if dots or len(places) == 1:
            parts += [svg.dot(f"dot {colour}", x, y, 3) for x, y in places]
    return joined(parts)


def _band(line: Series, axes: _Axes, index: int) -> Markup:
    parts = []
    for run in _runs(line.points):
        ends = [(p.x, p.low, p.high) for p in run]
        known = [(x, lo, hi) for x, lo, hi in ends if lo is not None and hi is not None]
        upper = [axes.place(x, hi) for x, _, hi in known]
        lower = [axes.place(x, lo) for x, lo, _ in reversed(known)]
        if len(known) > 1:
            parts.append(svg.area(f"band s{index % NUM_COLOURS}", upper + lower))
    return joined(parts)


def _whisker(point: Point, axes: _Axes, index: int) -> Markup:
    if point.low is None or point.high is None:
        return NOTHING
    ends = (*axes.place(point.x, point.low), *axes.place(point.x, point.high))
    return svg.line(f"whisker s{index % NUM_COLOURS}", *ends)


def _figure(title: str, body: Sequence[Markup], names: Sequence[str]) -> Markup:
    legend = NOTHING
    if len(names) > 1:
        legend = Markup('<p class="legend">{}</p>').format(
            joined(
                Markup('<span><i class="key s{}"></i>{}</span>').format(
                    index % NUM_COLOURS, name
                )
                for index, name in enumerate(names)
            )
        )
    return Markup(
        "<figure><figcaption>{0}</figcaption>"
        '<svg viewBox="0 0 {1} {2}" role="img" aria-label="{0}">{3}</svg>{4}</figure>'
    ).format(escape(title), WIDTH, HEIGHT, joined(body), legend)
