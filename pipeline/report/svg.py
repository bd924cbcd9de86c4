"""SVG primitives of all charts: scales, ticks, shapes, text and documents.

Coordinates are written with one decimal. A shape's `kind` is its CSS class; colours and
widths are left to the style of the page or of the document.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup

from models.days import to_date

Place = tuple[float, float]
NOTHING = Markup("")


@dataclass(frozen=True)
class Scale:
    """Linear map from values to coordinates.

    Attributes:
        first: Value at `start`.
        last: Value at `end`; if it equals `first`, values are put in the middle.
        start: Coordinate of `first`.
        end: Coordinate of `last`.
    """

    first: float
    last: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Returns the coordinate of a value."""
        if self.last == self.first:
            return (self.start + self.end) / 2
        share = (value - self.first) / (self.last - self.first)
        return self.start + share * (self.end - self.start)


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


def joined(parts: Iterable[Markup]) -> Markup:
    """Returns all parts, one after the other."""
    return NOTHING.join(parts)


def line(kind: str, x1: float, y1: float, x2: float, y2: float) -> Markup:
    """Returns a straight line."""
    return Markup(
        '<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>'
    ).format(kind, x1, y1, x2, y2)


def curve(kind: str, places: Iterable[Place]) -> Markup:
    """Returns a line through places."""
    return Markup('<polyline class="{}" points="{}"/>').format(kind, _points(places))


def area(kind: str, places: Iterable[Place]) -> Markup:
    """Returns the area inside a line through places."""
    return Markup('<polygon class="{}" points="{}"/>').format(kind, _points(places))


def dot(kind: str, x: float, y: float, radius: float) -> Markup:
    """Returns a circle."""
    return Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="{}"/>').format(
        kind, x, y, radius
    )


def box(kind: str, width: float, height: float) -> Markup:
    """Returns a rectangle in the upper left corner."""
    return Markup('<rect class="{}" width="{}" height="{}"/>').format(
        kind, width, height
    )


def text(
    x: float,
    y: float,
    content: object,
    anchor: str = "start",
    *,
    kind: str = "",
    bold: bool = False,
) -> Markup:
    """Returns text, which is escaped; `anchor` is `start`, `middle` or `end`."""
    return Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}"{}{}>{}</text>').format(
        x,
        y,
        anchor,
        Markup(' font-weight="600"') if bold else "",
        Markup(' class="{}"').format(kind) if kind else "",
        content,
    )


def document(
    width: float, height: float, label: str, style: str, body: Iterable[Markup]
) -> Markup:
    """Returns a standalone SVG file without scripts and external files.

    Args:
        width: Width in pixels.
        height: Height in pixels.
        label: Description for screen readers.
        style: CSS of the file.
        body: Shapes and text.
    """
    return Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {0} {1}" width="{0}" '
        'height="{1}" role="img" aria-label="{2}"><style>{3}</style>{4}</svg>\n'
    ).format(width, height, label, Markup(style), joined(body))


def _points(places: Iterable[Place]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
