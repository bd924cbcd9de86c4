"""Clicks, predicted over actual ones, and calibration error, as a TFMA metric."""

from __future__ import annotations

import functools
import math
from typing import Any

import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import metric_util

from components.compat import EvalConfig
from components.metrics.probability import NUM_BINS
from components.metrics.probability import calibration_error
from components.metrics.rows import Rows
from components.metrics.rows import from_rows


class CalibrationError(tfma.metrics.Metric):
    """Mean distance between average score and click rate over bins of equal mass.

    `calibration` comes along: predicted over actual clicks, NaN without a click; and
    `click_count`, the actual ones.

    See `components.metrics.probability.calibration_error`. Bins of equal mass need all
    scores at once, which are here for AUC's sake anyway; TFMA's own calibration
    buckets have equal width.
    """

    def __init__(
        self,
        user_key: str = "user_id",
        num_bins: int = NUM_BINS,
        name: str = "calibration_error",
        ratio_name: str = "calibration",
        clicks_name: str = "click_count",
    ) -> None:
        """Declares the metric.

        Args:
            user_key: That of `GAUC`, so that rows are gathered once for both.
            num_bins: Bins of equal weight.
            name: Key of the calibration error.
            ratio_name: Key of predicted over actual clicks.
            clicks_name: Key of the actual clicks.
        """
        super().__init__(
            metric_util.merge_per_key_computations(_computations),
            name=name,
            user_key=user_key,
            num_bins=num_bins,
            ratio_name=ratio_name,
            clicks_name=clicks_name,
        )


def _computations(
    name: str = "calibration_error",
    user_key: str = "user_id",
    num_bins: int = NUM_BINS,
    ratio_name: str = "calibration",
    clicks_name: str = "click_count",
    eval_config: EvalConfig | None = None,
    model_name: str = "",
    output_name: str = "",
    example_weighted: bool = False,
) -> list[Any]:
    return from_rows(
        (name, ratio_name, clicks_name),
        functools.partial(_values, num_bins=num_bins),
        user_key=user_key,
        eval_config=eval_config,
        model_name=model_name,
        output_name=output_name,
        example_weighted=example_weighted,
    )


def _values(rows: Rows, *, num_bins: int) -> tuple[float, float, float]:
    scores, labels, weights = rows.columns
    clicks = math.fsum((weights * labels).tolist())
    predicted = math.fsum((weights * scores).tolist())
    error = calibration_error(scores, labels, weights, num_bins=num_bins)
    return error, predicted / clicks if clicks else math.nan, clicks
