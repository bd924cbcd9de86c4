"""Bootstrap replicates of the metrics as a TFMA metric."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import metric_util

from components.compat import EvalConfig
from components.metrics.logic import Floats
from components.metrics.resampling import METRICS
from components.metrics.resampling import Resampled
from components.metrics.resampling import poisson_counts
from components.metrics.resampling import user_clusters
from components.metrics.resampling import user_keys
from components.metrics.rows import Rows
from components.metrics.rows import from_rows

NAME = "replicates"
# Redrawing fewer users shows less than the metric varies; of one, nothing at all.
MIN_USERS = 10


class Replicates(tfma.metrics.Metric):
    """The metrics of `resampling.METRICS` on redrawn users, for intervals.

    The value is an array of shape (draws, metrics). Users are drawn, with all their
    rows, because the rows of one user are no independent evidence. TFMA's own
    confidence intervals draw rows, which makes them too narrow, and send every row
    through Beam once a draw. Here the rows are gathered once, and a draw is some NumPy
    calls over them. Two models in one evaluation are measured on the same draws, so
    the difference of their replicates is a paired bootstrap of the change.

    A row without a user is drawn on its own, by its position among such rows: the one
    place where the order in which rows arrive matters.
    """

    def __init__(
        self,
        user_key: str = "user_id",
        num_draws: int = 200,
        name: str = NAME,
    ) -> None:
        """Declares the metric.

        Args:
            user_key: That of `GAUC`, so that rows are gathered once for both.
            num_draws: Number of draws.
            name: Key of the array.
        """
        super().__init__(
            metric_util.merge_per_key_computations(_computations),
            name=name,
            user_key=user_key,
            num_draws=num_draws,
        )


def _computations(
    name: str = NAME,
    user_key: str = "user_id",
    num_draws: int = 200,
    eval_config: EvalConfig | None = None,
    model_name: str = "",
    output_name: str = "",
    example_weighted: bool = False,
) -> list[Any]:
    return from_rows(
        (name,),
        functools.partial(_values, num_draws=num_draws),
        user_key=user_key,
        eval_config=eval_config,
        model_name=model_name,
        output_name=output_name,
        example_weighted=example_weighted,
    )


def _values(rows: Rows, *, num_draws: int) -> tuple[Floats]:
    return (replicates(rows, num_draws),)


def replicates(rows: Rows, num_draws: int) -> Floats:
    """Returns `resampling.METRICS` on redrawn users, shape (num_draws, metrics).

    NaN where a draw leaves a metric undefined, such as one without a click, and
    where fewer than `MIN_USERS` users count: with both labels for GAUC, any for the
    others.
    """
    codes = rows.user_codes
    scores, labels, weights = rows.columns
    clusters = user_clusters(codes)
    resampled = Resampled(codes, clusters, labels, scores, weights)
    if resampled.num_clusters < MIN_USERS:
        return np.full((num_draws, len(METRICS)), np.nan)
    # Clusters are users by code, then rows without one. Bundles arrive in any order,
    # so that codes differ from run to run, and hashes do not.
    lone = [f"row {i}".encode() for i in range(int(np.count_nonzero(codes < 0)))]
    keys = user_keys([*rows.codes, *lone])
    drawn = [resampled(poisson_counts(keys, draw)) for draw in range(num_draws)]
    values = np.array(drawn).reshape(num_draws, len(METRICS))
    if resampled.num_qualifying < MIN_USERS:
        values[:, METRICS.index("gauc")] = np.nan
    return values
