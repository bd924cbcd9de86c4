"""Hidden layers of the networks."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import tf_keras as keras

from models.layers.batch_norm import BatchNorm

# With Keras's 0.99 the running statistics need hundreds of steps to match the data; an
# A-CTR trains for a few dozen. 0.9 needs about 40 (our choice).
BATCH_NORM_MOMENTUM = 0.9


class NormalisedStack(keras.layers.Layer):
    """Base of hidden layers with normalisation statistics.

    Subclasses fill `norms`, first to last, and call `_normalise`.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.norms: list[Any] = []
        # Whether training normalises by the running statistics and does not update
        # them.
        self.keep_statistics = False
        self._watched: list[Any] | None = None
        self._weights: Any = None

    @contextlib.contextmanager
    def weighing(self, weights: Any) -> Iterator[None]:
        """Weighs the rows of batches, (B,), in the statistics of calls inside."""
        self._weights = weights
        try:
            yield
        finally:
            self._weights = None

    @contextlib.contextmanager
    def watching(self) -> Iterator[list[Any]]:
        """Records the input of each of `norms` during calls inside the context."""
        self._watched = []
        try:
            yield self._watched
        finally:
            self._watched = None

    def _normalise(self, index: int, hidden: Any, training: bool) -> Any:
        if self._watched is not None:
            self._watched.append(hidden)
        moving = training and not self.keep_statistics
        if self._weights is None:
            return self.norms[index](hidden, training=moving)
        return self.norms[index](hidden, training=moving, weights=self._weights)


@keras.utils.register_keras_serializable("crossctr")
class Mlp(NormalisedStack):
    """Hidden layers `dense -> [batch normalization] -> relu -> dropout`.

    Args:
        hidden_units: Units of each layer, first to last.
        dropout: Share of units dropped while training, in [0, 1).
        batch_norm: Whether to normalise before the activation. The dense layers then
            have no bias, as BatchNorm's shift replaces it.
    """

    def __init__(
        self,
        hidden_units: Sequence[int],
        dropout: float = 0.0,
        batch_norm: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not hidden_units or min(hidden_units) < 1:
            raise ValueError(
                "`hidden_units` must be one or more positive numbers. "
                f"Received: {tuple(hidden_units)}"
            )
        self.hidden_units = tuple(hidden_units)
        self.dropout = dropout
        self.batch_norm = batch_norm
        self._dense = [
            keras.layers.Dense(
                units,
                use_bias=not batch_norm,
                kernel_initializer="he_normal",
                name=f"hidden_{index}",
            )
            for index, units in enumerate(self.hidden_units)
        ]
        self.norms = [
            BatchNorm(momentum=BATCH_NORM_MOMENTUM, name=f"hidden_{index}_norm")
            for index in range(len(self.hidden_units) if batch_norm else 0)
        ]
        self._dropout = keras.layers.Dropout(dropout)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Maps (B, any width) to (B, hidden_units[-1])."""
        hidden = inputs
        for index in range(len(self._dense)):
            hidden = self.layer(index, hidden, training)
        return hidden

    def layer(self, index: int, inputs: Any, training: bool) -> Any:
        """Maps (B, any width) to (B, hidden_units[index]) by a single layer."""
        hidden = self._dense[index](inputs)
        if self.batch_norm:
            hidden = self._normalise(index, hidden, training)
        return self._dropout(keras.activations.relu(hidden), training=training)

    def named_variables(self) -> dict[str, Any]:
        """Returns the variables by name, e.g. `hidden_0_norm/gamma`."""
        named = {}
        for dense in self._dense:
            named[f"{dense.name}/kernel"] = dense.kernel
            if dense.use_bias:
                named[f"{dense.name}/bias"] = dense.bias
        for norm in self.norms:
            named[f"{norm.name}/gamma"] = norm.gamma
            named[f"{norm.name}/beta"] = norm.beta
            named[f"{norm.name}/moving_mean"] = norm.moving_mean
            named[f"{norm.name}/moving_variance"] = norm.moving_variance
        return named

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "hidden_units": self.hidden_units,
            "dropout": self.dropout,
            "batch_norm": self.batch_norm,
        }


def output_layer(*, zero_start: bool) -> keras.layers.Dense:
    """Returns the layer that ends a network, (B, any width) -> (B, 1).

    Args:
        zero_start: Whether its weights start at 0: the first predictions are then the
            bias's, and the layers below start to learn with the second step.
    """
    start = "zeros" if zero_start else "glorot_uniform"
    return keras.layers.Dense(1, kernel_initializer=start, name="logit")
