"""Metrics of one model's scores, by the names that the Evaluator uses."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from components.evaluation.probability import entropy
from components.evaluation.ranking import auc
from components.evaluation.ranking import grouped_auc
from components.evaluation.ranking import log_losses


def metrics_of(
    users: npt.ArrayLike, labels: npt.ArrayLike, scores: npt.ArrayLike
) -> dict[str, float]:
    """Returns the metrics of a result table, by the names that the Evaluator uses.

    Args:
        users: Ids as `grouped_auc` takes them, shape (N,).
        labels: 0 or 1, shape (N,).
        scores: Click probabilities, shape (N,).
    """
    label, score = np.asarray(labels), np.asarray(scores, np.float64)
    rows, clicks = len(label), int(label.sum())
    grouped = grouped_auc(users, score, label)
    loss = float(log_losses(score, label).mean()) if rows else math.nan
    return {
        "auc": auc(score, label),
        "gauc": grouped.gauc,
        "gauc_coverage": grouped.coverage,
        "log_loss": loss,
        "normalized_entropy": loss / entropy(clicks / rows if rows else 0.0),
        "calibration": float(score.sum()) / clicks if clicks else math.nan,
        "example_count": float(rows),
        "click_count": float(clicks),
    }
