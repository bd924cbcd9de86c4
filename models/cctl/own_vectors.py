"""Vectors of users and items that belong to one domain, beside the shared ones."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tf_keras as keras

from models.features.feature import Feature
from models.features.id import SNAPSHOT_SPACES
from models.features.table import FeatureTable
from models.layers.embedding_tables import EmbeddingTables


def own_features(features: FeatureTable) -> dict[str, Feature]:
    """Returns the features with own vectors, by id space: its first of kind `id`.

    Only the spaces of users and items have such vectors.
    """
    ids = [f for f in features.features if f.is_single_id]
    found: dict[str, Feature] = {}
    for feature in ids:
        if feature.table in SNAPSHOT_SPACES:
            found.setdefault(feature.table, feature)
    return found


class OwnVectors(keras.layers.Layer):
    """The sources' own vectors; the target's are tables `own/...` of the towers.

    In a domain d, the vector of user u is `e_u + o_ud`: the shared one, which
    impressions of all domains teach, and the domain's own, which only its impressions
    do and which starts at zero. Items alike. Serving reads the target's (our choice of
    the sum: it leaves the towers as wide as they are).

    Args:
        sources: Number of sources, `K`.
        features: Features with own vectors, by id space.
        tables: All features, for the numbers of table rows.
        widths: Embedding width by table.
    """

    def __init__(
        self,
        sources: int,
        features: Mapping[str, Feature],
        tables: FeatureTable,
        widths: Mapping[str, int],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.features = dict(features)
        self._sources = sources
        self._num_rows = {space: tables.num_rows(space) for space in features}
        # All sources' tables in one variable, one below the other: a step's cost grows
        # with the number of variables.
        self.tables = {
            space: self.add_weight(
                f"{space}/table",
                (sources * self._num_rows[space], widths[space]),
                initializer="zeros",
            )
            for space in features
        }

    def of_source(self, space: str, rows: Any, source: Any) -> Any:
        """Returns own vectors of sources; zeros, (B, D), for the target.

        Args:
            space: The id space.
            rows: Table rows of the ids, (B,).
            source: Index of the source, int32 (B,); `K` for the target.
        """
        first = tf.minimum(source, self._sources - 1) * self._num_rows[space]
        vectors = tf.gather(self.tables[space], tf.cast(first, rows.dtype) + rows)
        return vectors * tf.cast(source < self._sources, tf.float32)[:, tf.newaxis]

    def of_domain(
        self, embedding: EmbeddingTables, space: str, rows: Any, source: Any
    ) -> Any:
        """Returns the own vectors (B, D) of ids in impressions of any domain.

        Args:
            embedding: A tower's tables, which hold the target's own vectors.
            space: The id space.
            rows: Table rows of the ids, (B,).
            source: Index of the source, int32 (B,); `K` for the target.
        """
        target = tf.gather(embedding.own[self.features[space].name], rows)
        is_target = tf.cast(source == self._sources, tf.float32)[:, tf.newaxis]
        return target * is_target + self.of_source(space, rows, source)

    def named_variables(self) -> dict[str, Any]:
        """Returns the tables by name, e.g. `user/table`."""
        return {f"{space}/table": table for space, table in self.tables.items()}


def domains_beside(source: Any, number: int) -> Sequence[Any]:
    """Returns the other domains of each impression: `number` tensors int32 (B,).

    Args:
        source: Index of each impression's domain, int32 (B,), in [0, number].
        number: Number of other domains, which is that of the sources.
    """
    return [(source + step) % (number + 1) for step in range(1, number + 1)]
