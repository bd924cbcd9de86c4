"""Picture of CTNet's study as SVG: metrics by day, one line per model."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence

from markupsafe import Markup

from pipeline.report import svg

_WIDTH, _PANEL, _LEFT, _RIGHT, _TOP, _GAP = 760, 230, 60, 590, 34, 50
_COLOURS = (
    *("#2457c5", "#b3261e", "#17703c", "#9a5b00", "#6b3fa0"),
    *("#0b7a8a", "#c2408f", "#5b6675", "#8a8f00"),
)
_STYLE = """
svg { font: 12px system-ui, sans-serif; }
.back { fill: #ffffff; } text { fill: #1b2330; } .grid { stroke: #dfe3e9; }
.curve { fill: none; stroke-width: 2; } .key { stroke-width: 3; }
""" + "".join(f".c{i} {{ stroke: {colour}; }}\n" for i, colour in enumerate(_COLOURS))


def picture(by_metric: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    """Returns an SVG file with one panel per metric: a line per model, a point per day.

    Args:
        by_metric: Values of the days by metric and model.
    """
    height = _TOP + len(by_metric) * (_PANEL + _GAP)
    label = f"{', '.join(metric.upper() for metric in by_metric)} of each day by model"
    panels = [
        _panel(metric, curves, _TOP + index * (_PANEL + _GAP))
        for index, (metric, curves) in enumerate(by_metric.items())
    ]
    body = [svg.box("back", _WIDTH, height), *panels]
    return str(svg.document(_WIDTH, height, label, _STYLE, body))


def _panel(metric: str, curves: Mapping[str, Sequence[float]], top: int) -> Markup:
    low = min(min(values) for values in curves.values())
    high = max(max(values) for values in curves.values())
    days = max(len(values) for values in curves.values())
    x = svg.Scale(0, max(days - 1, 1), _LEFT, _RIGHT)
    y = svg.Scale(low, high, top + _PANEL, top)
    parts = [svg.text(_LEFT, top - 12, f"{metric.upper()} of each day")]
    for step in range(5):
        value = low + (high - low) * step / 4
        parts.append(svg.line("grid", _LEFT, y(value), _RIGHT, y(value)))
        parts.append(svg.text(_LEFT - 6, y(value) + 4, f"{value:.3f}", "end"))
    for day in range(0, days, 2):
        parts.append(svg.text(x(day), top + _PANEL + 16, day, "middle"))
    for index, (name, values) in enumerate(curves.items()):
        colour, row = f"c{index % len(_COLOURS)}", top + 8 + 20 * index
        places = [(x(day), y(value)) for day, value in enumerate(values)]
        parts.append(svg.curve(f"curve {colour}", places))
        parts.append(svg.line(f"key {colour}", _RIGHT + 14, row, _RIGHT + 32, row))
        parts.append(svg.text(_RIGHT + 38, row + 4, name))
    return svg.joined(parts)
