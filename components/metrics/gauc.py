"""GAUC as a TFMA metric."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import field
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.metrics import metric_util

from components.metrics.logic import auc
from components.metrics.logic import grouped_auc
from models.errors import DataError

_NO_USER = -1


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

    The rows of one slice and model, 24 bytes each and every user id once, are
    held in memory. Two metrics in one evaluation need different names: TFMA takes
    computations for the same if their keys are, whatever their `user_key`.
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
        for key in (name, f"{name}_coverage", auc_name)
    ]
    return [
        metric_types.MetricComputation(
            keys=keys,
            preprocessors=[metric_types.FeaturePreprocessor(feature_keys=[user_key])],
            combiner=RankedRows(keys, user_key, eval_config),
        )
    ]


@dataclass
class Rows:
    """Accumulator: scored impressions as columns, each user id stored once.

    Attributes:
        codes: Code by user id.
        users: User code of each row, -1 without a user.
        scores: Predicted click probabilities.
        labels: 0 or 1.
        weights: Example weights.
    """

    codes: dict[bytes, int] = field(default_factory=dict)
    users: array[int] = field(default_factory=lambda: array("i"))
    scores: array[float] = field(default_factory=lambda: array("d"))
    labels: array[float] = field(default_factory=lambda: array("f"))
    weights: array[float] = field(default_factory=lambda: array("d"))

    def code(self, user: bytes | None) -> int:
        """Returns the code of `user`, a new one if it is new."""
        if not user:
            return _NO_USER
        return self.codes.setdefault(user, len(self.codes))

    def extend(self, other: Rows) -> None:
        """Appends the rows of `other`, whose users have codes of their own."""
        # The last entry answers for code -1.
        codes = np.array([*map(self.code, other.codes), _NO_USER], np.int32)
        self.users.frombytes(codes[np.asarray(other.users)].tobytes())
        self.scores.extend(other.scores)
        self.labels.extend(other.labels)
        self.weights.extend(other.weights)


class RankedRows(beam.CombineFn):
    """Gathers the rows of a slice; ranks them once all are there.

    No sum over part of a user's rows says how the rest ranks against them, so an exact
    AUC has to keep the rows; what can be kept small is the row.
    """

    def __init__(
        self,
        keys: list[metric_types.MetricKey],
        user_key: str,
        eval_config: tfma.EvalConfig | None,
    ) -> None:
        """Declares the combiner.

        Args:
            keys: Keys of GAUC, coverage and AUC, of one model and output.
            user_key: Raw feature that holds the user id.
            eval_config: Says where the model's labels and predictions are.
        """
        self._keys = keys
        self._user_key = user_key
        self._eval_config = eval_config

    def create_accumulator(self) -> Rows:
        """Returns no rows."""
        return Rows()

    def add_input(self, accumulator: Rows, element: Any) -> Rows:
        """Adds one impression, a `StandardMetricInputs` with the user's feature."""
        code = accumulator.code(self._user(element))
        key = self._keys[0]
        for label, score, weight in metric_util.to_label_prediction_example_weight(
            element,
            eval_config=self._eval_config,
            model_name=key.model_name,
            output_name=key.output_name,
            example_weighted=bool(key.example_weighted),
        ):
            accumulator.users.append(code)
            accumulator.scores.append(score.item())
            accumulator.labels.append(label.item())
            accumulator.weights.append(weight.item())
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[Rows]) -> Rows:
        """Returns the rows of all, in any order."""
        merged = Rows()
        for accumulator in accumulators:
            merged.extend(accumulator)
        return merged

    def extract_output(self, accumulator: Rows) -> dict[metric_types.MetricKey, float]:
        """Returns GAUC, coverage and AUC by key.

        Raises:
            DataError: If a score is not finite, a label not 0 or 1 or a weight
                negative.
        """
        columns = (
            np.asarray(accumulator.scores),
            np.asarray(accumulator.labels),
            np.asarray(accumulator.weights),
        )
        grouped = grouped_auc(np.asarray(accumulator.users), *columns)
        values = (grouped.gauc, grouped.coverage, auc(*columns))
        return dict(zip(self._keys, values, strict=True))

    def _user(self, element: Any) -> bytes | None:
        value: Any = (element.get_features() or {}).get(self._user_key)
        # A row without a user is an empty array, None or no feature at all, depending
        # on what the other rows of its batch hold.
        values = np.ravel(value)
        if values.size > 1:
            raise DataError(
                f"{self._user_key!r} has {values.size} values in one row: "
                f"{values.tolist()}; expected at most one; name a feature that "
                "identifies the user as `user_key`"
            )
        user = values.item() if values.size else None
        if user is None or isinstance(user, bytes):
            return user
        return str(user).encode()
