"""CCTL's part of a run's page: weights by source, gains and distances by step."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from models.days import to_date
from models.strategies.base import ReportChart
from models.strategies.base import ReportPart
from models.strategies.base import ReportTable

_MAX_POINTS = 200
# Number of source impressions of highest, and of lowest, weight on the page.
_SHOWN = 5


def report_part(saw: Mapping[str, Any]) -> ReportPart:
    """Returns the part of the page for a record of `CctlRecord.to_json`."""
    windows = saw["windows"]
    windows = windows[:: -(-len(windows) // _MAX_POINTS) or 1]
    notes = [
        "A source impression of weight 1 counts like one of the target. The gain "
        "compares a tower trained with the sources to one trained without, on the "
        "target impressions of a window before either learns from them: below zero, "
        "the sources harmed. A window whose gain is two standard errors below zero is "
        "undone."
    ]
    if all(window["gain"] is None for window in windows):
        notes.insert(
            0,
            "No window of this training has a gain: each was over the end of a pass. "
            "Lower sync_steps.",
        )
    tables = [_sources(saw)]
    if saw["highest"]:
        tables.append(_extremes(saw))
    return ReportPart(
        title="What the sources brought",
        sentences=tuple(saw["words"]),
        tables=tuple(tables),
        charts=(
            ReportChart(
                "Mean weight of a source's impressions, by step",
                {
                    name: tuple((w["step"], w["weights"].get(name)) for w in windows)
                    for name in saw["rows"]
                },
            ),
            _chart("Log loss saved by source impressions in a window", "gain", windows),
            _chart("Distance of the towers before each sync", "distance", windows),
        ),
        notes=tuple(notes),
    )


def _sources(saw: Mapping[str, Any]) -> ReportTable:
    return ReportTable(
        columns=(
            "source",
            "rows read",
            "mean weight",
            "derivative of the gain, relative to the target's own",
        ),
        rows=tuple(
            (name, int(rows), saw["weights"].get(name), _measured(saw, name))
            for name, rows in saw["rows"].items()
        ),
    )


def _measured(saw: Mapping[str, Any], name: str) -> str:
    parts = saw["measured"].get(name)
    if not parts:
        return "not measured"
    return ", ".join(f"{part} {v:.2f} ± {e:.2f}" for part, (v, e) in parts.items())


def _extremes(saw: Mapping[str, Any]) -> ReportTable:
    rows = [*saw["highest"][:_SHOWN], *saw["lowest"][:_SHOWN]]
    return ReportTable(
        columns=("weight", "source", "day", "label", "row"),
        rows=tuple(
            (
                float(row["weight"]),
                row["source"],
                str(to_date(int(row["day"]))),
                int(row["label"]),
                ", ".join(f"{name} {value}" for name, value in row["rows"].items()),
            )
            for row in rows
        ),
        note="Impressions with the highest weights, then those with the lowest.",
    )


def _chart(title: str, key: str, windows: Sequence[Mapping[str, Any]]) -> ReportChart:
    points = tuple((window["step"], window[key]) for window in windows)
    return ReportChart(title, {key: points}, from_zero=key == "distance")
