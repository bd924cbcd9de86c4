"""Gathering of a slice's scored impressions, once for all metrics."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import field
from typing import Any

import apache_beam as beam
import numpy as np
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.metrics import metric_util
from tensorflow_model_analysis.proto.config_pb2 import EvalConfig

from components.evaluation.impressions import ScoredImpressions
from models.errors import DataError

_NO_USER = -1


@dataclass
class Gathered:
    """Accumulator of scored impressions in columns, each user id stored once.

    Attributes:
        codes: Code by user id.
        users: User code of each impression, -1 without a user.
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
        """Returns the code of `user`, adding a new user; -1 without one."""
        if not user:
            return _NO_USER
        return self.codes.setdefault(user, len(self.codes))

    def extend(self, other: Gathered) -> None:
        """Appends the impressions of `other`, translating its user codes."""
        # The last entry translates code -1.
        codes = np.array([*map(self.code, other.codes), _NO_USER], np.int32)
        self.users.frombytes(codes[np.asarray(other.users)].tobytes())
        self.scores.extend(other.scores)
        self.labels.extend(other.labels)
        self.weights.extend(other.weights)

    def columns(self) -> ScoredImpressions:
        """Returns the impressions gathered so far."""
        return ScoredImpressions(
            users=np.asarray(self.users, np.int64),
            scores=np.asarray(self.scores, np.float64),
            labels=np.asarray(self.labels, np.float64),
            weights=np.asarray(self.weights, np.float64),
            user_ids=tuple(self.codes),
        )


class GatherImpressions(beam.CombineFn):
    """Combiner that gathers the impressions of a slice.

    An exact AUC needs all impressions, as sums over some of them do not tell how the
    others rank against them. An impression takes 24 bytes, and every user id is stored
    once.
    """

    def __init__(
        self,
        key: metric_types.MetricKey,
        user_key: str,
        eval_config: EvalConfig | None,
    ) -> None:
        """Declares the combiner.

        Args:
            key: Key of the gathered impressions, of one model and output.
            user_key: Raw feature that holds the user id.
            eval_config: Gives the keys of labels and predictions.
        """
        self._key = key
        self._user_key = user_key
        self._eval_config = eval_config

    def create_accumulator(self) -> Gathered:
        """Returns an empty accumulator."""
        return Gathered()

    def add_input(self, accumulator: Gathered, element: Any) -> Gathered:
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

    def merge_accumulators(self, accumulators: Iterable[Gathered]) -> Gathered:
        """Returns the impressions of all accumulators."""
        merged = Gathered()
        for accumulator in accumulators:
            merged.extend(accumulator)
        return merged

    def extract_output(
        self, accumulator: Gathered
    ) -> dict[metric_types.MetricKey, Gathered]:
        """Returns the impressions by key."""
        return {self._key: accumulator}

    def _user(self, element: Any) -> bytes | None:
        value: Any = (element.get_features() or {}).get(self._user_key)
        # Without a user the value is an empty array, None or absent, depending on the
        # other impressions of the batch.
        values = np.ravel(value)
        if values.size > 1:
            raise DataError(
                f"{self._user_key!r} has {values.size} values in one impression: "
                f"{values.tolist()}; expected at most one; name a feature that "
                "identifies the user as `user_key`"
            )
        user = values.item() if values.size else None
        if user is None or isinstance(user, bytes):
            return user
        return str(user).encode()
