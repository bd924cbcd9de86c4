"""STAR: a shared centre network multiplied by each domain's own weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tf_keras as keras

from models.layers.mlp import NormalisedStack
from models.layers.mlp import output_layer
from models.networks.multi_domain.body import Body
from models.networks.multi_domain.body import Tower
from models.networks.multi_domain.partitioned_norm import PartitionedNorm
from models.networks.multi_domain.partitioned_norm import ScaleShift
from models.settings import NetworkConfig


class Star(Body):
    """The backbone's MLP with weights `W * W_k` in domain k, plus an auxiliary network.

    `W` is initialised like the backbone's and `W_k` to one, so that all domains start
    as the same network (our choice). Normalisation is partitioned where the backbone
    normalises, before each activation; the paper normalises the input (our choice, to
    match the backbone). The auxiliary network reads the interaction's output, which
    includes the domain's embedding, and adds its logit to every domain's.

    References:
        Sheng et al., One Model to Serve All: Star Topology Adaptive Recommender for
        Multi-Domain CTR Prediction, CIKM'21, arXiv 2101.11427.
    """

    def __init__(
        self, domains: Sequence[str], network: NetworkConfig, **kwargs: Any
    ) -> None:
        super().__init__(domains, **kwargs)
        self.centre = Centre(network.hidden_units, zero_start=network.zero_start)
        self.stacks = [StarStack(self.centre, network.dropout) for _ in self.domains]
        self.auxiliary = Tower(
            network.hidden_units[-1], network.dropout, zero_start=network.zero_start
        )

    def shared(self, inputs: Any, training: bool) -> Any:
        """Returns the interaction's output and the auxiliary logits, (B,)."""
        auxiliary = self.auxiliary(inputs, training=training)
        return {"inputs": inputs, "auxiliary": auxiliary}

    def logit(self, shared: Any, index: int, training: bool) -> Any:
        """Returns the domain's logits (B,), including the auxiliary ones."""
        own = self.stacks[index](shared["inputs"], training=training)
        return own + shared["auxiliary"]

    def stages(self) -> list[list[NormalisedStack]]:
        """Returns the domains' stacks, which do not read one another."""
        return [list(self.stacks)]

    def named_variables(self) -> dict[str, Any]:
        """Returns `centre/...`, `star/<domain>/...` and `auxiliary/...`."""
        parts: dict[str, Any] = {"centre": self.centre, "auxiliary": self.auxiliary}
        for domain, stack in zip(self.domains, self.stacks, strict=True):
            parts[f"star/{domain}"] = stack
        return {
            f"{part}/{name}": variable
            for part, layer in parts.items()
            for name, variable in layer.named_variables().items()
        }

    def logit_bias(self, index: int) -> Any:
        """Returns the domain's own bias, to which the shared one is added."""
        return self.stacks[index].output_layer.bias


class Centre(keras.layers.Layer):
    """Weights, scales and shifts that all domains share; has no call of its own.

    Args:
        hidden_units: Units of each layer, first to last.
        zero_start: Whether the weights of the logit start at 0.
    """

    def __init__(
        self, hidden_units: Sequence[int], *, zero_start: bool, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        # As in the backbone, no bias before a normalisation, whose shift replaces it.
        self.dense = [
            keras.layers.Dense(
                units,
                use_bias=False,
                kernel_initializer="he_normal",
                name=f"hidden_{index}",
            )
            for index, units in enumerate(hidden_units)
        ]
        self.norms = [ScaleShift(name=f"{dense.name}_norm") for dense in self.dense]
        self.output_layer = output_layer(zero_start=zero_start)

    def named_variables(self) -> dict[str, Any]:
        """Returns the variables by name, e.g. `hidden_0/kernel`."""
        named = {f"{dense.name}/kernel": dense.kernel for dense in self.dense}
        for norm in self.norms:
            named[f"{norm.name}/gamma"] = norm.gamma
            named[f"{norm.name}/beta"] = norm.beta
        return {
            **named,
            "logit/kernel": self.output_layer.kernel,
            "logit/bias": self.output_layer.bias,
        }


class StarStack(NormalisedStack):
    """One domain's network: the centre's weights times the domain's.

    Args:
        centre: The parameters that all domains share.
        dropout: Share of units dropped while training.
    """

    def __init__(self, centre: Centre, dropout: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dense = [StarDense(shared, name=shared.name) for shared in centre.dense]
        self.norms = [PartitionedNorm(norm, name=norm.name) for norm in centre.norms]
        self.output_layer = StarDense(centre.output_layer, name="logit")
        self._dropout = keras.layers.Dropout(dropout)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Maps (n, any width) to logits (n,), n >= 0 impressions of the domain."""
        hidden = inputs
        for index, dense in enumerate(self.dense):
            hidden = self._normalise(index, dense(hidden), training)
            hidden = self._dropout(keras.activations.relu(hidden), training=training)
        return tf.squeeze(self.output_layer(hidden), axis=1)

    def named_variables(self) -> dict[str, Any]:
        """Returns the domain's own variables by name, e.g. `hidden_0/kernel`."""
        layers = [*self.dense, *self.norms, self.output_layer]
        return {
            f"{layer.name}/{name}": variable
            for layer in layers
            for name, variable in layer.named_variables().items()
        }


class StarDense(keras.layers.Layer):
    """`x (W * W_k) + b + b_k`; no biases if the shared layer has none.

    Args:
        shared: Layer with `W` and `b`.
    """

    def __init__(self, shared: keras.layers.Dense, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shared = shared

    def build(self, input_shape: Any) -> None:
        """Creates `kernel`, (any width, U), of ones, and `bias`, (U,)."""
        if not self.shared.built:
            self.shared.build(input_shape)
        shape = (input_shape[-1], self.shared.units)
        self.kernel = self.add_weight("kernel", shape, initializer="ones")
        if self.shared.use_bias:
            self.bias = self.add_weight("bias", shape[1:], initializer="zeros")
        super().build(input_shape)

    def call(self, inputs: Any) -> Any:
        """Maps (B, any width) to (B, U)."""
        outputs = inputs @ (self.shared.kernel * self.kernel)
        if self.shared.use_bias:
            outputs += self.shared.bias + self.bias
        return outputs

    def named_variables(self) -> dict[str, Any]:
        """Returns the domain's own variables by name."""
        named = {"kernel": self.kernel}
        return {**named, "bias": self.bias} if self.shared.use_bias else named
