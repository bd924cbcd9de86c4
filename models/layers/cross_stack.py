"""Cross layers: the interaction of a network's embeddings."""

from __future__ import annotations

from typing import Any

import tf_keras as keras
from tensorflow_recommenders.layers.feature_interaction import Cross


@keras.utils.register_keras_serializable("crossctr")
class CrossStack(keras.layers.Layer):
    """Stack of cross layers; with zero layers the input is returned unchanged.

    Args:
        num_layers: Depth; l layers model interactions up to order l + 1.

    References:
        Wang et al., DCN V2, arXiv 2008.13535, eq. 1.
    """

    def __init__(self, num_layers: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if num_layers < 0:
            raise ValueError(f"`num_layers` must be >= 0. Received: {num_layers}")
        self.num_layers = num_layers
        self._layers = [Cross(name=f"cross_{i}") for i in range(num_layers)]

    def call(self, inputs: Any) -> Any:
        """Maps (B, width) to (B, width)."""
        crossed = inputs
        for layer in self._layers:
            crossed = layer(inputs, crossed)
        return crossed

    def named_variables(self) -> dict[str, Any]:
        """Returns the variables by name, e.g. `cross_0/kernel`."""
        named = {}
        for layer in self._layers:
            kernel, bias = layer.variables
            named[f"{layer.name}/kernel"] = kernel
            named[f"{layer.name}/bias"] = bias
        return named

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "num_layers": self.num_layers}
