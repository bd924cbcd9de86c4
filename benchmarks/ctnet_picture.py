"""The curves of CTNet's study as one SVG that stands alone."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence

from markupsafe import Markup

_WIDTH, _PANEL, _LEFT, _RIGHT, _TOP, _GAP = 760, 230, 60, 590, 34, 50
_COLOURS = (
    *("#2457c5", "#b3261e", "#17703c", "#9a5b00", "#6b3fa0"),
    *("#0b7a8a", "#c2408f", "#5b6675", "#8a8f00"),
)


def picture(by_metric: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    """Returns one panel per metric: a line per model, a point per day.

    Args:
        by_metric: By metric and model, the values of the days.
    """
    height = _TOP + len(by_metric) * (_PANEL + _GAP)
    parts = [
        Markup('<rect width="{}" height="{}" fill="#ffffff"/>').format(_WIDTH, height)
    ]
    for index, (metric, curves) in enumerate(by_metric.items()):
        parts.append(_panel(metric, curves, _TOP + index * (_PANEL + _GAP)))
    return str(
        Markup(
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {} {}" '
            'font-family="system-ui, sans-serif" font-size="12">\n{}\n</svg>\n'
        ).format(_WIDTH, height, Markup("\n").join(parts))
    )


def _panel(metric: str, curves: Mapping[str, Sequence[float]], top: int) -> Markup:
    low = min(min(values) for values in curves.values())
    high = max(max(values) for values in curves.values())
    days = max(len(values) for values in curves.values())

    def x(day: int) -> float:
        return round(_LEFT + (_RIGHT - _LEFT) * day / max(days - 1, 1), 1)

    def y(value: float) -> float:
        return round(top + _PANEL * (high - value) / ((high - low) or 1), 1)

    text = Markup('<text x="{}" y="{}" fill="#1b2330" text-anchor="{}">{}</text>')
    parts = [text.format(_LEFT, top - 12, "start", f"{metric.upper()} of each day")]
    for step in range(5):
        value = low + (high - low) * step / 4
        parts.append(
            Markup('<path d="M{} {}H{}" stroke="#dfe3e9"/>').format(
                _LEFT, y(value), _RIGHT
            )
        )
        parts.append(text.format(_LEFT - 6, y(value) + 4, "end", f"{value:.3f}"))
    for day in range(0, days, 2):
        parts.append(text.format(x(day), top + _PANEL + 16, "middle", day))
    for index, (name, values) in enumerate(curves.items()):
        colour = _COLOURS[index % len(_COLOURS)]
        points = " ".join(f"{x(day)},{y(value)}" for day, value in enumerate(values))
        line = top + 8 + 20 * index
        parts.append(
            Markup(
                '<polyline points="{}" fill="none" stroke="{}" stroke-width="2"/>'
                '<path d="M{} {}h18" stroke="{}" stroke-width="3"/>'
            ).format(points, colour, _RIGHT + 14, line, colour)
        )
        parts.append(text.format(_RIGHT + 38, line + 4, "start", name))
    return Markup("\n").join(parts)
