"""Limits of a model, in sentences that follow from what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.gate.reasons import reasons_of
from components.references.stored import StoredReferences
from models.settings import FEW_STEPS


def limits_of(
    decision: Mapping[str, Any],
    report: Mapping[str, Any],
    references: StoredReferences | None,
) -> list[str]:
    """Returns the limits of a judged model, the most general first.

    Args:
        decision: Content of `decision.json`.
        report: The trainer's report; empty if it is not stored.
        references: References on the same impressions; None without any.
    """
    found = [
        *_of_training(report),
        *_of_metrics(decision),
        *_of_references(decision, references),
        *_of_slices(decision),
    ]
    found += [
        f"The Gate refused it: {reason.text}."
        for reason in reasons_of(decision)
        if reason.outcome == "refused"
    ]
    return found


def _of_training(report: Mapping[str, Any]) -> list[str]:
    found = [
        "Trained once: the intervals contain the luck of the evaluation impressions, "
        "not that of the training."
    ]
    steps = report.get("steps")
    if steps is not None and steps < FEW_STEPS and not report.get("warm_start"):
        found.append(
            f"Trained with {steps} optimizer steps, fewer than {FEW_STEPS}: its "
            "weights are still close to their random start."
        )
    return found


def _of_metrics(decision: Mapping[str, Any]) -> list[str]:
    found = []
    metrics, intervals = decision.get("candidate", {}), decision.get("intervals") or {}
    if decision.get("state") == "cold_start":
        found.append("No model was live, so it was compared with none.")
    entropy = metrics.get("normalized_entropy")
    high = (intervals.get("normalized_entropy") or {}).get("high")
    if entropy is not None and max(entropy, high or 0) >= 1:
        found.append(
            "Not told apart from a constant click rate: normalized entropy "
            f"{_with_high(entropy, high)} is not below 1."
        )
    if not any((one or {}).get("low") is not None for one in intervals.values()):
        found.append("Its metrics have no intervals.")
    if metrics and metrics.get("gauc") is None:
        found.append("GAUC is undefined: no user has both a click and none.")
    return found


def _with_high(value: float, high: float | None) -> str:
    return f"{value:.4f}" + ("" if high is None else f" (up to {high:.4f})")


def _of_references(
    decision: Mapping[str, Any], references: StoredReferences | None
) -> list[str]:
    if references is None:
        return ["No references were fitted on the same impressions."]
    found = [f"{references.guard}."] if references.guard else []
    auc, best = decision.get("candidate", {}).get("auc"), references.best
    if best is not None and auc is not None:
        bar = references.by_name[best].metrics["auc"] or 0.0
        if auc <= bar:
            found.append(
                f"Its AUC {auc:.4f} is not above that of {best}, {bar:.4f}, on the "
                "same impressions."
            )
    return found


def _of_slices(decision: Mapping[str, Any]) -> list[str]:
    slices = decision.get("slices") or []
    few = sum(bool(part.get("few_rows")) for part in slices)
    if not few:
        return []
    return [
        f"{few} of {len(slices)} slices have too few impressions for the Gate's rules."
    ]
