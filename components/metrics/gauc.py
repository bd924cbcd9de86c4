"""GAUC as a TFMA metric."""

from __future__ import annotations

from typing import Any

import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import metric_util

from components.compat import EvalConfig
from components.metrics.logic import auc
from components.metrics.logic import grouped_auc
from components.metrics.rows import Rows
from components.metrics.rows import from_rows


class GAUC(tfma.metrics.Metric):
    """Impression-weighted mean of per-user AUC, and the exact AUC of the same rows.

    This is the only definition in this project: GAUC is the mean of each user's AUC,
    weighted by the user's impressions (the sum of its example weights, if weighted),
    over the users that have both labels. A user's AUC is the share of its (clicked, not
    clicked) pairs that the model orders rightly; a tie counts exactly 1/2, and with
    example weights a pair counts the product of both weights. `gauc_coverage` is the
    share of all impressions that belong to those users. Rows without a user id, or with
    an empty one, belong to nobody: they never qualify but count in the coverage's
    denominator. When no user qualifies GAUC is NaN, never 0, and the coverage is 0.

    | key             | value                                                     |
    | --------------- | --------------------------------------------------------- |
    | `gauc`          | in [0, 1]; 0.5 is chance; NaN when no user qualifies      |
    | `gauc_coverage` | in [0, 1]                                                 |
    | `auc`           | exact, in [0, 1]; NaN when all labels are equal           |

    `auc` comes along because the rows are here anyway. TFMA's own AUC is a histogram
    of thresholds, which turns close scores, frequent where clicks are rare, into ties.

    The rows of one slice and model are held in memory, see `components.metrics.rows`.
    """

    def __init__(
        self, user_key: str = "user_id", name: str = "gauc", auc_name: str = "auc"
    ) -> None:
        """Declares the metric.

        Args:
            user_key: Raw feature that holds the user id; at most one value a row.
            name: Key of the GAUC; the coverage's is `<name>_coverage`.
            auc_name: Key of the AUC.
        """
        super().__init__(
            metric_util.merge_per_key_computations(_computations),
            name=name,
            user_key=user_key,
            auc_name=auc_name,
        )


def _computations(
    name: str = "gauc",
    user_key: str = "user_id",
    auc_name: str = "auc",
    eval_config: EvalConfig | None = None,
    model_name: str = "",
    output_name: str = "",
    example_weighted: bool = False,
) -> list[Any]:
    return from_rows(
        (name, f"{name}_coverage", auc_name),
        _values,
        user_key=user_key,
        eval_config=eval_config,
        model_name=model_name,
        output_name=output_name,
        example_weighted=example_weighted,
    )


def _values(rows: Rows) -> tuple[float, float, float]:
    grouped = grouped_auc(rows.user_codes, *rows.columns)
    return grouped.gauc, grouped.coverage, auc(*rows.columns)
