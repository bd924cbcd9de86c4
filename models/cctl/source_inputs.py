"""Inputs of a tower for impressions of any domain: own vectors and alignment."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tf_keras as keras

from models.cctl.alignment import Alignment
from models.cctl.enhancement import COMPARED_ROWS
from models.cctl.enhancement import Enhancement
from models.cctl.own_vectors import OwnVectors
from models.cctl.own_vectors import domains_beside
from models.cctl.own_vectors import own_features
from models.features.table import FeatureTable
from models.layers.embedding_tables import EmbeddingTables
from models.networks.backbone import Backbone
from models.settings import CctlConfig


class SourceInputs(keras.layers.Layer):
    """Inputs of a tower of the target for impressions of any domain.

    An impression of the target passes unchanged: no forward pass of it reads a variable
    of this layer, so the layer is not served.

    Args:
        features: All features, those that only sources have among them.
        tower: A tower; it gets the target's own vectors in `create`.
        cctl: The strategy's settings.
        sources: The source domains.
    """

    def __init__(
        self,
        features: FeatureTable,
        tower: Backbone,
        cctl: CctlConfig,
        sources: Sequence[str],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        embedding = tower.embedding
        self._sources = len(sources)
        slots = {f.name: embedding.widths[f.table] for f in tower.features.features}
        only = features.without(tower.features)
        self.alignment = Alignment(
            sources, slots, only, embedding.width, maps=cctl.alignment
        )
        own = own_features(tower.features) if cctl.own_vectors else {}
        self.own = OwnVectors(len(sources), own, tower.features, embedding.widths)
        # Users and items differ in what makes two of them alike.
        self.enhancements = {space: Enhancement(name=space) for space in own}

    def logits(
        self, tower: Backbone, rows: Mapping[str, Any], source: Any, training: bool
    ) -> Any:
        """Returns a tower's logits (B,) for impressions of any domain.

        All impressions of a batch are normalised together: the target's alone are too
        few for a mean and a variance (our choice).

        Args:
            tower: The tower.
            rows: Encoded features by column.
            source: Index of each impression's source, int32 (B,); the number of sources
                for the target's.
            training: Whether the tower is being trained.
        """
        fields = tower.embedding(rows, with_own=False)
        for space, feature in self.own.features.items():
            ids = rows[feature.name]
            fields[feature.name] += self.own.of_domain(
                tower.embedding, space, ids, source
            )
        aligned = self.alignment(fields, rows, source)
        logits = tower.logits_of_fields(aligned, rows, training)
        shifts = tf.concat([self.alignment.shift, [0.0]], axis=0)
        return logits + tf.gather(shifts, source)

    def contrast(
        self,
        embedding: EmbeddingTables,
        rows: Mapping[str, Any],
        source: Any,
        weights: Any,
        training: bool = True,
    ) -> Any:
        """Returns the contrastive loss of some impressions, a scalar.

        Its gradient reaches own vectors and projections alone: the shared vectors are
        what clicks teach.

        Args:
            embedding: The mixed tower's tables.
            rows: Encoded features by column; at most `COMPARED_ROWS` are compared,
                evenly spaced.
            source: Index of each impression's source, int32 (B,).
            weights: Weights of the impressions, (B,).
            training: Whether the views differ by dropout.
        """
        step = tf.maximum(tf.shape(source)[0] // COMPARED_ROWS, 1)
        source, weights = source[::step], tf.stop_gradient(weights[::step])
        losses = [tf.constant(0.0)]
        for space, feature in self.own.features.items():
            ids = rows[feature.name][::step]
            shared = tf.stop_gradient(tf.gather(embedding.tables[feature.table], ids))

            def vectors(of: Any, space: str = space, ids: Any = ids) -> Any:
                return self.own.of_domain(embedding, space, ids, of)

            losses.append(
                self.enhancements[space](
                    shared + vectors(source),
                    [
                        shared + vectors(other)
                        for other in domains_beside(source, self._sources)
                    ],
                    ids,
                    weights,
                    training=training,
                )
            )
        return tf.add_n(losses)

    @property
    def embedding_variables(self) -> list[Any]:
        """Tables of features that only sources have, and the sources' own vectors."""
        return [*self.alignment.embedding_variables, *self.own.tables.values()]

    @property
    def dense_variables(self) -> list[Any]:
        """Maps, shifts and projections."""
        projections = [e.projection.kernel for e in self.enhancements.values()]
        return [*self.alignment.dense_variables, *projections]

    def named_variables(self) -> dict[str, Any]:
        """Returns every variable by name."""
        parts: dict[str, Any] = {"alignment": self.alignment, "own": self.own}
        return {
            **{
                f"{part}/{name}": variable
                for part, layer in parts.items()
                for name, variable in layer.named_variables().items()
            },
            **{
                f"enhancement/{space}/projection": layer.projection.kernel
                for space, layer in self.enhancements.items()
            },
        }
