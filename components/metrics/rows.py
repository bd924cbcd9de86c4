"""The scored rows of a slice, gathered once for every metric that needs them all."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import field
from typing import Any

import apache_beam as beam
import numpy as np
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.metrics import metric_util

from components.compat import EvalConfig
from components.metrics.logic import Codes
from components.metrics.logic import Floats
from models.errors import DataError

_NO_USER = -1


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

    @property
    def user_codes(self) -> Codes:
        """User code of each row, -1 without a user, shape (N,)."""
        return np.asarray(self.users, np.int64)

    @property
    def columns(self) -> tuple[Floats, Floats, Floats]:
        """Scores, labels and weights, each of shape (N,)."""
        return (
            np.asarray(self.scores, np.float64),
            np.asarray(self.labels, np.float64),
            np.asarray(self.weights, np.float64),
        )


def from_rows(
    names: tuple[str, ...],
    values: Callable[[Rows], tuple[Any, ...]],
    *,
    user_key: str,
    eval_config: EvalConfig | None,
    model_name: str,
    output_name: str,
    example_weighted: bool,
) -> list[metric_types.MetricComputation | metric_types.DerivedMetricComputation]:
    """Returns the computations of metrics that look at all rows of a slice.

    TFMA gathers the rows once for all metrics with the same `user_key`, as it takes
    computations for the same if their keys are. The leading underscore of the key
    makes TFMA keep the rows to itself.

    Args:
        names: Keys of the metrics.
        values: Their values from the rows, in the same order.
        user_key: Raw feature that holds the user id.
        eval_config: Says where the model's labels and predictions are.
        model_name: The model.
        output_name: Its output.
        example_weighted: Whether rows carry weights.
    """

    def key(name: str) -> metric_types.MetricKey:
        return metric_types.MetricKey(
            name=name,
            model_name=model_name,
            output_name=output_name,
            example_weighted=example_weighted,
        )

    rows_key = key(f"_rows_by_{user_key}")
    keys = [key(name) for name in names]

    def result(
        metrics: dict[metric_types.MetricKey, Any],
    ) -> dict[metric_types.MetricKey, Any]:
        return dict(zip(keys, values(metrics[rows_key]), strict=True))

    return [
        metric_types.MetricComputation(
            keys=[rows_key],
            preprocessors=[metric_types.FeaturePreprocessor(feature_keys=[user_key])],
            combiner=GatherRows(rows_key, user_key, eval_config),
        ),
        metric_types.DerivedMetricComputation(keys=keys, result=result),
    ]


class GatherRows(beam.CombineFn):
    """Gathers the rows of a slice.

    No sum over part of a user's rows says how the rest ranks against them, so an exact
    AUC has to keep the rows; what can be kept small is the row: 24 bytes, and every
    user id once.
    """

    def __init__(
        self,
        key: metric_types.MetricKey,
        user_key: str,
        eval_config: EvalConfig | None,
    ) -> None:
        """Declares the combiner.

        Args:
            key: Key of the rows, of one model and output.
            user_key: Raw feature that holds the user id.
            eval_config: Says where the model's labels and predictions are.
        """
        self._key = key
        self._user_key = user_key
        self._eval_config = eval_config

    def create_accumulator(self) -> Rows:
        """Returns no rows."""
        return Rows()

    def add_input(self, accumulator: Rows, element: Any) -> Rows:
        """Adds one impression, a `StandardMetricInputs` with the user's feature."""
        code = accumulator.code(self._user(element))
        key = self._key
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

    def extract_output(self, accumulator: Rows) -> dict[metric_types.MetricKey, Rows]:
        """Returns the rows by key."""
        return {self._key: accumulator}

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
