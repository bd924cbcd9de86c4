"""CTNet network: two towers and the adapters between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from models.ctnet.adapters import Adapter
from models.ctnet.settings import CtnetConfig
from models.data.snapshots import SnapshotTables
from models.features.table import FeatureTable
from models.layers.mlp import NormalisedStack
from models.networks.backbone import Backbone
from models.networks.network import Network
from models.networks.network import ServingForm
from models.settings import NetworkConfig


class Ctnet(Network):
    """Target backbone that reads every layer of a frozen source backbone.

    Per layer l, the interaction first, then every hidden layer:
    `h_t^l := adapter_l(h_t^l, h_s^l)`, which is the input of the target's next layer.
    The source tower reads no state of the target. Its variables get no gradient, have
    no optimizer slots and are not in the checkpoint: they are loaded from the source
    model each day. Its BatchNorm and dropout are in inference mode.

    Both towers read the same encoded features: as vocabularies are shared, an id has
    the same table row in both; a feature that the target's log lacks is encoded as
    `missing`, an unknown id as out-of-vocabulary.

    The target tower's variables have the backbone's names, so that CTNet can start from
    any target model with the same features, network and use of snapshots.

    Args:
        features: All features.
        network: Sizes of both towers.
        ctnet: The adapters.
        snapshots: Aligned TPM snapshots by id space, read by the target tower only;
            none by default.

    References:
        Liu et al., CTNet, arXiv 2208.05728.
    """

    def __init__(
        self,
        features: FeatureTable,
        network: NetworkConfig,
        ctnet: CtnetConfig,
        snapshots: Mapping[str, SnapshotTables] | None = None,
    ) -> None:
        super().__init__(features, network.width, name="ctnet")
        # Of the source tower only the layers are read.
        deep_alone = network.model_copy(update={"wide": False, "product": False})
        self.source = Backbone(features, deep_alone)
        self.source.trainable = False
        self.target = Backbone(features, network, snapshots)
        self.embedding, self.numbers = self.target.embedding, self.target.numbers
        self.wide, self.product = self.target.wide, self.target.product
        layers = ["cross", *(f"hidden_{i}" for i in range(len(network.hidden_units)))]
        self.adapters = {
            name: Adapter(ctnet.adapter, name=f"adapter_{name}") for name in layers
        }
        self.create_variables()

    def call(self, rows: Mapping[str, Any], training: bool = False) -> Any:
        """Returns logits (B,) for encoded features by column."""
        return self.logits_of_fields(self.embedding(rows), rows, training)

    def logits_of_fields(
        self, fields: Mapping[str, Any], rows: Mapping[str, Any], training: bool
    ) -> Any:
        """Returns logits (B,) for vectors that replace the target's embeddings.

        The source tower reads its own embeddings; see `Backbone.logits_of_fields`.
        """
        return self._logits(rows, fields, self.target.pooled(rows, training), training)

    @property
    def mlp(self) -> NormalisedStack:
        """The target tower's hidden layers."""
        return self.target.mlp

    @property
    def stages(self) -> list[list[NormalisedStack]]:
        """The target tower's stacks; the source's statistics are not recomputed."""
        return [[self.target.mlp]]

    def named_variables(self) -> dict[str, Any]:
        """Returns the target tower's variables and `adapter/<layer>/...`."""
        named = self.target.named_variables()
        for layer, adapter in self.adapters.items():
            for name, variable in adapter.named_variables().items():
                named[f"adapter/{layer}/{name}"] = variable
        return named

    def source_variables(self) -> dict[str, Any]:
        """Returns the frozen source tower's variables, by the backbone's names."""
        return self.source.named_variables()

    def serving_form(self) -> ServingForm:
        """Returns both towers, with the snapshots folded into one lookup."""
        pooled, target = self.target.folded()
        adapters = [v for a in self.adapters.values() for v in a.variables]
        source = list(self.source_variables().values())

        def logits(rows: Mapping[str, Any]) -> Any:
            return self._logits(rows, self.embedding(rows), pooled(rows), False)

        return ServingForm(logits, [*target, *adapters, *source])

    def _logits(
        self,
        rows: Mapping[str, Any],
        vectors: Mapping[str, Any],
        pooled: Mapping[str, Any],
        training: bool,
    ) -> Any:
        ours = self.target.interaction_input(rows, vectors, pooled)  # (B, F * D + N)
        theirs = self.source.interaction_input(rows, self.source.embedding(rows))
        theirs, ours = self.source.cross(theirs), self.target.cross(ours)
        ours = self.adapters["cross"](ours, tf.stop_gradient(theirs))
        for index in range(len(self.target.mlp.hidden_units)):
            theirs = self.source.mlp.layer(index, theirs, training=False)
            ours = self.target.mlp.layer(index, ours, training=training)
            adapter = self.adapters[f"hidden_{index}"]
            ours = adapter(ours, tf.stop_gradient(theirs))
        deep = tf.squeeze(self.target.logit(ours), axis=1)
        return self.with_shallow_parts(deep, rows, vectors, pooled)
