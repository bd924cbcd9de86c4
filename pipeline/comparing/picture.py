"""Picture of a comparison: an SVG of each difference to the baseline, with interval.

The SVG is self-contained, as Markdown shows it as an image: no script, font or style
sheet. Colours follow the system's theme. A dot is filled if the difference is told
apart from zero, all differences of the table considered.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from collections.abc import Sequence

from markupsafe import Markup

from components.evaluation.differences import Difference
from components.evaluation.metrics import COMPARISON_PANELS
from components.evaluation.metrics import NAMES
from pipeline.comparing.measure import Measured
from pipeline.comparing.record import Comparison
from pipeline.report.charts import as_number
from pipeline.report.charts import nice_ticks

_WIDTH, _LABELS, _PANEL, _GAP = 720, 150, 246, 50
_TOP, _ROW, _BOTTOM = 66, 26, 30
_STYLE = """
svg { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
.back { fill: #ffffff; } text { fill: #1b2330; } .soft { fill: #5b6675; }
.grid { stroke: #dfe3e9; } .zero { stroke: #5b6675; stroke-dasharray: 4 3; }
.bar, .dot { stroke-width: 2; stroke: #2457c5; fill: #2457c5; }
circle.open { fill: #ffffff; }
@media (prefers-color-scheme: dark) {
  .back { fill: #1b212b; } text { fill: #e7ebf1; } .soft { fill: #9aa6b6; }
  .grid { stroke: #323b48; } .zero { stroke: #9aa6b6; }
  .bar, .dot { stroke: #8ab0ff; fill: #8ab0ff; }
  circle.open { fill: #1b212b; }
}
"""


def picture(comparison: Comparison) -> str:
    """Returns the SVG; an empty text if there is only the baseline."""
    models = [model for model in comparison.models if model.differences]
    if not models:
        return ""
    height = _TOP + _ROW * len(models) + _BOTTOM
    seeds = len(comparison.seeds)
    title = (
        f"{comparison.name}: {', '.join(comparison.sources)} → {comparison.target}, "
        f"{comparison.day}"
    )
    below = (
        f"{seeds} {'seed' if seeds == 1 else 'seeds'}, {comparison.rows:,} rows; "
        f"difference to {comparison.baseline} with its 95 % interval"
    )
    parts = [
        Markup('<rect class="back" width="{}" height="{}"/>').format(_WIDTH, height),
        _text(14, 22, title, "start", bold=True),
        _text(14, 40, below, "start", soft=True),
        *(
            _text(_LABELS - 12, _y(row) + 4, model.name, "end")
            for row, model in enumerate(models)
        ),
        *(
            _panel(models, metric, _LABELS + number * (_PANEL + _GAP))
            for number, metric in enumerate(COMPARISON_PANELS)
        ),
    ]
    return Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {0} {1}" width="{0}" '
        'height="{1}" role="img" aria-label="{2}; {3}"><style>{4}</style>{5}</svg>\n'
    ).format(_WIDTH, height, title, below, Markup(_STYLE), Markup("").join(parts))


def _panel(models: Sequence[Measured], metric: str, left: float) -> Markup:
    """Returns one metric's axis with a dot and an interval per model."""
    found = [model.differences[metric] for model in models]
    known = [d for d in found if not math.isnan(d.value)]
    heading = _text(left + _PANEL / 2, _TOP - 8, NAMES[metric], "middle", bold=True)
    if not known:
        undefined = _text(left + _PANEL / 2, _y(0) + 4, "undefined", "middle")
        return heading + undefined
    ticks = nice_ticks(
        min(0.0, *(d.low for d in known)), max(0.0, *(d.high for d in known))
    )

    def x(value: float) -> float:
        return left + (value - ticks[0]) / (ticks[-1] - ticks[0]) * _PANEL

    bottom = _TOP + _ROW * len(models)
    parts = [heading]
    for tick in ticks:
        kind = "zero" if tick == 0 else "grid"
        parts.append(_line(kind, x(tick), _TOP, x(tick), bottom))
        parts.append(_text(x(tick), bottom + 16, as_number(tick), "middle", soft=True))
    for row, difference in enumerate(found):
        if not math.isnan(difference.value):
            parts.append(_whisker(difference, _y(row), x))
    return Markup("").join(parts)


def _whisker(difference: Difference, y: float, x: Callable[[float], float]) -> Markup:
    bar = _line("bar", x(difference.low), y, x(difference.high), y)
    return bar + _dot(x(difference.value), y, "" if difference.told_apart else " open")


def _y(row: int) -> float:
    return _TOP + _ROW * (row + 0.5)


def _dot(x: float, y: float, state: str) -> Markup:
    return Markup('<circle class="dot{}" cx="{:.1f}" cy="{:.1f}" r="4"/>').format(
        state, x, y
    )


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> Markup:
    return Markup(
        '<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>'
    ).format(kind, x1, y1, x2, y2)


def _text(
    x: float,
    y: float,
    text: str,
    anchor: str,
    *,
    bold: bool = False,
    soft: bool = False,
) -> Markup:
    return Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}"{}{}>{}</text>').format(
        x,
        y,
        anchor,
        Markup(' font-weight="600"') if bold else "",
        Markup(' class="soft"') if soft else "",
        text,
    )
