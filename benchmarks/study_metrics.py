"""Metrics of scored impressions, and their differences over the steps of a study."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np

from components.evaluation.differences import difference as seed_difference
from components.evaluation.ranking import auc
from components.evaluation.ranking import grouped_auc
from components.evaluation.ranking import log_losses

# Mean, lower and upper end.
Interval = tuple[float, float, float]


def interval(values: Sequence[float]) -> Interval:
    """Returns the mean of differences by seed and its 95 % Student interval.

    Example:
        >>> [round(end, 3) for end in interval([0.1, 0.2, 0.3])]
        [0.2, -0.048, 0.448]
    """
    found = seed_difference(values)
    return found.value, found.low, found.high


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
    """Returns the mean difference of two models, with its 95 % Student interval.

    Steps of a seed share a model that is trained on, so each seed counts once, with the
    mean over its steps. A single seed has no interval: its ends are infinite.

    Args:
        results: Results of the seeds, each `asdict` of a `ctnet_study.Result`.
        model: The model.
        base: The model it is compared with.
        metric: The metric of a step.
        first: First step that counts; on step 0 CTNet equals `target_only`.

    Returns:
        Mean, lower and upper end.
    """
    by_seed = []
    for result in results:
        ours, theirs = (
            np.array([step[metric] for step in result["days"][name][first:]])
            for name in (model, base)
        )
        by_seed.append(float(np.nanmean(ours - theirs)))
    return interval(by_seed)


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
