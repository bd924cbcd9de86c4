"""What carries a hidden state of the source tower into the target tower."""

from __future__ import annotations

from typing import Any

import tf_keras as keras

ADAPTERS = ("glu", "gate", "linear")


@keras.utils.register_keras_serializable("crossctr")
class Adapter(keras.layers.Layer):
    """Adds to a hidden state of the target what the source's state says about it.

    | kind     | result                                               | whose       |
    | -------- | ---------------------------------------------------- | ----------- |
    | `glu`    | `h_t + (U h_s + c) * sigmoid(V h_s + d)`             | the paper's |
    | `gate`   | `h_t + h_t * tanh(U h_s + c)`: turns units up or down | ours        |
    | `linear` | `h_t + U h_s + c`                                    | ours        |

    `U` and `c` start at zero, so that at first nothing is added and the target model
    scores as it did without the source (our choice).

    Args:
        kind: One of `ADAPTERS`.

    References:
        Liu et al., CTNet, arXiv 2208.05728, the adapter layer.
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
        """Creates the variables; the widths of both states come from their shapes."""
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
        """Returns what the constructor takes."""
        return {**super().get_config(), "kind": self.kind}
