"""Metrics of one model's scores, by the names that the Evaluator uses."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from components.evaluation.impressions import ScoredImpressions
from components.evaluation.metrics import METRICS
from components.evaluation.metrics import RESULT_COLUMNS
from components.evaluation.metrics import ExampleCount
from components.evaluation.ranking import user_codes


def metrics_of(
    users: npt.ArrayLike, labels: npt.ArrayLike, scores: npt.ArrayLike
) -> dict[str, float]:
    """Returns the metrics of a result table, `RESULT_COLUMNS`.

    Args:
        users: Ids as `user_codes` takes them, shape (N,).
        labels: 0 or 1, shape (N,).
        scores: Click probabilities, shape (N,).
    """
    label, score = np.asarray(labels, np.float64), np.asarray(scores, np.float64)
    impressions = ScoredImpressions(
        user_codes(users), score, label, np.ones(len(label))
    )
    found = {
        metric.name: metric.value(impressions)
        for metric in METRICS
        if metric.in_results and not metric.tfma_class
    }
    found[ExampleCount.name] = float(len(label))
    return {name: found[name] for name in RESULT_COLUMNS}
