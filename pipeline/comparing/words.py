"""Sentences about a comparison, made from its numbers."""

from __future__ import annotations

import math

from components.evaluation.bootstrap import Difference
from components.evaluation.metrics import NAMES
from pipeline.comparing.record import Comparison

# Below this share of the impressions, GAUC comes with a caveat.
_ENOUGH_COVERAGE = 0.5


def verdict(comparison: Comparison) -> list[str]:
    """Returns sentences about a comparison: the best means, and caveats.

    None says that a strategy beats another: see `interval_caveat`.
    """
    sentences = [_best(comparison), *_gap(comparison), *_caveats(comparison)]
    sentences += [f"{n} is not compared: {r}." for n, r in comparison.failed.items()]
    return [sentence for sentence in sentences if sentence]


def interval_caveat(num_seeds: int) -> str:
    """Returns why an interval without zero does not prove a difference."""
    if num_seeds == 1:
        return (
            "One seed: the intervals are over users alone and know nothing of the luck "
            "of a training, so they are too narrow and nothing is counted as won or "
            "lost."
        )
    return (
        f"The intervals are too narrow, so nothing is counted as won or lost: seeds "
        f"drawn again with replacement have {num_seeds - 1}/{num_seeds} of the "
        "variance over seeds, and no t quantile allows for so few."
    )


def with_interval(difference: Difference | None, form: str = "+.4f") -> str:
    """Returns a number and its interval, such as `+0.0100 [-0.0020, +0.0220]`."""
    if difference is None:
        return ""
    if math.isnan(difference.value):
        return "undefined"
    value, low, high = (
        format(x, form) for x in (difference.value, difference.low, difference.high)
    )
    return f"{value} [{low}, {high}]"


def _best(comparison: Comparison) -> str:
    parts = []
    for metric, choose in (("auc", max), ("log_loss", min), ("gauc", max)):
        known = {
            model.name: model.metrics[metric]
            for model in comparison.models
            if not math.isnan(model.metrics[metric])
        }
        if len(known) > 1:
            name = choose(known, key=lambda name: known[name])
            parts.append(f"{NAMES[metric]} {name} ({known[name]:.4f})")
    if not parts:
        return ""
    # The intervals are too narrow: of those outside, some may belong here as well.
    alike = [
        model.name
        for model in comparison.models
        if model.behind_best is not None and model.behind_best.high >= 0
    ]
    told = f" Not told apart from that GAUC: at least {', '.join(alike)}."
    return f"Best means: {', '.join(parts)}.{told if alike else ''}"


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
    caveats = [interval_caveat(len(comparison.seeds))]
    if comparison.coverage < _ENOUGH_COVERAGE:
        caveats.append(
            f"GAUC speaks for {comparison.coverage:.0%} of the rows only, those of "
            "users with both labels."
        )
    return caveats
