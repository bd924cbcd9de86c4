"""Results of a run: metrics, warm starts, the published model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from typing import TypeVar

from models.artifact_files import DECISION_FILE
from models.artifact_files import model_report
from models.days import DayRange
from models.settings import FEW_STEPS
from pipeline.planning.retention import KINDS
from pipeline.planning.step_kinds import StepKind
from pipeline.planning.steps import Known
from pipeline.planning.steps import Step
from pipeline.store.reader import REMOVED
from pipeline.store.reader import Store

_Constant = TypeVar("_Constant")


@dataclass(frozen=True)
class TargetResult:
    """Result of one strategy.

    Attributes:
        strategy: Entry of the configuration's `strategies`.
        decision: The gate's decision with the metrics it saw.
        report: The trainer's report.
        published: Version folder, or None.
        continues: Whether the model goes on from its own of an earlier day.
        unfit: Why no server could use the model; empty if one could, or was not asked.
    """

    strategy: str
    decision: Mapping[str, Any]
    report: Mapping[str, Any]
    published: str | None
    continues: bool = False
    unfit: str = ""


def known_state(store: Store) -> Known:
    """Returns what is stored, as planning wants it."""
    blocks = {
        stored.fingerprint: DayRange(stored.first_day, stored.last_day)
        for stored in store.transformed_blocks()
    }
    results = {
        stored.fingerprint
        for kind in ("EmbeddingSnapshot", "GateDecision", "ReferenceScores")
        for stored in store.artifacts(kind)
    }
    trained = store.artifacts("Model")
    results |= {m.fingerprint for m in trained if m.properties.get("level") == "cpm"}
    models = {
        m.fingerprint: m.last_day + 1
        for m in trained
        if m.properties.get("level") == "target"
    }
    sources = {
        m.fingerprint: m.last_day + 1
        for m in trained
        if m.properties.get("level") == "source"
    }
    live = [
        (int(stored.properties["day"]), str(stored.properties["model_fingerprint"]))
        for stored in store.artifacts("PublishedModel")
        if stored.properties.get("pushed")
    ]
    published = {s.fingerprint for s in store.artifacts("PublishedModel")}
    return Known(
        blocks,
        frozenset(results),
        frozenset(published),
        tuple(live),
        models,
        sources,
        frozenset(removed_fingerprints(store)),
    )


def removed_fingerprints(store: Store) -> set[str]:
    """Returns what is known to have been made, but whose files were removed."""
    return {
        stored.fingerprint
        for kind in KINDS
        for stored in store.artifacts(kind)
        if stored.properties.get(REMOVED) and stored.fingerprint
    }


def rows_of(store: Store, step: Step) -> int | None:
    """Returns the rows a finished step ingested or trained on."""
    kind = {
        StepKind.INGEST: "Examples",
        StepKind.REFERENCES: "ReferenceScores",
    }.get(step.kind, "Model")
    stored = store.newest(kind, step.training or step.fingerprint)
    return None if stored is None else int(stored.properties.get("num_rows", 0))


def training_report(store: Store, step: Step) -> dict[str, Any] | None:
    """Returns the trainer's report of a step; None if no model of it is stored."""
    model = store.newest("Model", step.training or step.fingerprint)
    path = None if model is None else model_report(Path(model.uri))
    # `crossctr clean` removes files and leaves the entry.
    return _read_json(path) if path is not None and path.is_file() else None


def few_steps(report: Mapping[str, Any]) -> str:
    """Returns what to know of a training with few optimizer steps; empty if it is none.

    Args:
        report: The trainer's report.
    """
    steps = int(report["steps"])
    if steps >= FEW_STEPS:
        return ""
    took = f"{steps} optimizer step{'s' * (steps != 1)}, fewer than {FEW_STEPS}"
    if report.get("warm_start"):
        return f"{took}, from the weights of an earlier model"
    return (
        f"{took}: its weights are still close to their random start; train on more "
        "impressions (window_days), in more epochs, or with a smaller batch_size"
    )


def target_result(store: Store, step: Step) -> TargetResult:
    """Reads the result of a finished target step."""
    report = training_report(store, step)
    if report is None:
        raise LookupError(f"step {step.label!r} has no stored result")
    published = store.newest("PublishedModel", step.fingerprint)
    about = {} if published is None else published.properties
    return TargetResult(
        strategy=step.strategy,
        decision=decision_of(store, step.fingerprint),
        report=report,
        published=str(about["path"]) if about.get("pushed") else None,
        continues=step.continues,
        unfit=str(about.get("infra_reason", "")),
    )


def label_constants(
    by_strategy: Sequence[tuple[str, _Constant | None]],
) -> list[tuple[str, _Constant]]:
    """Returns the constants that strategies stand beside, each once, with a label.

    Strategies that trained on the same days have the same; one that continues from an
    earlier day's model may have another, whose label names it.

    Args:
        by_strategy: Strategy and its constant; None where that is not known.
    """
    distinct: list[tuple[list[str], _Constant]] = []
    for strategy, constant in by_strategy:
        if constant is None:
            continue
        same = [names for names, known in distinct if known == constant]
        if same:
            same[0].append(strategy)
        else:
            distinct.append(([strategy], constant))
    if len(distinct) == 1:
        return [("constant", distinct[0][1])]
    return [(f"constant ({', '.join(names)})", known) for names, known in distinct]


def decision_of(store: Store, fingerprint: str) -> dict[str, Any]:
    """Returns the gate's decision of a finished target step."""
    decision = store.newest("GateDecision", fingerprint)
    if decision is None:
        raise LookupError(f"there is no stored decision of {fingerprint!r}")
    return _read_json(Path(decision.uri) / DECISION_FILE)


def _read_json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
