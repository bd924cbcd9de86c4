"""Bootstrap replicates of the metrics, as a TFMA metric."""

from __future__ import annotations

from typing import Any

from components.evaluation.impressions import ScoredImpressions
from components.evaluation.replicates import replicates
from components.evaluator.adapter import ImpressionMetric
from models.features.feature import USER_FEATURE

NAME = "replicates"


class Replicates(ImpressionMetric):
    """Metrics of `RESAMPLED` on redrawn users, for intervals.

    The value is an array of shape (draws, metrics), see
    `components.evaluation.replicates`. TFMA's own confidence intervals draw
    impressions, which makes them too narrow, and pass every impression through Beam
    once per draw. Here the impressions are gathered once, and a draw is a few NumPy
    calls on them.

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
