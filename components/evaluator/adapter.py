"""TFMA adapters of the metrics that are computed from all impressions of a slice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.metrics import metric_util
from tensorflow_model_analysis.proto.config_pb2 import EvalConfig

from components.evaluation.impressions import ScoredImpressions
from components.evaluation.metrics import METRICS
from components.evaluator.gathering import GatherImpressions
from models.features.feature import USER_FEATURE

Computations = list[
    metric_types.MetricComputation | metric_types.DerivedMetricComputation
]


class ImpressionMetric(tfma.metrics.Metric):
    """Base class: values by name, from all scored impressions of a slice and model.

    TFMA gathers the impressions once for all metrics with the same `user_key`, as it
    merges computations with equal keys.

    Args:
        user_key: Raw feature that holds the user id; at most one value per impression.
        name: Name of the metric in TFMA's configuration.
        **options: Arguments of `values`.
    """

    def __init__(
        self, user_key: str = USER_FEATURE, name: str = "", **options: Any
    ) -> None:
        super().__init__(
            metric_util.merge_per_key_computations(self._computations),
            name=name or type(self).__name__,
            user_key=user_key,
            **options,
        )

    @classmethod
    def values(cls, impressions: ScoredImpressions, **options: Any) -> dict[str, Any]:
        """Returns the values by name, with the same names for any impressions."""
        raise NotImplementedError

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Returns the names of `values`, which become keys."""
        raise NotImplementedError

    @classmethod
    def _computations(
        cls,
        user_key: str,
        eval_config: EvalConfig | None = None,
        model_name: str = "",
        output_name: str = "",
        example_weighted: bool = False,
        name: str = "",  # noqa: ARG003 (TFMA passes the whole configuration)
        **options: Any,
    ) -> Computations:
        def key(name: str) -> metric_types.MetricKey:
            return metric_types.MetricKey(
                name=name,
                model_name=model_name,
                output_name=output_name,
                example_weighted=example_weighted,
            )

        # The leading underscore keeps TFMA from writing the impressions.
        gathered = key(f"_rows_by_{user_key}")

        def result(found: Mapping[metric_types.MetricKey, Any]) -> dict[Any, Any]:
            values = cls.values(found[gathered].columns(), **options)
            return {key(name): value for name, value in values.items()}

        return [
            metric_types.MetricComputation(
                keys=[gathered],
                preprocessors=[
                    metric_types.FeaturePreprocessor(feature_keys=[user_key])
                ],
                combiner=GatherImpressions(gathered, user_key, eval_config),
            ),
            metric_types.DerivedMetricComputation(
                keys=[key(name) for name in cls.names()], result=result
            ),
        ]


class RegisteredMetrics(ImpressionMetric):
    """All metrics of the registry that TFMA does not compute itself."""

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Returns the names of the metrics."""
        return tuple(metric.name for metric in METRICS if not metric.tfma_class)

    @classmethod
    def values(cls, impressions: ScoredImpressions, **options: Any) -> dict[str, Any]:
        """Returns the metrics by name."""
        del options  # The metrics have none.
        return {m.name: m.value(impressions) for m in METRICS if not m.tfma_class}
