"""Picture of a comparison as SVG: each strategy minus the baseline, with its interval.

The file is self-contained, because Markdown shows it as an image: it has no script, no
font and no external style. Colours follow the system. A dot is filled if the difference
is told apart from zero, all differences of the table considered.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from components.evaluation.metrics import COMPARISON_PANELS
from components.evaluation.metrics import NAMES
from pipeline.comparing.measure import Measured
from pipeline.comparing.record import Comparison
from pipeline.report import svg

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
        f"{'' if comparison.random_effects else ', too narrow'}"
    )
    body = [
        svg.box("back", _WIDTH, height),
        svg.text(14, 22, title, bold=True),
        svg.text(14, 40, below, kind="soft"),
        *(
            svg.text(_LABELS - 12, _y(row) + 4, model.name, "end")
            for row, model in enumerate(models)
        ),
        *(
            _panel(models, metric, _LABELS + number * (_PANEL + _GAP))
            for number, metric in enumerate(COMPARISON_PANELS)
        ),
    ]
    return svg.document(_WIDTH, height, f"{title}; {below}", _STYLE, body)


def _panel(models: Sequence[Measured], metric: str, left: float) -> Markup:
    """Returns one metric's axis with a dot and an interval per model."""
    found = [model.differences[metric] for model in models]
    known = [d for d in found if not math.isnan(d.value)]
    middle = left + _PANEL / 2
    heading = svg.text(middle, _TOP - 8, NAMES[metric], "middle", bold=True)
    if not known:
        return heading + svg.text(middle, _y(0) + 4, "undefined", "middle")
    ticks = svg.nice_ticks(
        min(0.0, *(d.low for d in known)), max(0.0, *(d.high for d in known))
    )
    x = svg.Scale(ticks[0], ticks[-1], left, left + _PANEL)
    bottom = _TOP + _ROW * len(models)
    parts = [heading]
    for tick in ticks:
        kind = "zero" if tick == 0 else "grid"
        label = svg.as_number(tick)
        parts.append(svg.line(kind, x(tick), _TOP, x(tick), bottom))
        parts.append(svg.text(x(tick), bottom + 16, label, "middle", kind="soft"))
    for row, difference in enumerate(found):
        if not math.isnan(difference.value):
            state = "dot" if difference.told_apart else "dot open"
            y, ends = _y(row), (x(difference.low), x(difference.high))
            parts.append(svg.line("bar", ends[0], y, ends[1], y))
            parts.append(svg.dot(state, x(difference.value), y, 4))
    return svg.joined(parts)


def _y(row: int) -> float:
    return _TOP + _ROW * (row + 0.5)
