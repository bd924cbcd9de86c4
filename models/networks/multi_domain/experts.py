"""Experts and the gates that mix them."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tf_keras as keras

from models.layers.mlp import Mlp
from models.settings import NetworkConfig


def expert_units(network: NetworkConfig) -> int:
    """Returns the units of one expert: half of those of the replaced layer.

    A few experts then cost about as much as the layer (our choice; see the parameter
    counts in docs/methods/baselines.md).
    """
    return max(1, network.hidden_units[-2] // 2)


class Experts(keras.layers.Layer):
    """Experts of one layer each, `dense -> batch normalization -> relu -> dropout`.

    They are computed as one wide layer, which is equivalent: normalisation, activation
    and dropout treat each unit independently.

    Args:
        count: Number of experts, `E`.
        units: Units of each, `U`.
        network: Dropout and normalisation.
    """

    def __init__(
        self, count: int, units: int, network: NetworkConfig, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.count = count
        self.units = units
        self.mlp = Mlp((count * units,), network.dropout, network.batch_norm)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Maps (B, any width) to (B, E, U)."""
        wide = self.mlp(inputs, training=training)  # (B, E * U)
        return tf.reshape(wide, [-1, self.count, self.units])

    def named_variables(self) -> dict[str, Any]:
        """Returns the variables by name."""
        return self.mlp.named_variables()


class Gate(keras.layers.Layer):
    """`softmax(x W)`: the weights of the experts for one reader.

    Args:
        count: Number of experts that are mixed, `E`.
    """

    def __init__(self, count: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dense = keras.layers.Dense(count, use_bias=False, activation="softmax")

    def call(self, inputs: Any) -> Any:
        """Maps (B, any width) to weights (B, E) that sum to 1."""
        return self.dense(inputs)

    def mix(self, inputs: Any, experts: Any) -> Any:
        """Returns the mixture (B, U) of the experts (B, E, U)."""
        return tf.einsum("be,beu->bu", self(inputs), experts)

    def named_variables(self) -> dict[str, Any]:
        """Returns the variable by name."""
        return {"kernel": self.dense.kernel}
