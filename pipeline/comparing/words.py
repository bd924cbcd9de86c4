"""Sentences about a comparison, made from its numbers."""

from __future__ import annotations

import math

from components.evaluation.differences import Difference
from components.evaluation.metrics import NAMES
from models.settings import FEW_STEPS
from pipeline.comparing.costs import Cost
from pipeline.comparing.limits import LEAST_SEEDS
from pipeline.comparing.record import Comparison

# Below this share of the impressions, GAUC comes with a caveat.
_ENOUGH_COVERAGE = 0.5


def verdict(comparison: Comparison) -> list[str]:
    """Returns sentences about a comparison: wins, the best means, and caveats."""
    sentences = [
        f"{comparison.guard}." if comparison.guard else "",
        wins(comparison),
        _best(comparison),
        *_gap(comparison),
        *_caveats(comparison),
        *(f"{name}: {note}." for name, note in comparison.reference_notes.items()),
        *(f"{name}: {note}." for name, note in comparison.controls.items()),
        *(f"{n} is not compared: {r}." for n, r in comparison.failed.items()),
    ]
    return [sentence for sentence in sentences if sentence]


def wins(comparison: Comparison) -> str:
    """Returns which strategies win: above the baseline and the best reference."""
    if not comparison.best_reference:
        return "There are no references, so no win is counted."
    if len(comparison.seeds) < LEAST_SEEDS:
        return (
            f"Fewer than {LEAST_SEEDS} seeds say too little of the luck of a training, "
            "so no win is counted."
        )
    auc = next(
        one.metrics["auc"]
        for one in comparison.references
        if one.name == comparison.best_reference
    )
    won = [model.name for model in comparison.models if model.wins]
    told = (
        f"{', '.join(won)} win" + "s" * (len(won) == 1) if won else "No strategy wins"
    )
    return (
        f"{told}: AUC above that of {comparison.baseline} and of the best reference, "
        f"{comparison.best_reference} ({auc:.4f}), both told apart with Holm's "
        "correction for all differences of the table."
    )


def interval_note(comparison: Comparison) -> str:
    """Returns what the intervals in brackets are."""
    if not comparison.random_effects:
        return (
            "In brackets paired 95 % intervals of the former bootstrap over users and "
            "seeds, too narrow, and each for itself, not corrected for their number."
        )
    return (
        "In brackets paired 95 % intervals with seeds, users and items as random "
        "effects, each for itself; * marks a difference that is told apart from zero "
        "with Holm's correction for all differences of the table."
    )


def with_interval(difference: Difference | None, form: str = "+.4f") -> str:
    """Returns a number and its interval, such as `+0.0100 [-0.0020, +0.0220]`.

    `*` marks one that is told apart from zero, all of its table considered.
    """
    if difference is None:
        return ""
    if math.isnan(difference.value):
        return "undefined"
    value, low, high = (
        format(x, form) for x in (difference.value, difference.low, difference.high)
    )
    mark = "*" if difference.told_apart else ""
    return f"{value}{mark} [{low}, {high}]"


def _best(comparison: Comparison) -> str:
    parts = []
    for metric, choose in (("auc", max), ("log_loss", min), ("gauc", max)):
        known = {
            model.name: model.metrics[metric]
            for model in comparison.models
            if not math.isnan(model.metrics[metric])
        }
        if len(known) > 1 and not (metric == "gauc" and comparison.guard):
            name = choose(known, key=lambda name: known[name])
            parts.append(f"{NAMES[metric]} {name} ({known[name]:.4f})")
    if not parts:
        return ""
    alike = [
        model.name
        for model in comparison.models
        if model.behind_best is not None and model.behind_best.high >= 0
    ]
    told = ""
    if alike and not comparison.guard:
        told = f" Not told apart from that GAUC: {', '.join(alike)}."
    return f"Best means: {', '.join(parts)}.{told}"


def _gap(comparison: Comparison) -> list[str]:
    if comparison.oracle is None:
        return [comparison.note] if comparison.note else []
    shares = [
        f"{model.name} {with_interval(model.gap_share, '.0%')}"
        for model in comparison.models
        if model.gap_share is not None
    ]
    oracle = comparison.oracle["gauc"]
    return [
        f"Of the reachable gap in GAUC, {comparison.baseline} to the oracle's "
        f"{oracle:.4f}, these shares are closed: {', '.join(shares)}."
    ]


def _caveats(comparison: Comparison) -> list[str]:
    caveats = []
    if len(comparison.seeds) == 1:
        caveats.append(
            "One seed: the intervals are over users and items alone and know nothing "
            "of the luck of a training, so no difference is marked."
        )
    short = {
        name: levels
        for name, cost in comparison.costs.items()
        if (levels := _short_levels(cost))
    }
    if short:
        told = ", ".join(f"{name} ({levels})" for name, levels in short.items())
        caveats.append(
            f"Trainings of fewer than {FEW_STEPS} optimizer steps, which leave weights "
            f"close to where they started: {told}."
        )
    if comparison.coverage < _ENOUGH_COVERAGE:
        caveats.append(
            f"GAUC speaks for {comparison.coverage:.0%} of the rows only, those of "
            "users with both labels."
        )
    return caveats


def _short_levels(cost: Cost) -> str:
    """Returns the levels with a training of few steps, such as `cpm 12`."""
    return ", ".join(
        f"{level} {steps}" for level, steps in cost.steps.items() if steps < FEW_STEPS
    )
