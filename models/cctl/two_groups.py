"""Two-groups model: which slopes are those of useful impressions, which are of noise.

Each measured slope is of a useful group, around a common mean above 0, or of a useless
one, around 0. Shares and mean are estimated from the measured slopes themselves
(empirical Bayes), so that a group is suspected sooner where others are bad.

References:
    Efron, Microarrays, Empirical Bayes and the Two-Groups Model, Statistical
    Science 23, 2008.
"""

from __future__ import annotations

import numpy as np

from models.cctl.look_ahead import Floats

# Standard deviations of true slopes, for useful ones relative to their mean: a useless
# source may follow the target a little, useful ones differ, and groups of one source do
# so less (our choices).
_OF_SOURCES, _OF_GROUPS = (0.15, 0.3), (0.1, 0.2)
# Bounds of the useful groups' mean slope, relative to the target's own; less than the
# lower one is of little use.
_MEANS = (0.4, 1.2)
# Pseudo-counts of useful and useless groups among sources, and of the mean slope.
_SOURCES = (4.0, 1.0)
_OF_MEAN = 4.0
_STEPS = 50
# Stands in for the infinite error of a group without impressions.
_MOST = 1e6


def source_probabilities(slopes: Floats, squares: Floats) -> tuple[Floats, Floats]:
    """Returns the probability that each source is useful, and its useful slope.

    Args:
        slopes: Slopes relative to the target's own, (K,).
        squares: Their squared standard errors, (K,).

    Returns:
        Probabilities, (K,), 1 for what was not measured, and expected slopes, (K,),
        shrunk towards the useful sources' mean.
    """
    measured = np.isfinite(squares)
    squares = np.minimum(squares, _MOST)
    mean, share = 1.0, _SOURCES[0] / sum(_SOURCES)
    useful = np.ones(len(slopes))
    for _ in range(_STEPS):
        useful = _useful(slopes, squares, mean, share, _OF_SOURCES)
        by = useful / (squares + (_OF_SOURCES[1] * mean) ** 2)
        mean = float((np.sum(by * slopes) + _OF_MEAN) / (np.sum(by) + _OF_MEAN))
        mean = float(np.clip(mean, *_MEANS))
        found = np.sum(measured * useful)
        share = (_SOURCES[0] + found) / (sum(_SOURCES) + np.sum(measured))
    prior = (_OF_SOURCES[1] * mean) ** 2
    expected = (slopes * prior + mean * squares) / (prior + squares)
    return np.where(measured, useful, 1.0), np.clip(expected, *_MEANS)


def group_probabilities(
    slopes: Floats,
    squares: Floats,
    expected: Floats,
    of_source: Floats,
    counts: tuple[float, float],
) -> Floats:
    """Returns the probability that each group is useful, given that its source is.

    Args:
        slopes: Slopes relative to the target's own, (K, G).
        squares: Their squared standard errors, (K, G).
        expected: Expected slope by source, (K,), from which the mean of its useful
            groups starts.
        of_source: Probability that the source is useful, (K,).
        counts: Pseudo-counts of useful and useless groups.
    """
    is_measured = np.isfinite(squares)
    measured = of_source[:, np.newaxis] * is_measured
    squares = np.minimum(squares, _MOST)
    share = counts[0] / sum(counts)
    useful = np.ones(slopes.shape)
    mean = expected[:, np.newaxis]
    for _ in range(_STEPS):
        useful = _useful(slopes, squares, mean, share, _OF_GROUPS)
        by = useful / (squares + (_OF_GROUPS[1] * mean) ** 2)
        least = _OF_MEAN * expected[:, np.newaxis] + np.sum(
            by * slopes, 1, keepdims=True
        )
        mean = np.clip(least / (_OF_MEAN + np.sum(by, 1, keepdims=True)), *_MEANS)
        found = np.sum(measured * useful)
        share = (counts[0] + found) / (sum(counts) + np.sum(measured))
    return np.where(is_measured, useful, 1.0)


def _useful(
    slopes: Floats,
    squares: Floats,
    mean: float | Floats,
    share: float,
    spreads: tuple[float, float],
) -> Floats:
    def log_density(centre: float | Floats, spread: float | Floats) -> Floats:
        variance = squares + spread**2
        density: Floats = -((slopes - centre) ** 2 / variance + np.log(variance)) / 2
        return density

    odds = log_density(mean, spreads[1] * mean) - log_density(0.0, spreads[0])
    odds = odds + np.log(share / (1 - share))
    probabilities: Floats = 1 / (1 + np.exp(-np.clip(odds, -50, 50)))
    return probabilities
