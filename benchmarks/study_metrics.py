"""Metrics of scored impressions, and their differences over the steps of a study."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np

from components.evaluation.ranking import auc
from components.evaluation.ranking import grouped_auc
from components.evaluation.ranking import log_losses

# Student's t, 97.5 %, by degrees of freedom.
_T = {1: 12.71, 2: 4.30, 3: 3.18, 4: 2.78, 5: 2.57, 6: 2.45, 7: 2.36, 8: 2.31, 9: 2.26}
_NORMAL = 1.96
# Mean, lower and upper end.
Interval = tuple[float, float, float]


def interval(values: Sequence[float]) -> Interval:
    """Returns the mean of differences and its 95 % Student interval.

    Example:
        >>> [round(end, 3) for end in interval([0.1, 0.2, 0.3])]
        [0.2, -0.048, 0.448]
    """
    mean = statistics.fmean(values)
    if len(values) < 2:
        return mean, float("-inf"), float("inf")
    half = _T.get(len(values) - 1, _NORMAL) * statistics.stdev(values)
    half /= len(values) ** 0.5
    return mean, mean - half, mean + half


def differences(
    found: Sequence[Mapping[str, Mapping[str, float]]],
    model: str,
    base: str,
    metric: str = "gauc",
) -> list[float]:
    """Returns the metric of `model` minus that of `base`, by seed."""
    return [result[model][metric] - result[base][metric] for result in found]


def difference(
    results: Sequence[Mapping[str, Any]],
    model: str,
    base: str,
    metric: str = "gauc",
    first: int = 1,
) -> Interval:
    """Returns the mean difference of two models by step, with a 95 % interval.

    The interval is a normal one that takes the steps of all seeds as independent. Steps
    of a seed share a model that is trained on, so it is somewhat too narrow.

    Args:
        results: Results of the seeds, each `asdict` of a `ctnet_study.Result`.
        model: The model.
        base: The model it is compared with.
        metric: The metric of a step.
        first: First step that counts; on step 0 CTNet equals `target_only`.

    Returns:
        Mean, lower and upper end.
    """
    pairs = [
        (r["days"][model][step][metric], r["days"][base][step][metric])
        for r in results
        for step in range(first, len(r["days"][base]))
    ]
    apart = np.array([a - b for a, b in pairs], np.float64)
    apart = apart[np.isfinite(apart)]
    half = _NORMAL * apart.std(ddof=1) / len(apart) ** 0.5
    return float(apart.mean()), float(apart.mean() - half), float(apart.mean() + half)


def difference_text(found: Interval) -> str:
    """Returns a difference and its interval as text, without a verdict."""
    mean, low, high = found
    return f"{mean:+.4f} [{low:+.4f}, {high:+.4f}]"


def metrics_of(users: Any, probability: Any, labels: Any) -> dict[str, float]:
    """Returns `auc`, `gauc`, its `coverage` and `log_loss` of scored impressions."""
    grouped = grouped_auc(users, probability, labels)
    return {
        "auc": auc(probability, labels),
        "gauc": grouped.gauc,
        "coverage": grouped.coverage,
        "log_loss": float(log_losses(probability, labels).mean()),
    }
