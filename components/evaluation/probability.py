"""Quality of scores as probabilities: entropy and calibration error."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from components.evaluation.ranking import check_columns

# Enough to see a bend, and a hundredth of a day's ads still is some hundred rows.
NUM_BINS = 10


def entropy(rate: float) -> float:
    """Returns the entropy of one click in nats, `-r log r - (1 - r) log(1 - r)`.

    NaN unless `rate` lies strictly between 0 and 1: otherwise the entropy is zero and a
    ratio to it is meaningless.
    """
    if not 0 < rate < 1:
        return math.nan
    return -rate * math.log(rate) - (1 - rate) * math.log1p(-rate)


def calibration_error(
    scores: npt.ArrayLike,
    labels: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
    num_bins: int = NUM_BINS,
) -> float:
    """Returns the expected calibration error over bins of equal mass.

    `sum_b |sum_{i in b} w_i (s_i - y_i)| / sum_i w_i`: the mean distance between a
    bin's average score and its click rate. The impressions are sorted by score and
    split into `num_bins` bins of equal weight. Bins of equal width would put all scores
    of an ad model, which lie below 0.1, into one bin. Impressions of equal score stay
    together, in the bin that contains the middle of their weight, so that the order of
    the impressions does not matter. A perfect model's error is not 0: clicks are
    random, and the click rate of a bin of n impressions has an error of about sqrt(p /
    n).

    Args:
        scores: Finite numbers, shape (N,).
        labels: 0 or 1, shape (N,).
        weights: Non-negative and finite, shape (N,). Defaults to one each.
        num_bins: Number of bins.

    Returns:
        In [0, 1]; NaN without impressions or weight.

    Raises:
        DataError: If lengths differ or values are invalid.

    References:
        Naeini et al., Obtaining Well Calibrated Probabilities Using Bayesian Binning,
        AAAI 2015 (the error); Nixon et al., Measuring Calibration in Deep Learning,
        2019 (bins of equal mass). Keeping ties together is our choice.
    """
    score, label, weight = check_columns(scores, labels, weights)
    total = math.fsum(weight.tolist())
    if total <= 0:
        return math.nan
    values, tie = np.unique(score, return_inverse=True)
    mass = np.bincount(tie, weight, minlength=len(values))
    excess = np.bincount(tie, weight * (score - label), minlength=len(values))
    middle = np.cumsum(mass) - mass / 2
    bins = np.minimum((num_bins * middle / total).astype(np.int64), num_bins - 1)
    return float(np.abs(np.bincount(bins, excess)).sum() / total)
