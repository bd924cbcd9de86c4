"""Log loss and normalized entropy as a TFMA metric."""

from __future__ import annotations

import math
from typing import Any

import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import metric_util

from components.compat import EvalConfig
from components.metrics.logic import check_columns
from components.metrics.logic import log_losses
from components.metrics.probability import entropy
from components.metrics.rows import Rows
from components.metrics.rows import from_rows


class LogLoss(tfma.metrics.Metric):
    """Mean cross entropy in nats, of scores kept 1e-7 away from 0 and 1.

    `normalized_entropy` is the log loss over the entropy of the click rate of the same
    rows, that is over the log loss of the best constant, chosen with these rows at
    hand: below 1 the model knows more than the click rate, 1 is no more than that. NaN
    where all labels are equal. Unlike the log loss it can be compared between slices of
    other click rates.

    A sum would do, but the rows are gathered for AUC anyway, and a second pass of
    Python over each row costs more than a look at all of them in NumPy.

    TFMA's BinaryCrossEntropy clips nothing: one float32 score that has saturated at 1,
    with label 1, makes it NaN for the whole slice.

    References:
        He et al., Practical Lessons from Predicting Clicks on Ads at Facebook, 2014,
        section 3 (normalized entropy).
    """

    def __init__(
        self,
        user_key: str = "user_id",
        name: str = "log_loss",
        entropy_name: str = "normalized_entropy",
    ) -> None:
        """Declares the metric.

        Args:
            user_key: That of `GAUC`, so that rows are gathered once for both.
            name: Key of the log loss.
            entropy_name: Key of the normalized entropy.
        """
        super().__init__(
            metric_util.merge_per_key_computations(_computations),
            name=name,
            user_key=user_key,
            entropy_name=entropy_name,
        )


def _computations(
    name: str = "log_loss",
    user_key: str = "user_id",
    entropy_name: str = "normalized_entropy",
    eval_config: EvalConfig | None = None,
    model_name: str = "",
    output_name: str = "",
    example_weighted: bool = False,
) -> list[Any]:
    return from_rows(
        (name, entropy_name),
        _values,
        user_key=user_key,
        eval_config=eval_config,
        model_name=model_name,
        output_name=output_name,
        example_weighted=example_weighted,
    )


def _values(rows: Rows) -> tuple[float, float]:
    scores, labels, weights = check_columns(*rows.columns)
    total = math.fsum(weights.tolist())
    if not total:
        return math.nan, math.nan
    loss = math.fsum((weights * log_losses(scores, labels)).tolist()) / total
    return loss, loss / entropy(math.fsum((weights * labels).tolist()) / total)
