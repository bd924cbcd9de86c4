"""What a comparison comes to, in words made from its numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

from components.metrics.bootstrap import Difference
from pipeline.comparing.measure import Measured
from pipeline.comparing.measure import Outcome
from pipeline.comparing.measure import sorted_out
from pipeline.comparing.record import Comparison

NAMES = {"auc": "AUC", "gauc": "GAUC", "log_loss": "log loss"}

_ORDER: tuple[Outcome, ...] = ("wins", "loses", "not told apart", "undefined")
# From this share of the rows on, GAUC may speak for all.
_ENOUGH_COVERAGE = 0.5


def verdict(comparison: Comparison) -> list[str]:
    """Returns the comparison in sentences: outcomes, the best, what to beware of."""
    sentences = [
        outcomes(comparison.models, metric, comparison.baseline)
        for metric in ("gauc", "auc", "log_loss")
    ]
    sentences += [_best(comparison), *_gap(comparison), *_caveats(comparison)]
    sentences += [f"{n} is not compared: {r}." for n, r in comparison.failed.items()]
    return [sentence for sentence in sentences if sentence]


def outcomes(models: Sequence[Measured], metric: str, baseline: str) -> str:
    """Returns who wins against the baseline, who loses and who is not told apart.

    Example: `By GAUC, against target_only: wins: ecdctr; not told apart: star.`
    """
    found = sorted_out(models, metric)
    parts = [
        f"{outcome}: {', '.join(found[outcome])}"
        for outcome in _ORDER
        if outcome in found
    ]
    if not parts:
        return ""
    return f"By {NAMES[metric]}, against {baseline}: {'; '.join(parts)}."


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
    known = [m for m in comparison.models if not math.isnan(m.metrics["gauc"])]
    if len(known) < 2:
        return ""
    best = max(known, key=lambda model: model.metrics["gauc"])
    alike = [
        model.name
        for model in known
        if model.behind_best is not None and model.behind_best.high >= 0
    ]
    told = (
        f"not told apart from it: {', '.join(alike)}" if alike else "above all others"
    )
    return f"Highest GAUC: {best.name} ({best.metrics['gauc']:.4f}); {told}."


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
            "One seed: the intervals are over users alone and know nothing of the luck "
            "of a training."
        )
    if comparison.coverage < _ENOUGH_COVERAGE:
        caveats.append(
            f"GAUC speaks for {comparison.coverage:.0%} of the rows only, those of "
            "users with both labels."
        )
    return caveats
