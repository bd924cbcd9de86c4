"""Markdown form of a model card, for people."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from components.evaluation.metrics import NAMES
from components.evaluation.metrics import RESULT_COLUMNS
from components.evaluation.metrics import SLICE_COLUMNS

UNKNOWN = "not recorded"


def card_text(card: Mapping[str, Any]) -> str:
    """Returns a model card as Markdown."""
    model, purpose = card["model"], card["purpose"]
    title = f"{_text(model['name'])}, version {_text(model['version'])}"
    owner = f"Owner: {_text(purpose['owner'])}"
    parts = [
        [f"# Model card: {title}"],
        ["## Purpose", _text(purpose["statement"]), owner],
        ["## Model", _list(_model_lines(card))],
        ["## Training data", _list(_training_lines(card))],
        ["## Evaluation data", _list(_evaluation_lines(card))],
        ["## Metrics", *_metric_parts(card)],
        *([["## Slices", _slice_table(card["slices"])]] if card["slices"] else []),
        ["## Decision of the Gate", *_gate_parts(card["gate"])],
        ["## Limits", _list(card["limits"]) if card["limits"] else "None recorded."],
        ["## Features", _features(card["features"])],
        ["## How it was made", *_provenance(card["provenance"])],
        ["## History", _list(_event(event) for event in card["events"])],
    ]
    return "\n\n".join(text for part in parts for text in part) + "\n"


def _model_lines(card: Mapping[str, Any]) -> list[str]:
    model, training = card["model"], card["training"]
    parameters = training["parameters"]
    sizes = ", ".join(f"{count:,} {key}" for key, count in (parameters or {}).items())
    start = {True: "weights of an earlier model", False: "random weights", None: None}
    lines = [
        f"Strategy: {_text(model['strategy'])} (kind {_text(model['kind'])})",
        f"Run's day: {_text(model['day'])}",
        f"Parameters: {sizes or UNKNOWN}",
        f"Started from: {_text(start[training['warm_start']])}",
        f"Optimizer steps: {_count(training['optimizer_steps'])}; passes over the "
        f"impressions: {_count(training['passes'])}; batch size: "
        f"{_count(training['batch_size'])}",
    ]
    if training["snapshot_days"]:
        lines.append(f"Embedding snapshots of: {', '.join(training['snapshot_days'])}")
    checked = training["served_like_trained"]
    if checked and checked.get("rows"):
        lines.append(
            f"Scores in serving: as in training on {checked['rows']:,} impressions, "
            f"largest difference {checked['largest']:.0e}"
        )
    return lines


def _training_lines(card: Mapping[str, Any]) -> list[str]:
    model, training = card["model"], card["training"]
    by_domain = training["impressions_by_domain"] or {}
    domains = ", ".join(f"{name} {count:,}" for name, count in by_domain.items())
    rate = training["target_click_rate"]
    sources = None if model["sources"] is None else ", ".join(model["sources"])
    return [
        f"Target domain: {_text(model['target'])}; sources: {_text(sources)}",
        f"Days of the target level: {_text(training['first_day'])} to "
        f"{_text(training['last_day'])}",
        f"Impressions: {_count(training['impressions'])}"
        + (f" ({domains})" if domains else "")
        + f", clicks: {_count(training['clicks'])}",
        f"Click rate of the target: {UNKNOWN if rate is None else f'{rate:.2%}'}",
    ]


def _evaluation_lines(card: Mapping[str, Any]) -> list[str]:
    found = card["evaluation"]
    return [
        f"Domain: {_text(found['domain'])}; days: {_text(found['first_day'])} to "
        f"{_text(found['last_day'])}, after the training data",
        f"Impressions: {_count(found['impressions'])}, clicks: "
        f"{_count(found['clicks'])}",
    ]


def _metric_parts(card: Mapping[str, Any]) -> list[str]:
    metrics = card["metrics"]
    columns = [name for name in RESULT_COLUMNS if not name.endswith("_count")]
    head = ["", *(NAMES.get(name, name) for name in columns)]
    own = _cells(metrics["model"], metrics["intervals"], columns)
    rows = [["**this model**", *own]]
    if metrics["live"]:
        rows.append(["live model", *_cells(metrics["live"], {}, columns)])
        changes = metrics["changes"] or {}
        values = {name: change["value"] for name, change in changes.items()}
        rows.append(["difference", *_cells(values, changes, columns, "+")])
    if metrics["constant"]:
        rows.append(["constant click rate", *_cells(metrics["constant"], {}, columns)])
    for name, one in (card["references"] or {}).items():
        # The click rate stands in the table already.
        if name != "constant" or not metrics["constant"]:
            rows.append([name, *_cells(one["metrics"], one["intervals"], columns)])
    level = metrics["level"]
    note = "All on the evaluation data above."
    if level is not None:
        note += f" In brackets: {level:.0%} intervals over resampled users."
    notes = [
        f"{name}: {one['note']}"
        for name, one in (card["references"] or {}).items()
        if one["note"]
    ]
    return [_table(head, rows), note, *([_list(notes)] if notes else [])]


def _slice_table(slices: Sequence[Mapping[str, Any]]) -> str:
    columns = [name for name in SLICE_COLUMNS if not name.endswith("_count")]
    head = ["slice", "impressions", *(NAMES.get(name, name) for name in columns)]
    rows = []
    for part in slices:
        few = bool(part.get("few_rows"))
        intervals = {} if few else part.get("intervals")
        name = f"{str(part['slice']).replace('_', ' ')} {part['value']}"
        rows.append(
            [
                name + (" (too few impressions)" if few else ""),
                _count(part["candidate"].get("example_count")),
                *_cells(part["candidate"], intervals, columns),
            ]
        )
    return _table(head, rows)


def _gate_parts(gate: Mapping[str, Any]) -> list[str]:
    told = "Approved." if gate["approved"] else "Refused, and published by a person."
    reasons = [f"{one['outcome']}: {one['text']}" for one in gate["reasons"]]
    return [told, *([_list(reasons)] if reasons else [])]


def _features(features: Sequence[Mapping[str, Any]] | None) -> str:
    if not features:
        return UNKNOWN
    rows = [
        [one["name"], " ".join([one["kind"], *one["of"]]), one["side"] or ""]
        for one in features
    ]
    return _table(["feature", "kind", "describes"], rows)


def _provenance(provenance: Mapping[str, Any] | None) -> list[str]:
    if provenance is None:
        return [UNKNOWN]
    lines = [f"{key}: `{value}`" for key, value in _flat("", provenance)]
    return [_list(lines)]


def _flat(prefix: str, value: Any) -> Iterable[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(f"{prefix} {str(key).replace('_', ' ')}".strip(), inner)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for number, inner in enumerate(value, 1):
            yield from _flat(f"{prefix} {number}", inner)
    elif value is not None and value != "":
        yield prefix, str(value)


def _event(event: Mapping[str, Any]) -> str:
    done = {
        "published": "published",
        "stable": "made the stable version",
        "canary": "made the canary",
        "withdrawn": "withdrawn",
    }[event["event"]]
    what = f"{event['when']}: {event['version']} {done} by {event['who']}"
    return f"{what}: {event['why']}"


def _cells(
    values: Mapping[str, Any] | None,
    intervals: Mapping[str, Any] | None,
    columns: Sequence[str],
    sign: str = "",
) -> list[str]:
    cells = []
    for name in columns:
        value = (values or {}).get(name)
        ends = (intervals or {}).get(name) or {}
        if value is None:
            cells.append("–")
        elif ends.get("low") is None or ends.get("high") is None:
            cells.append(format(value, f"{sign}.4f"))
        else:
            text = (format(x, f"{sign}.4f") for x in (value, ends["low"], ends["high"]))
            cells.append("{} ({} to {})".format(*text))
    return cells


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(str(text).split()).replace("|", "\\|")


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"* {' '.join(str(line).split())}" for line in lines)


def _text(value: object) -> str:
    return UNKNOWN if value is None else " ".join(str(value).split())


def _count(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:,.0f}"
