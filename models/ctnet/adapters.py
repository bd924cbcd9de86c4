"""Adapters that carry a hidden state of the source tower into the target tower."""

from __future__ import annotations

from typing import Any

import tf_keras as keras

ADAPTERS = ("glu", "gate", "linear")


@keras.utils.register_keras_serializable("crossctr")
class Adapter(keras.layers.Layer):
    """Adapter that adds the source's hidden state to the target's.

    | kind     | result                                                |
    | -------- | ----------------------------------------------------- |
    | `glu`    | `h_t + (U h_s + c) * sigmoid(V h_s + d)`              |
    | `gate`   | `h_t + h_t * tanh(U h_s + c)`: turns units up or down |
    | `linear` | `h_t + U h_s + c`                                     |

    The paper has adapters; a summary of it says that they are gated linear units. Our
    choices: the unit's output is added to the target's state, so that no shape changes;
    `U` and `c` start at zero, so that the target model initially scores as it did
    without the source; the other two kinds.

    Args:
        kind: One of `ADAPTERS`.

    References:
        Liu et al., CTNet, arXiv 2208.05728: adapter layer; its formula was not
        available to us.
    """

    def __init__(self, kind: str = "glu", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if kind not in ADAPTERS:
            raise ValueError(
                f"`kind` must be one of {', '.join(ADAPTERS)}. Received: {kind!r}"
            )
        self.kind = kind
        self._value: Any = None
        self._gate: Any = None

    def build(self, input_shape: Any) -> None:
        """Creates the variables; their widths follow from the shapes of both states."""
        width = int(input_shape[1])
        self._value = keras.layers.Dense(
            width, kernel_initializer="zeros", name="value"
        )
        if self.kind == "glu":
            self._gate = keras.layers.Dense(width, activation="sigmoid", name="gate")
        super().build(input_shape)

    def call(self, target: Any, source: Any) -> Any:
        """Maps the states (B, T) of the target and (B, S) of the source to (B, T)."""
        value = self._value(source)  # (B, S) @ (S, T) -> (B, T)
        if self.kind == "glu":
            return target + value * self._gate(source)
        if self.kind == "gate":
            return target + target * keras.activations.tanh(value)
        return target + value

    def named_variables(self) -> dict[str, Any]:
        """Returns the variables by name, e.g. `value/kernel`."""
        layers = [layer for layer in (self._value, self._gate) if layer is not None]
        return {
            f"{layer.name}/{name}": variable
            for layer in layers
            for name, variable in (("kernel", layer.kernel), ("bias", layer.bias))
        }

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "kind": self.kind}
