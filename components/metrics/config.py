"""What the Evaluator computes. What is good enough is the Gate's to decide."""

from __future__ import annotations

import json
from collections.abc import Sequence

import tensorflow_model_analysis as tfma

from components.compat import EvalConfig
from components.compat import MetricConfig
from components.compat import MetricsSpec
from components.compat import ModelSpec
from components.compat import SlicingSpec
from models.features import LABEL
from models.features import USER_FEATURE

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

    | metric               | computed by                            |
    | -------------------- | -------------------------------------- |
    | `example_count`      | TFMA                                   |
    | `click_count`        | `components.metrics.calibration_error` |
    | `calibration`        | `components.metrics.calibration_error` |
    | `log_loss`           | `components.metrics.log_loss`          |
    | `normalized_entropy` | `components.metrics.log_loss`          |
    | `auc`                | `components.metrics.gauc`              |
    | `gauc`               | `components.metrics.gauc`              |
    | `gauc_coverage`      | `components.metrics.gauc`              |
    | `calibration_error`  | `components.metrics.calibration_error` |
    | `replicates`         | `components.metrics.replicates`        |

    Args:
        with_baseline: Whether the live model is scored on the same rows.
        user_key: Raw feature that holds the user id.
        slices: Features by whose value the rows are cut, one at a time.
        num_draws: Bootstrap draws; 0 leaves the replicates out.

    Returns:
        Configuration over all rows and each slice, without thresholds.
    """
    # With a single model TFMA ignores the name; with two, both need one.
    models = [_model_spec(name=CANDIDATE if with_baseline else "")]
    if with_baseline:
        models.append(_model_spec(name=BASELINE, is_baseline=True))
    metrics = [
        MetricConfig(class_name="ExampleCount"),
        # By module, so that Beam's remote workers import them.
        MetricConfig(
            class_name="LogLoss",
            module="components.metrics.log_loss",
            config=json.dumps({"user_key": user_key}),
        ),
        MetricConfig(
            class_name="GAUC",
            module="components.metrics.gauc",
            config=json.dumps({"user_key": user_key}),
        ),
        MetricConfig(
            class_name="CalibrationError",
            module="components.metrics.calibration_error",
            config=json.dumps({"user_key": user_key}),
        ),
    ]
    if num_draws:
        replicates = MetricConfig(
            class_name="Replicates",
            module="components.metrics.replicates",
            config=json.dumps({"user_key": user_key, "num_draws": num_draws}),
        )
        metrics.append(replicates)
    return EvalConfig(
        model_specs=models,
        slicing_specs=[
            SlicingSpec(),
            *(SlicingSpec(feature_keys=[name]) for name in slices),
        ],
        metrics_specs=[MetricsSpec(metrics=metrics)],
    )


def _model_spec(*, name: str, is_baseline: bool = False) -> ModelSpec:
    return ModelSpec(
        name=name,
        is_baseline=is_baseline,
        # Said outright: TFMA would try to load the SavedModel as a Keras model first.
        model_type=tfma.TF_GENERIC,
        signature_name="serving_default",
        prediction_key="ctr",
        label_key=LABEL,
    )
