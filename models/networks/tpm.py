"""TPM: E-CDCTR's tiny pretraining model, which learns long-term interests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
import tf_keras as keras

from models.features.table import FeatureTable
from models.layers.mlp import Mlp
from models.networks.network import Network
from models.settings import NetworkConfig


class TinyModel(Network):
    """Embedding -> shallow MLP -> logit, on the features marked `tpm`.

    No BatchNorm (our choice): TPM is trained for its embedding tables, and without
    normalisation each period continues exactly where the previous one ended.

    Args:
        features: All features; those with `tpm: true` are read.
        network: Sizes; `width` and `tpm_hidden_units` are used.

    References:
        Liu et al., E-CDCTR, arXiv 2408.16238, tiny pre-training model.
    """

    def __init__(self, features: FeatureTable, network: NetworkConfig) -> None:
        super().__init__(features.tpm_only(), network.width, name="tpm")
        self.mlp = Mlp(network.tpm_hidden_units, batch_norm=False, name="mlp")
        self.logit = keras.layers.Dense(1, name="logit")
        self.create_variables()

    def call(self, rows: Mapping[str, Any], training: bool = False) -> Any:
        """Returns logits (B,) for encoded features by column."""
        inputs = self.interaction_input(rows, self.embedding(rows))
        hidden = self.mlp(inputs, training=training)
        return tf.squeeze(self.logit(hidden), axis=1)

    def named_variables(self) -> dict[str, Any]:
        """Returns every variable by name."""
        return {
            **super().named_variables(),
            **self.mlp.named_variables(),
            "logit/kernel": self.logit.kernel,
            "logit/bias": self.logit.bias,
        }
