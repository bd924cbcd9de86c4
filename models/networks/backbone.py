"""Backbone: the network that CPM, A-CTR and every strategy share."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from models.data.snapshots import SnapshotTables
from models.features.feature import Feature
from models.features.table import DAY
from models.features.table import FeatureTable
from models.layers.cross_stack import CrossStack
from models.layers.mlp import Mlp
from models.layers.mlp import output_layer
from models.layers.snapshot_pooling import FoldedLookup
from models.layers.snapshot_pooling import SnapshotLookup
from models.layers.snapshot_pooling import SnapshotPooling
from models.layers.snapshot_pooling import fold
from models.networks.network import Network
from models.networks.network import ServingForm
from models.settings import NetworkConfig


class Backbone(Network):
    """Embeddings, numbers and pooled snapshots -> cross layers -> MLP -> logit.

    In an id space with snapshots, every feature of kind `id` has, beside its embedding,
    the pooled vector of its id; both enter the interaction (as in the paper). The
    interaction is DCN-V2's cross layer, stacked under the MLP (our choice; the paper
    leaves it open).

    Args:
        features: All features.
        network: Sizes.
        snapshots: Aligned TPM snapshots by id space; empty for the ablation without
            TPM.

    References:
        Liu et al., E-CDCTR, arXiv 2408.16238, CPM and A-CTR. Wang et al., DCN V2,
        arXiv 2008.13535, eq. 1.
    """

    def __init__(
        self,
        features: FeatureTable,
        network: NetworkConfig,
        snapshots: Mapping[str, SnapshotTables] | None = None,
    ) -> None:
        super().__init__(features, network.width, name="backbone")
        self.lookups = {
            space: SnapshotLookup(tables) for space, tables in (snapshots or {}).items()
        }
        self.poolings = {
            space: SnapshotPooling(
                lookup.width,
                network.snapshot_pooling,
                network.snapshot_dropout,
                name=f"snapshot_{space}",
            )
            for space, lookup in self.lookups.items()
        }
        self.cross = CrossStack(network.cross_layers, name="cross")
        self.mlp = Mlp(
            network.hidden_units, network.dropout, network.batch_norm, name="mlp"
        )
        self.logit = output_layer(zero_start=network.zero_start)
        self.add_shallow_parts(wide=network.wide, product=network.product)
        self.create_variables()

    def call(self, rows: Mapping[str, Any], training: bool = False) -> Any:
        """Returns logits (B,) for encoded features by column."""
        return self.logits_of_fields(self.embedding(rows), rows, training)

    def pooled(self, rows: Mapping[str, Any], training: bool) -> dict[str, Any]:
        """Returns the pooled vectors (B, D) by feature with snapshots.

        Args:
            rows: Table rows by feature; with `day`, the impressions' days (B,), newer
                snapshots are hidden while training.
            training: Whether the network is training.
        """
        days = rows.get(DAY) if training else None
        return {
            feature.name: self.poolings[feature.table](
                *self.lookups[feature.table](rows[feature.name], days),
                training=training,
            )
            for feature in self._snapshot_features()
        }

    def named_variables(self) -> dict[str, Any]:
        """Returns every variable by name, without the frozen snapshots."""
        named = super().named_variables()
        for space, pooling in self.poolings.items():
            for name, variable in pooling.named_variables().items():
                named[f"snapshot/{space}/{name}"] = variable
        return {
            **named,
            **self.cross.named_variables(),
            **self.mlp.named_variables(),
            "logit/kernel": self.logit.kernel,
            "logit/bias": self.logit.bias,
        }

    def serving_form(self) -> ServingForm:
        """Returns the network with every snapshot pooling folded into one lookup."""
        pooled, variables = self.folded()

        def logits(rows: Mapping[str, Any]) -> Any:
            return self._logits(rows, self.embedding(rows), pooled(rows), False)

        return ServingForm(logits, variables)

    def folded(self) -> tuple[Callable[[Mapping[str, Any]], dict[str, Any]], list[Any]]:
        """Folds every snapshot pooling into one lookup table.

        Returns:
            A function that returns the pooled vectors by feature, and its variables.
        """
        folded = {
            space: FoldedLookup(fold(pooling, self.lookups[space]))
            for space, pooling in self.poolings.items()
        }

        def pooled(rows: Mapping[str, Any]) -> dict[str, Any]:
            return {
                feature.name: folded[feature.table](rows[feature.name])
                for feature in self._snapshot_features()
            }

        poolings = [
            variable.ref()
            for pooling in self.poolings.values()
            for variable in pooling.variables
        ]
        kept = [v for v in self.named_variables().values() if v.ref() not in poolings]
        return pooled, [*kept, *(f.table for f in folded.values())]

    def _snapshot_features(self) -> list[Feature]:
        return [
            feature
            for feature in self.features.features
            if feature.is_single_id and feature.table in self.poolings
        ]

    def logits_of_fields(
        self, fields: Mapping[str, Any], rows: Mapping[str, Any], training: bool
    ) -> Any:
        """Returns logits (B,) for vectors that replace the embeddings.

        Args:
            fields: Vectors (B, D) by feature, in the order of the features.
            rows: Encoded features by column, for the numbers and the snapshots.
            training: Whether the network is training.
        """
        return self._logits(rows, fields, self.pooled(rows, training), training)

    def _logits(
        self,
        rows: Mapping[str, Any],
        vectors: Mapping[str, Any],
        pooled: Mapping[str, Any],
        training: bool,
    ) -> Any:
        base = self.interaction_input(rows, vectors, pooled)  # (B, F * D + N)
        hidden = self.mlp(self.cross(base), training=training)
        deep = tf.squeeze(self.logit(hidden), axis=1)
        return self.with_shallow_parts(deep, rows, vectors, pooled)
