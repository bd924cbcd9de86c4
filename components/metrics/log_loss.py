"""Log loss as a TFMA metric."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import apache_beam as beam
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.metrics import metric_util

from components.metrics.logic import log_losses

# Sum of the weighted losses, sum of the weights.
Sums = tuple[float, float]


class LogLoss(tfma.metrics.Metric):
    """Mean cross entropy in nats, of scores kept 1e-7 away from 0 and 1.

    TFMA's BinaryCrossEntropy clips nothing: one float32 score that has saturated at 1,
    with label 1, makes it NaN for the whole slice.
    """

    def __init__(self, name: str = "log_loss") -> None:
        """Declares the metric.

        Args:
            name: Key of the metric.
        """
        super().__init__(
            metric_util.merge_per_key_computations(_computations), name=name
        )


def _computations(
    name: str = "log_loss",
    eval_config: tfma.EvalConfig | None = None,
    model_name: str = "",
    output_name: str = "",
    example_weighted: bool = False,
) -> list[metric_types.MetricComputation]:
    key = metric_types.MetricKey(
        name=name,
        model_name=model_name,
        output_name=output_name,
        example_weighted=example_weighted,
    )
    return [
        metric_types.MetricComputation(
            keys=[key], preprocessors=None, combiner=MeanLogLoss(key, eval_config)
        )
    ]


class MeanLogLoss(beam.CombineFn):
    """Adds the losses up."""

    def __init__(
        self, key: metric_types.MetricKey, eval_config: tfma.EvalConfig | None
    ) -> None:
        self._key = key
        self._eval_config = eval_config

    def create_accumulator(self) -> Sums:
        """Returns empty sums."""
        return 0.0, 0.0

    def add_input(self, accumulator: Sums, element: Any) -> Sums:
        """Adds one impression, a `StandardMetricInputs`."""
        loss_sum, weight_sum = accumulator
        for label, score, weight in metric_util.to_label_prediction_example_weight(
            element,
            eval_config=self._eval_config,
            model_name=self._key.model_name,
            output_name=self._key.output_name,
            example_weighted=bool(self._key.example_weighted),
        ):
            loss_sum += log_losses(score, label).item() * weight.item()
            weight_sum += weight.item()
        return loss_sum, weight_sum

    def merge_accumulators(self, accumulators: Iterable[Sums]) -> Sums:
        """Returns the sums of all."""
        losses, weights = zip(*accumulators, strict=True)
        return sum(losses), sum(weights)

    def extract_output(self, accumulator: Sums) -> dict[metric_types.MetricKey, float]:
        """Returns the mean by key, NaN without rows."""
        loss_sum, weight_sum = accumulator
        return {self._key: loss_sum / weight_sum if weight_sum else float("nan")}
