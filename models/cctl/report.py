"""Part of a run's page about CCTL: weights by source, gains and distances by step."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from models.days import to_date
from models.strategies.base import ReportChart
from models.strategies.base import ReportPart
from models.strategies.base import ReportTable

_MAX_POINTS = 200
# Source impressions of the highest and of the lowest weight that the page shows.
_SHOWN = 5


def report_part(saw: Mapping[str, Any]) -> ReportPart:
    """Returns the part of the page for what `CctlRecord.to_json` says."""
    windows = saw["windows"]
    windows = windows[:: -(-len(windows) // _MAX_POINTS) or 1]
    notes = [
        "A weight of 1 counts like a row of the target. The gain compares a tower that "
        "saw the sources with one that did not, on target rows that neither has seen "
        "since they were one: below zero, the sources harmed. Single windows are "
        "mostly chance."
    ]
    if all(window["gain"] is None for window in windows):
        notes.insert(
            0,
            "No window of this training has a gain: it needs more steps than "
            "sync_steps, twice as many on the first day.",
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
                "Mean weight of a source's rows, by step",
                {
                    name: tuple((w["step"], w["weights"].get(name)) for w in windows)
                    for name in saw["rows"]
                },
            ),
            _chart("Log loss that source rows saved in a window", "gain", windows),
            _chart(
                "Distance of the towers before they are one again", "distance", windows
            ),
        ),
        notes=tuple(notes),
    )


def _sources(saw: Mapping[str, Any]) -> ReportTable:
    return ReportTable(
        columns=(
            "source",
            "rows read",
            "mean weight",
            "agreement with the target, of the target's own",
        ),
        rows=tuple(
            (name, int(rows), saw["weights"].get(name), _agreement(saw, name))
            for name, rows in saw["rows"].items()
        ),
    )


def _agreement(saw: Mapping[str, Any], name: str) -> str:
    values = saw["agreement"].get(name)
    if not saw["measured"] or values is None:
        return "not measured"
    return f"{values[0]:.2f} ± {values[1]:.2f}"


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
        note="Rows with the highest weights, then those with the lowest.",
    )


def _chart(title: str, key: str, windows: Sequence[Mapping[str, Any]]) -> ReportChart:
    points = tuple((window["step"], window[key]) for window in windows)
    return ReportChart(title, {key: points}, from_zero=key == "distance")
