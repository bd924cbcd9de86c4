"""Decision of the Gate and the metrics it is based on.

Fields that decisions of older versions lack are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.evaluation.ranking import Floats
from components.evaluation.replicates import MeasuredModel
from components.evaluation.replicates import read_replicates
from components.gate.reasons import Reason
from components.gate.reasons import reasons_of
from models.artifact_files import DECISION_FILE
from pipeline.planning.steps import Step
from pipeline.report.calibration import Decile
from pipeline.report.charts import Point
from pipeline.report.files import read_json
from pipeline.store.reader import Store
from pipeline.store.reader import Stored


@dataclass(frozen=True)
class Value:
    """A metric, None if undefined, with the ends of its interval if it has one."""

    value: float | None
    low: float | None = None
    high: float | None = None

    @property
    def alone(self) -> Value:
        """The value without its interval."""
        return Value(self.value)


@dataclass(frozen=True)
class Metrics:
    """Metrics of one model on all evaluation impressions or a slice of them.

    Attributes:
        name: Name of the slice; empty for all impressions.
        group: Feature that the slices are cut by; empty for all impressions.
        rows: Number of impressions.
        values: Metrics by their names in the decision.
        change: AUC minus that of the live model; None without a live model.
        few_rows: Whether the slice is too small for the Gate's rules.
    """

    name: str
    group: str
    rows: int
    values: Mapping[str, Value]
    change: Value | None
    few_rows: bool = False

    def get(self, name: str) -> Value:
        """Returns a metric; an undefined one if it was not measured."""
        return self.values.get(name, Value(None))


@dataclass(frozen=True)
class Override:
    """Publication of a refused model by a person."""

    who: str
    when: str
    why: str


@dataclass(frozen=True)
class Judged:
    """Evaluation and decision of a strategy's model of the day.

    Attributes:
        strategy: The strategy.
        fingerprint: Fingerprint of the step.
        model: Fingerprint of the model.
        publishes: Whether the models of this strategy are published.
        continues: Whether it was warm-started from its own model of an earlier day.
        approved: The Gate's decision.
        cold_start: Whether there was no live model to compare with.
        reasons: Reasons for the decision.
        candidate: Metrics of the model on all evaluation impressions.
        live: Metrics of the live model on them; None on a cold start.
        constant: Metrics of the constant click rate on them; None if not stored.
        slices: Metrics by slice.
        published: Folder of the version; empty if none was written.
        override: Publication against the Gate's decision; None if there was none.
        unfit: Reason why a model server failed to serve it; empty if none failed.
        measured: The model's metrics and their replicates, for paired intervals.
        calibration: Predicted and actual click rates by decile; empty if not computed.
        calibration_note: Reason why `calibration` is empty.
    """

    strategy: str
    fingerprint: str
    model: str
    publishes: bool
    continues: bool
    approved: bool
    cold_start: bool
    reasons: tuple[Reason, ...]
    candidate: Metrics
    live: Metrics | None
    constant: Metrics | None
    slices: tuple[Metrics, ...]
    published: str
    override: Override | None
    unfit: str = ""
    measured: MeasuredModel = MeasuredModel({})
    calibration: tuple[Decile, ...] = ()
    calibration_note: str = ""

    @property
    def version(self) -> str:
        """Version number of the published model."""
        return Path(self.published).name if self.published else ""

    @property
    def points(self) -> list[Point]:
        """Points of the calibration plot."""
        return [Point(d.predicted, d.actual, d.low, d.high) for d in self.calibration]

    @property
    def verdict(self) -> str:
        """Decision in words."""
        if self.override is not None:
            return f"Refused by the Gate, published as {self.version} by a person."
        if not self.approved:
            stays = "nothing is live" if self.cold_start else "the live model stays"
            return f"Refused; {stays}."
        if self.published:
            return f"Approved and published as version {self.version}."
        if self.unfit:
            return f"Approved, not fit to be served, not published: {self.unfit}"
        if self.publishes:
            return "Approved, not published."
        return "Approved; this strategy is compared, not published."

    @property
    def against(self) -> str:
        """Model that the decision compares with, in words."""
        if self.cold_start:
            return "No model was live, so only the rules on values applied."
        return "Compared with the live model on the same rows."


def gather_judged(store: Store, step: Step, publishing: str) -> Judged | None:
    """Reads the decision of a target step; None if none is stored.

    Args:
        store: The artifacts.
        step: The step.
        publishing: Strategy whose models are published.
    """
    stored = store.newest("GateDecision", step.fingerprint)
    if stored is None:
        return None
    decision = read_json(Path(stored.uri) / DECISION_FILE)
    if decision is None:
        return None
    published = store.newest("PublishedModel", step.fingerprint)
    drawn = read_replicates(Path(stored.uri)).get(step.strategy, {})
    return describe(
        decision,
        replicates=drawn,
        strategy=step.strategy,
        fingerprint=step.fingerprint,
        model=step.training,
        publishes=step.strategy == publishing,
        continues=step.continues,
        published=published,
    )


def describe(
    decision: Mapping[str, Any],
    *,
    strategy: str,
    fingerprint: str,
    model: str = "",
    publishes: bool = True,
    continues: bool = False,
    published: Stored | None = None,
    replicates: Mapping[str, Floats] | None = None,
) -> Judged:
    """Returns the content of `decision.json` and of the published artifact."""
    properties = published.properties if published is not None else {}
    override = None
    if properties.get("override_reason"):
        override = Override(
            *(str(properties.get(f"override_{k}", "")) for k in ("by", "at", "reason"))
        )
    live, constant = decision.get("live"), decision.get("constant")
    return Judged(
        strategy=strategy,
        fingerprint=fingerprint,
        model=model,
        publishes=publishes,
        continues=continues,
        approved=bool(decision["approved"]),
        cold_start=decision["state"] == "cold_start",
        reasons=reasons_of(decision),
        candidate=metrics_of(decision),
        live=None if live is None else metrics_of({"candidate": live}),
        constant=None if constant is None else metrics_of({"candidate": constant}),
        slices=tuple(metrics_of(part) for part in decision.get("slices") or ()),
        published=str(properties.get("path", "")) if properties.get("pushed") else "",
        override=override,
        unfit=str(properties.get("infra_reason", "")),
        measured=MeasuredModel(decision["candidate"], replicates or {}),
    )


def metrics_of(part: Mapping[str, Any]) -> Metrics:
    """Returns the metrics of a part of a decision, such as a slice."""
    intervals = part.get("intervals") or {}
    values = {
        name: Value(
            value,
            (intervals.get(name) or {}).get("low"),
            (intervals.get(name) or {}).get("high"),
        )
        for name, value in part["candidate"].items()
    }
    change = (part.get("changes") or {}).get("auc")
    live = part.get("live")
    if change is None and live and None not in (live["auc"], part["candidate"]["auc"]):
        change = {"value": part["candidate"]["auc"] - live["auc"]}
    return Metrics(
        name=str(part.get("value", "")),
        group=str(part.get("slice", "")).replace("_", " "),
        rows=int(part["candidate"].get("example_count") or 0),
        values=values,
        change=Value(**{"low": None, "high": None, **change}) if change else None,
        few_rows=bool(part.get("few_rows")),
    )
