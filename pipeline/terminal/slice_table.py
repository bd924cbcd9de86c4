"""Table of a model's metrics by slice, with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from operator import itemgetter
from typing import Any

from components.evaluation.metrics import NAMES
from components.evaluation.metrics import SLICE_COLUMNS
from pipeline.store.results import TargetResult
from pipeline.terminal.plain_text import Table


def slice_table(result: TargetResult, target: str) -> Table:
    """Returns a strategy's metrics overall and by slice, 160 characters wide.

    Intervals follow the values, and undefined metrics are marked. Values of a slice
    with too few impressions to judge by share one line; the report has them all.
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
    for name, parts in groupby(decision.get("slices", ()), itemgetter("slice")):
        label = name.replace("_", " ")
        few = []
        for part in parts:
            if part["few_rows"]:
                few.append(part)
            else:
                table.add_row(f"{label} {part['value']}", *_cells(part, compared), "")
        if few:
            rows = sum(part["candidate"]["example_count"] for part in few)
            empty = [""] * (len(table.columns) - 3)
            values = f"{len(few)} value{'s' if len(few) > 1 else ''}"
            remark = "few rows each" if len(few) > 1 else "few rows"
            table.add_row(
                f"{label}: {values}", f"{rows:,.0f}", *empty, remark, style="dim"
            )
        table.add_section()
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
