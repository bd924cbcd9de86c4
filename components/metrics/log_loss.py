"""Log loss and normalised entropy as a TFMA metric."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import apache_beam as beam
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.metrics import metric_util

from components.metrics.logic import log_losses
from components.metrics.probability import entropy

# Sums of the weighted losses, of the weights, and of the weights of clicks.
Sums = tuple[float, float, float]


class LogLoss(tfma.metrics.Metric):
    """Mean cross entropy in nats, of scores kept 1e-7 away from 0 and 1.

    `normalized_entropy` is the log loss over the entropy of the click rate of the same
    rows, that is over the log loss of the best constant: below 1 the model knows more
    than the click rate, 1 is no more than that. NaN where all labels are equal. Unlike
    the log loss it can be compared between slices of other click rates.

    TFMA's BinaryCrossEntropy clips nothing: one float32 score that has saturated at 1,
    with label 1, makes it NaN for the whole slice.

    References:
        He et al., Practical Lessons from Predicting Clicks on Ads at Facebook, 2014,
        section 3 (normalised entropy).
    """

    def __init__(
        self, name: str = "log_loss", entropy_name: str = "normalized_entropy"
    ) -> None:
        """Declares the metric.

        Args:
            name: Key of the log loss.
            entropy_name: Key of the normalised entropy.
        """
        super().__init__(
            metric_util.merge_per_key_computations(_computations),
            name=name,
            entropy_name=entropy_name,
        )


def _computations(
    name: str = "log_loss",
    entropy_name: str = "normalized_entropy",
    eval_config: tfma.EvalConfig | None = None,
    model_name: str = "",
    output_name: str = "",
    example_weighted: bool = False,
) -> list[metric_types.MetricComputation]:
    keys = [
        metric_types.MetricKey(
            name=key,
            model_name=model_name,
            output_name=output_name,
            example_weighted=example_weighted,
        )
        for key in (name, entropy_name)
    ]
    return [
        metric_types.MetricComputation(
            keys=keys, preprocessors=None, combiner=MeanLogLoss(keys, eval_config)
        )
    ]


class MeanLogLoss(beam.CombineFn):
    """Adds the losses up."""

    def __init__(
        self, keys: list[metric_types.MetricKey], eval_config: tfma.EvalConfig | None
    ) -> None:
        self._keys = keys
        self._eval_config = eval_config

    def create_accumulator(self) -> Sums:
        """Returns empty sums."""
        return 0.0, 0.0, 0.0

    def add_input(self, accumulator: Sums, element: Any) -> Sums:
        """Adds one impression, a `StandardMetricInputs`."""
        loss_sum, weight_sum, click_sum = accumulator
        key = self._keys[0]
        for label, score, weight in metric_util.to_label_prediction_example_weight(
            element,
            eval_config=self._eval_config,
            model_name=key.model_name,
            output_name=key.output_name,
            example_weighted=bool(key.example_weighted),
        ):
            loss_sum += log_losses(score, label).item() * weight.item()
            weight_sum += weight.item()
            click_sum += weight.item() * label.item()
        return loss_sum, weight_sum, click_sum

    def merge_accumulators(self, accumulators: Iterable[Sums]) -> Sums:
        """Returns the sums of all."""
        losses, weights, clicks = zip(*accumulators, strict=True)
        return sum(losses), sum(weights), sum(clicks)

    def extract_output(self, accumulator: Sums) -> dict[metric_types.MetricKey, float]:
        """Returns log loss and normalised entropy by key, NaN where undefined."""
        loss_sum, weight_sum, click_sum = accumulator
        if not weight_sum:
            return dict.fromkeys(self._keys, math.nan)
        loss = loss_sum / weight_sum
        values = (loss, loss / entropy(click_sum / weight_sum))
        return dict(zip(self._keys, values, strict=True))
