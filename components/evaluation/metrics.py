"""Metrics: one class each, one registry, and the lists of their names.

A new metric is a class here and a line in `METRICS`. TFMA's adapter, the bootstrap and
all tables read the registry. Nothing else is imported at the top, because the command
line reads the lists before it does anything.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING
from typing import ClassVar

if TYPE_CHECKING:
    from components.evaluation.impressions import ScoredImpressions


class Metric:
    """Metric of one model on a set of impressions.

    Attributes:
        name: Key under which values are stored.
        label: Name in tables and sentences.
        tfma_class: Class of TFMA that computes it; empty for our own computation.
        resampled: Whether it has bootstrap intervals; then it is a field of
            `components.evaluation.resampling.Draw`.
        compared: Whether comparisons of strategies draw it; then it is `resampled`.
        in_results: Whether the tables that `run` prints have a column for it.
        in_slices: Whether tables of slices have a column for it.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    tfma_class: ClassVar[str] = ""
    resampled: ClassVar[bool] = False
    compared: ClassVar[bool] = False
    in_results: ClassVar[bool] = True
    in_slices: ClassVar[bool] = False

    def value(self, impressions: ScoredImpressions) -> float:
        """Returns the metric, NaN if it is undefined."""
        raise NotImplementedError


class Auc(Metric):
    """Exact AUC, in [0, 1]; NaN if all labels are equal.

    TFMA's own AUC is a histogram of thresholds, which turns close scores, frequent
    where clicks are rare, into ties.
    """

    name = "auc"
    label = "AUC"
    resampled = compared = in_slices = True

    def value(self, impressions: ScoredImpressions) -> float:
        """Returns the AUC."""
        return impressions.auc


class Gauc(Metric):
    """Impression-weighted mean of per-user AUC, in [0, 1]; 0.5 is chance.

    This is the only definition in this project: GAUC is the mean of each user's AUC,
    weighted by the user's impressions (the sum of its example weights, if weighted),
    over the users that have both labels. A user's AUC is the share of its (clicked, not
    clicked) pairs that the model orders correctly; a tie counts exactly 1/2, and with
    example weights a pair counts the product of both weights. Impressions without a
    user id, or with an empty one, never qualify but count in the denominator of the
    coverage. GAUC is NaN, never 0, if no user qualifies; the coverage is 0 then.
    """

    name = "gauc"
    label = "GAUC"
    resampled = compared = in_slices = True

    def value(self, impressions: ScoredImpressions) -> float:
        """Returns the GAUC."""
        return impressions.grouped_auc.gauc


class GaucCoverage(Metric):
    """Share of the impressions that belong to users with both labels, in [0, 1]."""

    name = "gauc_coverage"
    label = "coverage"

    def value(self, impressions: ScoredImpressions) -> float:
        """Returns the coverage."""
        return impressions.grouped_auc.coverage


class LogLoss(Metric):
    """Mean cross entropy in nats, of scores clipped to [1e-7, 1 - 1e-7].

    TFMA's BinaryCrossEntropy does not clip: a single float32 score that has saturated
    at 1, with label 1, makes it NaN for the whole slice.
    """

    name = "log_loss"
    label = "log loss"
    resampled = compared = in_slices = True

    def value(self, impressions: ScoredImpressions) -> float:
        """Returns the log loss."""
        return impressions.log_loss


class NormalizedEntropy(Metric):
    """Log loss over the entropy of the click rate of the same impressions.

    The entropy is the log loss of the best constant, chosen with knowledge of these
    impressions: below 1 the model knows more than the click rate, 1 is no more than
    that. NaN if all labels are equal. Unlike the log loss it can be compared between
    slices of different click rates.

    References:
        He et al., Practical Lessons from Predicting Clicks on Ads at Facebook, 2014,
        section 3.
    """

    name = "normalized_entropy"
    label = "normalized entropy"
    resampled = True

    def value(self, impressions: ScoredImpressions) -> float:
        """Returns the normalized entropy."""
        from components.evaluation.probability import entropy

        if not impressions.total_weight:
            return math.nan
        rate = impressions.clicks / impressions.total_weight
        return impressions.log_loss / entropy(rate)


class Calibration(Metric):
    """Predicted over actual clicks; NaN without a click."""

    name = "calibration"
    label = "predicted/actual"
    resampled = in_slices = True

    def value(self, impressions: ScoredImpressions) -> float:
        """Returns the ratio."""
        clicks = impressions.clicks
        return impressions.predicted_clicks / clicks if clicks else math.nan


class CalibrationError(Metric):
    """Mean distance between average score and click rate over bins of equal weight.

    See `components.evaluation.probability.calibration_error`. TFMA's own calibration
    buckets have equal width.
    """

    name = "calibration_error"
    label = "calibration error"
    in_results = False

    def value(self, impressions: ScoredImpressions) -> float:
        """Returns the calibration error."""
        return impressions.calibration_error


class ExampleCount(Metric):
    """Number of impressions; TFMA counts them."""

    name = "example_count"
    label = "impressions"
    tfma_class = "ExampleCount"


class ClickCount(Metric):
    """Number of clicks."""

    name = "click_count"
    label = "clicks"

    def value(self, impressions: ScoredImpressions) -> float:
        """Returns the weighted number of clicks."""
        return impressions.clicks


# In the order of tables. Stored replicates have no names: the order of the resampled
# metrics must not change, and compared ones come first.
METRICS: tuple[Metric, ...] = (
    Auc(),
    Gauc(),
    GaucCoverage(),
    LogLoss(),
    NormalizedEntropy(),
    Calibration(),
    CalibrationError(),
    ExampleCount(),
    ClickCount(),
)

# Of a model that the Evaluator has measured.
EVALUATED = tuple(metric.name for metric in METRICS)
# Columns of a redrawn evaluation set; a comparison of strategies draws the first ones.
RESAMPLED = tuple(metric.name for metric in METRICS if metric.resampled)
COMPARED = tuple(metric.name for metric in METRICS if metric.compared)
# Columns of the tables that `run` prints.
RESULT_COLUMNS = tuple(metric.name for metric in METRICS if metric.in_results)
SLICE_COLUMNS = tuple(metric.name for metric in METRICS if metric.in_slices)
# A comparison shows GAUC first, as ranking within a user is what an ad server needs.
COMPARISON_PANELS = (Gauc.name, Auc.name)
COMPARISON_COLUMNS = (*COMPARISON_PANELS, LogLoss.name)
# Shown as means over seeds, without a difference.
COMPARISON_MEANS = tuple(name for name in RESAMPLED if name not in COMPARED)
# Names in tables and sentences.
NAMES = {metric.name: metric.label for metric in METRICS}
