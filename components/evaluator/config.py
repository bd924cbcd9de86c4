"""Configuration of the Evaluator: metrics and slices, without thresholds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto.config_pb2 import EvalConfig
from tensorflow_model_analysis.proto.config_pb2 import MetricConfig
from tensorflow_model_analysis.proto.config_pb2 import MetricsSpec
from tensorflow_model_analysis.proto.config_pb2 import ModelSpec
from tensorflow_model_analysis.proto.config_pb2 import SlicingSpec

from components.evaluation.metrics import METRICS
from models.features.feature import USER_FEATURE
from models.features.table import LABEL

CANDIDATE = "candidate"
BASELINE = "baseline"


def evaluation_config(
    *,
    with_baseline: bool,
    user_key: str = USER_FEATURE,
    slices: Sequence[str] = (),
    num_draws: int = 0,
) -> EvalConfig:
    """Returns the configuration of TFX's Evaluator.

    Args:
        with_baseline: Whether the live model is scored on the same impressions.
        user_key: Raw feature that holds the user id.
        slices: Features whose values define slices, one feature at a time.
        num_draws: Number of bootstrap draws; 0 leaves the replicates out.

    Returns:
        Configuration over all impressions and each slice, without thresholds.
    """
    # With a single model TFMA ignores the name; with two, both need one.
    models = [_model_spec(name=CANDIDATE if with_baseline else "")]
    if with_baseline:
        models.append(_model_spec(name=BASELINE, is_baseline=True))
    return EvalConfig(
        model_specs=models,
        slicing_specs=[
            SlicingSpec(),
            *(SlicingSpec(feature_keys=[name]) for name in slices),
        ],
        metrics_specs=[MetricsSpec(metrics=_metrics(user_key, num_draws))],
    )


def _metrics(user_key: str, num_draws: int) -> list[MetricConfig]:
    """Returns the metrics of the registry, and their replicates if there are draws."""
    metrics = [
        MetricConfig(class_name=metric.tfma_class)
        for metric in METRICS
        if metric.tfma_class
    ]
    metrics.append(_our_metric("adapter", "RegisteredMetrics", user_key=user_key))
    if num_draws:
        replicates = _our_metric(
            "replicates", "Replicates", user_key=user_key, num_draws=num_draws
        )
        metrics.append(replicates)
    return metrics


def _our_metric(module: str, class_name: str, **options: Any) -> MetricConfig:
    # By module and name, so that remote Beam workers can import the class.
    return MetricConfig(
        class_name=class_name,
        module=f"components.evaluator.{module}",
        config=json.dumps(options),
    )


def _model_spec(*, name: str, is_baseline: bool = False) -> ModelSpec:
    return ModelSpec(
        name=name,
        is_baseline=is_baseline,
        # Explicit, because TFMA would first try to load the SavedModel by Keras.
        model_type=tfma.TF_GENERIC,
        signature_name="serving_default",
        prediction_key="ctr",
        label_key=LABEL,
    )
