"""Reads what the Evaluator wrote."""

from __future__ import annotations

import tensorflow_model_analysis as tfma

from components.metrics.config import CANDIDATE
from models.errors import DataError

METRICS = ("auc", "gauc", "gauc_coverage", "log_loss", "calibration", "example_count")


def read_metrics(evaluation_uri: str) -> dict[str, dict[str, float]]:
    """Returns the metrics over all rows, by model and name.

    Args:
        evaluation_uri: Folder of the ModelEvaluation artifact.

    Returns:
        At least `METRICS` of `candidate` and, if there was one, `baseline`. A metric
        that is undefined on these rows is NaN.

    Raises:
        DataError: If there are no metrics over all rows, or some are missing.
    """
    metrics: dict[str, dict[str, float]] = {}
    for of_slice in tfma.load_metrics(evaluation_uri):
        if of_slice.HasField("cross_slice_key") or of_slice.slice_key.single_slice_keys:
            continue
        for item in of_slice.metric_keys_and_values:
            # With a baseline TFMA adds each metric's difference under the same name.
            if not item.key.is_diff and item.value.WhichOneof("type") == "double_value":
                of_model = metrics.setdefault(item.key.model_name or CANDIDATE, {})
                of_model[item.key.name] = item.value.double_value.value
    if CANDIDATE not in metrics:
        raise DataError(
            f"{evaluation_uri} holds no metrics over all rows; expected those of the "
            "candidate; see whether the evaluation days have rows, then run the day "
            "again"
        )
    for model, values in metrics.items():
        missing = [name for name in METRICS if name not in values]
        if missing:
            raise DataError(
                f"{evaluation_uri} lacks {', '.join(missing)} of the {model} model; "
                f"expected {', '.join(METRICS)}; evaluate the model again"
            )
    return metrics
