"""Charts of the report as inline SVG: no script, no network, colours from its CSS.

A chart is about as wide as a phone's screen, so that its text is not scaled down there;
on wide screens charts stand side by side. `s0` ... `s7` are the colour classes of the
page's CSS.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup
from markupsafe import escape

from models.days import to_date

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


@dataclass(frozen=True)
class _Axes:
    x_first: float
    x_last: float
    y_first: float
    y_last: float

    def x(self, value: float) -> float:
        if self.x_last == self.x_first:
            return (_LEFT + WIDTH - _RIGHT) / 2
        share = (value - self.x_first) / (self.x_last - self.x_first)
        return _LEFT + share * (WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        share = (value - self.y_first) / ((self.y_last - self.y_first) or 1)
        return HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM)


def as_date(value: float) -> str:
    """Returns the date of a day given in days since 1970-01-01."""
    return str(to_date(round(value)))


def as_number(value: float) -> str:
    """Returns a number with four significant digits, for an axis.

    Example:
        >>> as_number(0.25), as_number(12000.0), as_number(3.0)
        ('0.25', '12,000', '3')
    """
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def as_share(value: float) -> str:
    """Returns a share in percent."""
    return f"{value * 100:.4g}%"


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
        return Markup("")
    values = [
        value
        for point in points
        for value in (point.y, point.low, point.high)
        if value is not None
    ]
    ticks = nice_ticks(0.0 if from_zero else min(values), max(values))
    first, last = x_ends or (min(p.x for p in points), max(p.x for p in points))
    axes = _Axes(first, last, ticks[0], ticks[-1])
    body = [_grid(axes, ticks, y_text), _x_labels(axes, x_text)]
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
        return Markup("")
    values = [
        value
        for point in points
        for value in (point.x, point.y, point.low, point.high)
        if value is not None
    ]
    ticks = nice_ticks(min(values), max(values))
    axes = _Axes(ticks[0], ticks[-1], ticks[0], ticks[-1])
    diagonal = Markup(
        '<line class="equal" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>'
    ).format(axes.x(ticks[0]), axes.y(ticks[0]), axes.x(ticks[-1]), axes.y(ticks[-1]))
    body = [_grid(axes, ticks, as_share), _x_labels(axes, as_share), diagonal]
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
        return Markup("")
    width, middle = 120, 7

    def x(number: float) -> float:
        share = (number - first) / (last - first)
        return 4 + min(max(share, 0.0), 1.0) * (width - 8)

    parts = [Markup('<line class="grid" x1="4" x2="116" y1="7" y2="7"/>')]
    if reference is not None:
        parts.append(
            Markup(
                '<line class="equal" x1="{0:.1f}" x2="{0:.1f}" y1="0" y2="14"/>'
            ).format(x(reference))
        )
    if low is not None and high is not None:
        parts.append(
            Markup(
                '<line class="line s0" x1="{:.1f}" x2="{:.1f}" y1="7" y2="7"/>'
            ).format(x(low), x(high))
        )
    parts.append(
        Markup('<circle class="dot s0" cx="{:.1f}" cy="{}" r="3.5"/>').format(
            x(value), middle
        )
    )
    return Markup(
        '<svg class="mini" viewBox="0 0 120 14" aria-hidden="true">{}</svg>'
    ).format(Markup("").join(parts))


def nice_ticks(first: float, last: float, count: int = 4) -> list[float]:
    """Returns equidistant round numbers that enclose `first` to `last`.

    Example:
        >>> nice_ticks(0, 0.83)
        [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    if last <= first:
        last = first + (abs(first) or 1.0)
    rough = (last - first) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * 0.9999)
    start = math.floor(first / step + 1e-9)
    end = math.ceil(last / step - 1e-9)
    digits = max(0, 2 - math.floor(math.log10(step)))
    return [round(index * step, digits) for index in range(start, end + 1)]


def _grid(
    axes: _Axes, ticks: Sequence[float], y_text: Callable[[float], str]
) -> Markup:
    parts = []
    for tick in ticks:
        y = axes.y(tick)
        parts.append(
            Markup(
                '<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>'
                '<text x="{}" y="{:.1f}" text-anchor="end">{}</text>'
            ).format(_LEFT, WIDTH - _RIGHT, y, y, _LEFT - 6, y + 4, y_text(tick))
        )
    return Markup("").join(parts)


def _x_labels(axes: _Axes, x_text: Callable[[float], str]) -> Markup:
    ends = [(axes.x_first, "start"), (axes.x_last, "end")]
    if axes.x_last == axes.x_first:
        ends = [(axes.x_first, "middle")]
    return Markup("").join(
        Markup('<text x="{:.1f}" y="{}" text-anchor="{}">{}</text>').format(
            axes.x(value), HEIGHT - 7, anchor, x_text(value)
        )
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
        places = [(axes.x(p.x), axes.y(p.y or 0.0)) for p in run]
        if len(places) > 1:
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
            parts.append(
                Markup('<polyline class="line {}" points="{}"/>').format(colour, path)
            )
        if dots or len(places) == 1:
            parts += [
                Markup('<circle class="dot {}" cx="{:.1f}" cy="{:.1f}" r="3"/>').format(
                    colour, x, y
                )
                for x, y in places
            ]
    return Markup("").join(parts)


def _band(line: Series, axes: _Axes, index: int) -> Markup:
    parts = []
    for run in _runs(line.points):
        ends = [(p.x, p.low, p.high) for p in run]
        known = [(x, lo, hi) for x, lo, hi in ends if lo is not None and hi is not None]
        upper = [f"{axes.x(x):.1f},{axes.y(hi):.1f}" for x, _, hi in known]
        lower = [f"{axes.x(x):.1f},{axes.y(lo):.1f}" for x, lo, _ in reversed(known)]
        if len(known) > 1:
            parts.append(
                Markup('<polygon class="band s{}" points="{}"/>').format(
                    index % NUM_COLOURS, " ".join(upper + lower)
                )
            )
    return Markup("").join(parts)


def _whisker(point: Point, axes: _Axes, index: int) -> Markup:
    if point.low is None or point.high is None:
        return Markup("")
    return Markup(
        '<line class="whisker s{0}" x1="{1:.1f}" x2="{1:.1f}" y1="{2:.1f}" '
        'y2="{3:.1f}"/>'
    ).format(
        index % NUM_COLOURS, axes.x(point.x), axes.y(point.low), axes.y(point.high)
    )


def _figure(title: str, body: Sequence[Markup], names: Sequence[str]) -> Markup:
    legend = Markup("")
    if len(names) > 1:
        legend = Markup('<p class="legend">{}</p>').format(
            Markup("").join(
                Markup('<span><i class="key s{}"></i>{}</span>').format(
                    index % NUM_COLOURS, name
                )
                for index, name in enumerate(names)
            )
        )
    return Markup(
        "<figure><figcaption>{0}</figcaption>"
        '<svg viewBox="0 0 {1} {2}" role="img" aria-label="{0}">{3}</svg>{4}</figure>'
    ).format(escape(title), WIDTH, HEIGHT, Markup("").join(body), legend)
