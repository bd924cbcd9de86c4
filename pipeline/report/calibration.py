"""Predicted and actual click rates by decile of the scores."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

# 97.5th percentile of the normal distribution, for intervals of 95 %.
_Z = 1.959964


@dataclass(frozen=True)
class Decile:
    """A tenth of the evaluation impressions, by predicted click rate.

    Attributes:
        rows: Number of impressions.
        predicted: Their mean prediction.
        actual: Their click rate.
        low: Lower end of the click rate's 95 % interval.
        high: Upper end.
    """

    rows: int
    predicted: float
    actual: float
    low: float
    high: float


def deciles(
    scores: npt.NDArray[np.float32], labels: npt.NDArray[np.int64], count: int = 10
) -> list[Decile]:
    """Returns predicted and actual click rates of equally large groups by score.

    Args:
        scores: Predictions, shape (N,).
        labels: 0 or 1, shape (N,).
        count: Number of groups; with fewer impressions, each is a group.

    References:
        Wilson, Probable inference, JASA 1927, for the interval. It assumes independent
        impressions; those of one user are not, so it is a little too narrow.
    """
    order = np.argsort(scores, kind="stable")
    parts = np.array_split(order, min(count, len(order))) if len(order) else []
    found = []
    for rows in parts:
        clicks = int(labels[rows].sum())
        low, high = wilson(clicks, len(rows))
        found.append(
            Decile(
                rows=len(rows),
                predicted=float(scores[rows].astype(np.float64).mean()),
                actual=clicks / len(rows),
                low=low,
                high=high,
            )
        )
    return found


def wilson(clicks: int, rows: int) -> tuple[float, float]:
    """Returns the 95 % Wilson interval of a share.

    `(p + z^2/2n +- z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n)`

    Example:
        >>> tuple(round(end, 3) for end in wilson(5, 10))
        (0.237, 0.763)
    """
    share = clicks / rows
    scale = 1 + _Z**2 / rows
    middle = share + _Z**2 / (2 * rows)
    half = _Z * math.sqrt(share * (1 - share) / rows + _Z**2 / (4 * rows**2))
    return (middle - half) / scale, (middle + half) / scale
