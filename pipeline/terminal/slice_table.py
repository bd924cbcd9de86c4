"""Table of a model's metrics by slice, with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.evaluation.metrics import NAMES
from components.evaluation.metrics import SLICE_COLUMNS
from pipeline.store.results import TargetResult
from pipeline.terminal.plain_text import Table


def slice_table(result: TargetResult, target: str) -> Table:
    """Returns a strategy's metrics overall and by slice, 160 characters wide.

    Intervals follow the values. Metrics that are undefined on a slice and slices with
    too few impressions are marked.
    """
    decision = result.decision
    compared = decision["live"] is not None
    table = Table(title=f"{result.strategy} on {target} by slice", title_justify="left")
    table.add_column("slice")
    table.add_column("rows", justify="right")
    for metric in SLICE_COLUMNS:
        table.add_column(NAMES[metric], justify="right")
    if compared:
        table.add_column("AUC against live", justify="right")
    table.add_column("")
    table.add_row("all", *_cells(decision, compared), "", end_section=True)
    slices = decision.get("slices", ())
    for part, following in zip(slices, [*slices[1:], None], strict=False):
        last = following is None or following["slice"] != part["slice"]
        table.add_row(
            f"{part['slice'].replace('_', ' ')} {part['value']}",
            *_cells(part, compared),
            "few rows" if part["few_rows"] else "",
            style="dim" if part["few_rows"] else None,
            end_section=last,
        )
    return table


def _cells(part: Mapping[str, Any], compared: bool) -> list[str]:
    metrics, intervals = part["candidate"], part["intervals"]
    cells = [f"{metrics['example_count']:,.0f}"]
    for metric in SLICE_COLUMNS:
        form = ".2f" if metric == "calibration" else ".3f"
        cells.append(_with_interval(metrics[metric], intervals.get(metric), form))
    if compared:
        change = part["changes"].get("auc", {"value": None})
        cells.append(_with_interval(change["value"], change, "+.3f"))
    return cells


def _with_interval(
    value: float | None, interval: Mapping[str, float | None] | None, form: str
) -> str:
    if value is None:
        return "undefined"
    if not interval or interval["low"] is None or interval["high"] is None:
        return format(value, form)
    low, high = (format(interval[end], form) for end in ("low", "high"))
    return f"{value:{form}} ({low}, {high})"
