"""Learning curves from their record: section of docs/results.md, and picture."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pipeline.comparing.tables import Grid
from pipeline.report import svg

CURVES_FILE = "learning_curves.json"
_WIDTH, _HEIGHT = 720, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 190, 50, 46
_COLOURS = (
    *("#2457c5", "#c2410c", "#15803d", "#7e22ce", "#0e7490"),
    *("#a16207", "#be185d", "#4d7c0f", "#64748b", "#b91c1c"),
)
_STYLE = """
svg { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
.back { fill: #ffffff; } text { fill: #1b2330; } .soft { fill: #5b6675; }
.grid { stroke: #dfe3e9; } .curve { stroke-width: 2; }
@media (prefers-color-scheme: dark) {
  .back { fill: #1b212b; } text { fill: #e7ebf1; } .soft { fill: #9aa6b6; }
  .grid { stroke: #323b48; }
}
"""


def curves_section(record: Mapping[str, Any] | None) -> str:
    """Returns the section: sentences, picture and table.

    Args:
        record: What `benchmarks.learning_curves` wrote; None if it has not run.
    """
    heading = "\n### From which size on networks and transfer pay\n\n"
    if record is None:
        return f"{heading}Learning curves were not run: `make learning-curves`.\n"
    points = record["points"]
    words = "".join(f"* {sentence(point)}\n" for point in points)
    seeds = points[0]["seeds"]
    return (
        f"{heading}Simulated ads beside {record['source_rows']:,} rows of feeds, "
        f"{len(seeds)} worlds a size ({seeds[0]} to {seeds[-1]}), all models on "
        f"the same rows:\n\n{words}\n![AUC by target rows](results/learning_curves.svg)"
        f"\n\nAUC, ± its standard deviation over worlds:\n\n"
        f"{_table(points).as_markdown()}"
    )


def sentence(point: Mapping[str, Any]) -> str:
    """Returns what a size says: the best of each kind, and who is ahead."""
    best = {}
    for kind in ("strategy", "reference"):
        own = {n: m["auc"] for n, m in point["models"].items() if m["kind"] == kind}
        best[kind] = max(own, key=lambda name: own[name])
    told = ", ".join(point["ahead_of_best_reference"])
    auc = {kind: point["models"][name]["auc"] for kind, name in best.items()}
    verdict = (
        f"told apart above the best reference: {told}"
        if told
        else "no strategy is told apart above the best reference"
    )
    return (
        f"{point['target_rows']:,} target rows: the best strategy is "
        f"{best['strategy']} ({auc['strategy']:.4f}), the best reference "
        f"{best['reference']} ({auc['reference']:.4f}); {verdict}."
    )


def curves_picture(record: Mapping[str, Any]) -> str:
    """Returns the curves as SVG; the horizontal axis is logarithmic."""
    points = record["points"]
    sizes = [math.log10(point["target_rows"]) for point in points]
    names = _names(points)
    curves = {
        name: [
            (size, point["models"][name]["auc"])
            for size, point in zip(sizes, points, strict=True)
            if name in point["models"]
        ]
        for name in names
    }
    known = [auc for curve in curves.values() for _, auc in curve]
    ticks = svg.nice_ticks(min(known), max(known))
    x = svg.Scale(min(sizes), max(sizes), _LEFT, _WIDTH - _RIGHT)
    y = svg.Scale(ticks[0], ticks[-1], _HEIGHT - _BOTTOM, _TOP)
    title = f"AUC by target rows, beside {record['source_rows']:,} source rows"
    body = [svg.box("back", _WIDTH, _HEIGHT), svg.text(14, 22, title, bold=True)]
    for tick in ticks:
        body.append(svg.line("grid", _LEFT, y(tick), _WIDTH - _RIGHT, y(tick)))
        body.append(svg.text(_LEFT - 8, y(tick) + 4, svg.as_number(tick), "end"))
    for size, point in zip(sizes, points, strict=True):
        label = f"{point['target_rows']:,}"
        body.append(svg.text(x(size), _HEIGHT - 20, label, "middle", kind="soft"))
    style = _STYLE
    for place, (name, curve) in enumerate(curves.items()):
        colour = _COLOURS[place % len(_COLOURS)]
        style += f".m{place} {{ stroke: {colour}; fill: {colour}; }}\n"
        at = [(x(size), y(auc)) for size, auc in curve]
        for (x0, y0), (x1, y1) in zip(at, at[1:], strict=False):
            body.append(svg.line(f"curve m{place}", x0, y0, x1, y1))
        body += [svg.dot(f"m{place}", *where, 4) for where in at]
        row = _TOP + 20 * place
        body.append(svg.dot(f"m{place}", _WIDTH - _RIGHT + 24, row, 5))
        body.append(svg.text(_WIDTH - _RIGHT + 36, row + 4, name))
    return svg.document(_WIDTH, _HEIGHT, title, style, body)


def _names(points: list[Mapping[str, Any]]) -> list[str]:
    names: dict[str, None] = {}
    for point in points:
        names |= dict.fromkeys(point["models"])
    return list(names)


def _table(points: list[Mapping[str, Any]]) -> Grid:
    rows = []
    for name in _names(points):
        cells = [name]
        for point in points:
            model = point["models"].get(name)
            cells.append("" if model is None else f"{model['auc']:.4f}{_spread(model)}")
        rows.append(tuple(cells))
    oracle = [p["oracle"] for p in points]
    rows.append(("oracle", *("" if one is None else f"{one:.4f}" for one in oracle)))
    header = ("model", *(f"{point['target_rows']:,} target rows" for point in points))
    return Grid(header, tuple(rows))


def _spread(model: Mapping[str, Any]) -> str:
    known = model["sd"] is not None and not math.isnan(model["sd"])
    return f" ± {model['sd']:.4f}" if known else ""
