"""Inputs of a network beside the embeddings: standardised numbers and vectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
import tf_keras as keras

from models.features.kind import MISSING_ROW
from models.features.kind import value_column
from models.features.table import FeatureTable


class NumberInputs(keras.layers.Layer):
    """Values of the features that have one, with flags of those that are missing.

    A number gives two inputs: its standardised value, 0 where missing, and 1 where it
    is missing, else 0. A vector gives `width` inputs, a learned linear projection of
    its elements, and the same flag (our choice: a long embedding would make the
    interaction's weights outnumber all others).

    Args:
        features: All features.
        width: Width of the projection of a vector that declares none.

    Attributes:
        names: Names of the inputs of `numbers`, in order.
        projections: The projections (length, width) by vector.
    """

    def __init__(self, features: FeatureTable, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._flagged = features.with_values
        self._numbers = [f.name for f in self._flagged if not f.is_vector]
        self._vectors = {
            f.name: (f.length or 0, f.width or width)
            for f in self._flagged
            if f.is_vector
        }
        self.names = [
            *(value_column(name) for name in self._numbers),
            *(f"{feature.name}/missing" for feature in self._flagged),
        ]
        self.projections: dict[str, Any] = {}

    def build(self, input_shape: Any) -> None:
        """Creates the projections."""
        for name, shape in self._vectors.items():
            self.projections[name] = self.add_weight(
                name=f"{name}/kernel", shape=shape, initializer="glorot_uniform"
            )
        super().build(input_shape)

    def call(self, rows: Mapping[str, Any]) -> list[Any]:
        """Returns the inputs to put beside the embeddings, each (B, any).

        Args:
            rows: Encoded features by column. Columns of static shape (1, ...) are
                shared by the whole batch, and so are inputs made of these alone.
        """
        projected = [
            tf.matmul(rows[value_column(name)], kernel)  # (B, width)
            for name, kernel in self.projections.items()
        ]
        return [*self.numbers(rows), *projected]

    def numbers(self, rows: Mapping[str, Any]) -> list[Any]:
        """Returns the inputs of `names`, (B, N) or in parts as `side_by_side` takes."""
        parts = [rows[value_column(name)] for name in self._numbers]  # (B,) each
        parts += [
            tf.cast(tf.equal(rows[feature.name], MISSING_ROW), tf.float32)
            for feature in self._flagged
        ]
        columns = [tf.expand_dims(part, 1) for part in parts]  # (B, 1) each
        if len({column.shape[0] == 1 for column in columns}) == 1:
            return [tf.concat(columns, axis=1)]  # (B, N)
        return columns

    def named_variables(self) -> dict[str, Any]:
        """Returns the projections by name."""
        return {f"vector/{name}": kernel for name, kernel in self.projections.items()}
