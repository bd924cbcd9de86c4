"""Bootstrap replicates of the metrics, as a TFMA metric."""

from __future__ import annotations

from typing import Any

import numpy as np

from components.evaluation.impressions import ScoredImpressions
from components.evaluation.metrics import RESAMPLED
from components.evaluation.ranking import Floats
from components.evaluation.resampling import Resampled
from components.evaluation.resampling import poisson_counts
from components.evaluation.resampling import user_clusters
from components.evaluation.resampling import user_keys
from components.evaluator.adapter import ImpressionMetric
from models.features.feature import USER_FEATURE

NAME = "replicates"
# With fewer users the draws understate the variation of a metric.
MIN_USERS = 10


class Replicates(ImpressionMetric):
    """Metrics of `RESAMPLED` on redrawn users, for intervals.

    The value is an array of shape (draws, metrics). Users are drawn with all their
    impressions, because impressions of one user are not independent. TFMA's own
    confidence intervals draw impressions, which makes them too narrow, and pass every
    impression through Beam once per draw. Here the impressions are gathered once, and a
    draw is a few NumPy calls on them. Two models in one evaluation are measured on the
    same draws, so that the difference of their replicates is a paired bootstrap of the
    change.

    An impression without a user is drawn on its own, by its position among such
    impressions: the only place where the order of the impressions matters.

    Args:
        user_key: Raw feature that holds the user id.
        num_draws: Number of draws.
        name: Name of the metric in TFMA's configuration.
    """

    def __init__(
        self, user_key: str = USER_FEATURE, num_draws: int = 200, name: str = NAME
    ) -> None:
        super().__init__(user_key, name, num_draws=num_draws)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Returns the name of the array."""
        return (NAME,)

    @classmethod
    def values(cls, impressions: ScoredImpressions, **options: Any) -> dict[str, Any]:
        """Returns the array by its name."""
        return {NAME: replicates(impressions, **options)}


def replicates(impressions: ScoredImpressions, num_draws: int) -> Floats:
    """Returns `RESAMPLED` on redrawn users, shape (num_draws, metrics).

    Values are NaN if the metric is undefined in a draw, such as one without a click,
    and with fewer than `MIN_USERS` users: users with both labels for GAUC, all users
    for the other metrics.
    """
    codes = impressions.users
    resampled = Resampled(
        codes,
        user_clusters(codes),
        impressions.labels,
        impressions.scores,
        impressions.weights,
    )
    if resampled.num_clusters < MIN_USERS:
        return np.full((num_draws, len(RESAMPLED)), np.nan)
    # Clusters are users by code, then impressions without one. Bundles arrive in any
    # order, so that codes differ between runs; hashes do not.
    lone = [f"row {i}".encode() for i in range(int(np.count_nonzero(codes < 0)))]
    keys = user_keys([*impressions.user_ids, *lone])
    drawn = [resampled(poisson_counts(keys, draw)) for draw in range(num_draws)]
    values = np.array(drawn).reshape(num_draws, len(RESAMPLED))
    if resampled.num_qualifying < MIN_USERS:
        values[:, RESAMPLED.index("gauc")] = np.nan
    return values
