"""Scored impressions of one model: the columns that every metric reads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from components.evaluation.probability import calibration_error
from components.evaluation.ranking import Codes
from components.evaluation.ranking import Floats
from components.evaluation.ranking import GroupedAuc
from components.evaluation.ranking import auc
from components.evaluation.ranking import check_columns
from components.evaluation.ranking import grouped_auc
from components.evaluation.ranking import log_losses


@dataclass(frozen=True)
class ScoredImpressions:
    """Columns of scored impressions, and what several metrics compute from them.

    Attributes:
        users: User code of each impression, -1 without a user, shape (N,).
        scores: Predicted click probabilities, shape (N,).
        labels: 0 or 1, shape (N,).
        weights: Example weights, shape (N,).
        user_ids: Raw user id by code.
    """

    users: Codes
    scores: Floats
    labels: Floats
    weights: Floats
    user_ids: Sequence[bytes] = ()

    @cached_property
    def grouped_auc(self) -> GroupedAuc:
        """GAUC, its coverage and the number of users."""
        return grouped_auc(self.users, self.scores, self.labels, self.weights)

    @cached_property
    def auc(self) -> float:
        """Exact AUC; NaN without both labels."""
        return auc(self.scores, self.labels, self.weights)

    @cached_property
    def clicks(self) -> float:
        """Weighted number of clicks."""
        return math.fsum((self.weights * self.labels).tolist())

    @cached_property
    def predicted_clicks(self) -> float:
        """Weighted sum of the scores."""
        return math.fsum((self.weights * self.scores).tolist())

    @cached_property
    def total_weight(self) -> float:
        """Weighted number of impressions."""
        return math.fsum(self.weights.tolist())

    @cached_property
    def log_loss(self) -> float:
        """Mean cross entropy in nats; NaN without impressions."""
        check_columns(self.scores, self.labels, self.weights)
        if not self.total_weight:
            return math.nan
        losses = np.asarray(self.weights) * log_losses(self.scores, self.labels)
        return math.fsum(losses.tolist()) / self.total_weight

    @cached_property
    def calibration_error(self) -> float:
        """Expected calibration error over bins of equal weight."""
        return calibration_error(self.scores, self.labels, self.weights)
