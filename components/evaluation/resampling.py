"""Resampling of users: metrics as functions of how often each user is drawn."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from components.evaluation.metrics import RESAMPLED
from components.evaluation.probability import entropy
from components.evaluation.ranking import Codes
from components.evaluation.ranking import Floats
from components.evaluation.ranking import check_columns
from components.evaluation.ranking import log_losses
from components.evaluation.ranking import user_aucs

# Cumulative Poisson probabilities for mean 1; that of 18 differs from 1 by 10^-16.
_POISSON = np.cumsum(np.exp(-1) / np.cumprod([1, *range(1, 19)], dtype=float))
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)

Keys = npt.NDArray[np.uint64]


def user_clusters(codes: Codes) -> Codes:
    """Returns each impression's cluster: its user, or itself without a user.

    Args:
        codes: User code of each impression, negative without a user, shape (N,).

    Returns:
        Cluster indices: users by code, then impressions without one in their order.
    """
    lone = np.flatnonzero(codes < 0)
    clusters = codes.copy()
    clusters[lone] = codes.max(initial=-1) + 1 + np.arange(len(lone))
    return np.unique(clusters, return_inverse=True)[1].astype(np.int64)


class Draw(NamedTuple):
    """Metrics on redrawn users; NaN where undefined."""

    auc: float
    gauc: float
    log_loss: float
    normalized_entropy: float
    calibration: float


class Resampled:
    """Metrics of a model as a function of how often each cluster is drawn.

    A user's AUC is the same in every draw; only its weight changes. A user drawn twice
    counts as two users.

    Attributes:
        num_clusters: Number of users and of impressions without one.
        num_qualifying: Number of users with both labels.
    """

    def __init__(
        self,
        codes: Codes,
        clusters: Codes,
        labels: npt.ArrayLike,
        scores: npt.ArrayLike,
        weights: npt.ArrayLike | None = None,
    ) -> None:
        """Sorts the impressions once; a draw then costs O(N).

        Args:
            codes: User code of each impression, negative without a user, shape (N,).
            clusters: `user_clusters` of the codes.
            labels: 0 or 1, shape (N,).
            scores: Click probabilities, shape (N,).
            weights: Example weights, shape (N,). Defaults to one each.
        """
        score, label, weight = check_columns(scores, labels, weights)
        by_user = user_aucs(codes, score, label, weight)
        both = ~np.isnan(by_user.aucs)
        # The clusters of users are in the order of their codes.
        users, first = np.unique(codes, return_index=True)
        at = np.searchsorted(users, by_user.users[both])
        self._users = clusters[first[at]]
        self.num_qualifying = len(self._users)
        self._impressions = by_user.impressions[both]
        self._aucs = by_user.aucs[both]

        columns = (
            weight,
            weight * label,
            weight * score,
            weight * log_losses(score, label),
        )
        self.num_clusters = int(clusters.max(initial=-1)) + 1
        self._sums = np.stack(
            [np.bincount(clusters, column, self.num_clusters) for column in columns]
        )
        order = np.argsort(score, kind="stable")
        self._clusters = clusters[order]
        self._positive = (weight * label)[order]
        self._negative = (weight * (1 - label))[order]
        changes = score[order][1:] != score[order][:-1]
        self._ties = np.concatenate([[0], np.flatnonzero(changes) + 1])

    def __call__(self, counts: Floats) -> Floats:
        """Returns `RESAMPLED` for draw counts by cluster; NaN if undefined."""
        draw = self.draw(counts)
        return np.array([getattr(draw, name) for name in RESAMPLED])

    def draw(self, counts: Floats) -> Draw:
        """Returns the metrics of a draw.

        Args:
            counts: How often each cluster was drawn, shape (num_clusters,).
        """
        impressions, clicks, predicted, losses = self._sums @ counts
        weights = counts[self._users] * self._impressions
        loss, rate = _ratio(losses, impressions), _ratio(clicks, impressions)
        return Draw(
            auc=self._auc(counts),
            gauc=_ratio((weights * self._aucs).sum(), weights.sum()),
            log_loss=loss,
            normalized_entropy=_ratio(loss, entropy(rate)),
            calibration=_ratio(predicted, clicks),
        )

    def _auc(self, counts: Floats) -> float:
        if not len(self._clusters):
            return np.nan
        drawn = counts[self._clusters]
        positive = np.add.reduceat(drawn * self._positive, self._ties)
        negative = np.add.reduceat(drawn * self._negative, self._ties)
        below = np.cumsum(negative) - negative
        won = (positive * (below + negative / 2)).sum()
        return _ratio(won, positive.sum() * negative.sum())


def user_keys(users: Iterable[bytes]) -> Keys:
    """Returns a 64-bit hash of each user id, the same on every machine."""
    digests = [hashlib.blake2b(user, digest_size=8).digest() for user in users]
    return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)


def poisson_counts(keys: Keys, draw: int) -> Floats:
    """Returns how often each key is drawn: Poisson with mean 1, deterministic.

    The count depends only on key and draw number. Impressions may therefore arrive in
    any order and bundle, and two models measured separately are measured on the same
    draws.

    Args:
        keys: 64-bit hashes of users, shape (U,).
        draw: Number of the draw, >= 0.

    Returns:
        Counts, shape (U,).

    References:
        Chamandy et al., Estimating Uncertainty for Massive Data Streams, Google 2012
        (Poisson counts by user); Steele et al., OOPSLA 2014 (splitmix64).
    """
    with np.errstate(over="ignore"):
        mixed = keys + _GOLDEN * np.uint64(draw + 1)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed = mixed ^ (mixed >> np.uint64(31))
    uniform = (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return np.searchsorted(_POISSON, uniform, side="right").astype(np.float64)


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else np.nan
