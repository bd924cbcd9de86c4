"""Base of the multi-domain networks' bodies, and routing by domain."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tf_keras as keras

from models.layers.mlp import Mlp
from models.layers.mlp import NormalisedStack
from models.layers.mlp import output_layer
from models.settings import NetworkConfig


class Body(keras.layers.Layer):
    """Layers between the interaction and the domains' logits.

    Args:
        domains: The domains, in the order of their indices.
    """

    def __init__(self, domains: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.domains = tuple(domains)

    def shared(self, inputs: Any, training: bool) -> Any:
        """Returns what is computed in the same way for all domains.

        Args:
            inputs: The interaction's output, (B, width).
            training: Whether the network is training.

        Returns:
            A nest of tensors whose first dimension is B.
        """
        raise NotImplementedError

    def logit(self, shared: Any, index: int, training: bool) -> Any:
        """Returns the logits (B,) of domain `index` for a nest from `shared`."""
        raise NotImplementedError

    def stages(self) -> list[list[NormalisedStack]]:
        """Returns the stacks with normalisation, see `Network.stages`."""
        raise NotImplementedError

    def named_variables(self) -> dict[str, Any]:
        """Returns every variable by a name that is independent of other domains."""
        raise NotImplementedError

    def logit_bias(self, index: int) -> Any:
        """Returns the variable (1,) that is added to the logits of domain `index`."""
        raise NotImplementedError


class TowerBody(Body):
    """Body that ends in one tower per domain.

    A tower is the backbone's last hidden layer and its logit, so that the network is as
    deep as the backbone. It has no BatchNorm (our choice): a batch of mixed domains may
    contain too few target impressions for statistics.

    Args:
        domains: The domains, in the order of their indices.
        network: Sizes of the network.
        below: Units of the first hidden layers, which all domains share.
    """

    def __init__(
        self,
        domains: Sequence[str],
        network: NetworkConfig,
        below: Sequence[int],
        **kwargs: Any,
    ) -> None:
        super().__init__(domains, **kwargs)
        if len(network.hidden_units) < 2:
            raise ValueError(
                "`hidden_units` must have two or more layers, the last for the towers. "
                f"Received: {network.hidden_units}"
            )
        self.towers = [
            Tower(
                network.hidden_units[-1], network.dropout, zero_start=network.zero_start
            )
            for _ in self.domains
        ]
        self.bottom = Mlp(below, network.dropout, network.batch_norm) if below else None

    def below(self, inputs: Any, training: bool) -> Any:
        """Returns the output of the shared layers, or `inputs` without such layers."""
        if self.bottom is None:
            return inputs
        return self.bottom(inputs, training=training)

    def stages(self) -> list[list[NormalisedStack]]:
        """Returns the shared layers, if any."""
        return [[self.bottom]] if self.bottom is not None else []

    def named_variables(self) -> dict[str, Any]:
        """Returns `bottom/...` and e.g. `tower/<domain>/logit/bias`."""
        parts: dict[str, Any] = {
            f"tower/{domain}": tower
            for domain, tower in zip(self.domains, self.towers, strict=True)
        }
        if self.bottom is not None:
            parts["bottom"] = self.bottom
        return name_variables(parts)

    def logit_bias(self, index: int) -> Any:
        """Returns the bias of the tower's logit."""
        return self.towers[index].output_layer.bias


def name_variables(parts: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the variables of all parts by `<part>/<name within the part>`."""
    return {
        f"{part}/{name}": variable
        for part, layer in parts.items()
        for name, variable in layer.named_variables().items()
    }


class Tower(keras.layers.Layer):
    """One domain's `dense -> relu -> dropout -> logit`.

    Args:
        units: Units of the hidden layer.
        dropout: Share of units dropped while training.
        zero_start: Whether the weights of the logit start at 0.
    """

    def __init__(
        self, units: int, dropout: float, *, zero_start: bool, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.mlp = Mlp((units,), dropout, batch_norm=False)
        self.output_layer = output_layer(zero_start=zero_start)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Maps (B, any width) to logits (B,)."""
        hidden = self.mlp(inputs, training=training)
        return tf.squeeze(self.output_layer(hidden), axis=1)

    def named_variables(self) -> dict[str, Any]:
        """Returns the variables by name."""
        return {
            **self.mlp.named_variables(),
            "logit/kernel": self.output_layer.kernel,
            "logit/bias": self.output_layer.bias,
        }


def route(
    inputs: Any, indices: Any, functions: Sequence[Callable[[Any], Any]]
) -> tf.Tensor:
    """Applies to each example the function of its index.

    An example costs one function evaluation however many functions there are, and its
    gradient involves only that function's variables.

    Args:
        inputs: A nest of tensors whose first dimension is B.
        indices: Int32 (B,), each in [0, len(functions)).
        functions: Each maps a nest with first dimension n >= 0 to (n,).

    Returns:
        The results (B,), in the order of the inputs.
    """
    positions = tf.range(tf.shape(indices)[0])
    rows = tf.dynamic_partition(positions, indices, len(functions))
    results = []
    for function, chosen in zip(functions, rows, strict=True):
        own = tf.nest.map_structure(lambda t, r=chosen: tf.gather(t, r), inputs)
        results.append(function(own))
    return tf.dynamic_stitch(rows, results)
