"""Embedding tables, one per id space or bucketed feature."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tf_keras as keras

from models.errors import ConfigError
from models.features.feature import Feature
from models.features.kind import PADDING_ROW
from models.features.table import FeatureTable


def table_widths(features: FeatureTable, width: int) -> dict[str, int]:
    """Returns the embedding width of every table, in declaration order.

    Args:
        features: The features; those with one table share its width.
        width: Width of features that declare none.

    Raises:
        ConfigError: If two features of one table declare different widths, or a `count`
            or `rate` feature has the name of a vocabulary.
    """
    widths: dict[str, int] = {}
    for feature in features.features:
        if not feature.is_id and feature.name in features.vocabularies:
            raise ConfigError(
                f"feature {feature.name!r} of kind {feature.kind!r} has the name of a "
                "vocabulary, so the two would share one table; rename the feature"
            )
        wanted = feature.width or width
        known = widths.setdefault(feature.table, wanted)
        if known != wanted:
            raise ConfigError(
                f"feature {feature.name!r} wants width {wanted} of table "
                f"{feature.table!r}, another feature {known}; features of one "
                "vocabulary share a table, so give them the same width"
            )
    return widths


def own_table(table: str) -> str:
    """Returns the name of a table's second one; a feature's name has no slash."""
    return f"own/{table}"


@keras.utils.register_keras_serializable("crossctr")
class EmbeddingTables(keras.layers.Layer):
    """Embedding lookup by table row; features of one vocabulary share a table.

    A list feature is embedded as the mean of its ids' vectors without padding, an empty
    list as zeros.

    Args:
        features: The features to embed, a `FeatureTable` or its `model_dump()`.
        width: Embedding width `D` of features that declare none.

    Attributes:
        tables: Tables by name.
        own: Those of `add_own`, by feature.

    Example:
        >>> from models.features.feature import Feature
        >>> table = FeatureTable(
        ...     features=(Feature(name="age", kind="count", buckets=4),),
        ...     vocabularies={},
        ... )
        >>> EmbeddingTables(table, width=3)({"age": tf.constant([2, 5])})["age"].shape
        TensorShape([2, 3])
    """

    # Our choice. Ids and crosses start near the zero vector: BatchNorm scales up
    # whatever varies, and larger random id vectors would drown the value features. Not
    # exactly zero, because a network of ids alone would then get no gradient through
    # its relu.
    ID_STDDEV = 0.001
    VALUE_STDDEV = 0.05

    def __init__(
        self, features: FeatureTable | Mapping[str, Any], width: int, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.features = FeatureTable.model_validate(features)
        self.width = width
        self.widths = table_widths(self.features, width)
        self.tables: dict[str, Any] = {}
        self.own: dict[str, Any] = {}

    def add_own(self, features: Mapping[str, Feature]) -> None:
        """Adds second tables whose vectors are added to those of single ids.

        They are zero at the start, and `tables` has them by the names of `own_table`.

        Args:
            features: By table, the feature of kind `id` that gets these vectors.
        """
        for table, feature in features.items():
            self.own[feature.name] = self.tables[own_table(table)] = self.add_weight(
                name=f"{own_table(table)}/table",
                shape=self.tables[table].shape,
                initializer="zeros",
            )

    def build(self, input_shape: Any) -> None:
        """Creates the tables."""
        values = {
            feature.table
            for feature in self.features.features
            if not feature.is_id and not feature.is_derived
        }
        for table, width in self.widths.items():
            stddev = self.VALUE_STDDEV if table in values else self.ID_STDDEV
            self.tables[table] = self.add_weight(
                name=f"{table}/table",
                shape=(self.features.num_rows(table), width),
                initializer=keras.initializers.RandomNormal(stddev=stddev),
            )
        super().build(input_shape)

    def call(self, rows: Mapping[str, Any], with_own: bool = True) -> dict[str, Any]:
        """Looks up the vectors of every feature.

        Args:
            rows: Table rows by feature, int64 of shape (B,), or (B, L) for lists.
            with_own: Whether to add the vectors of the tables of `add_own`.

        Returns:
            Vectors by feature, float32 of shape (B, D), in declaration order.

        Raises:
            ValueError: If a feature is missing from `rows`.
        """
        missing = [f.name for f in self.features.features if f.name not in rows]
        if missing:
            raise ValueError(
                f"rows of every declared feature are needed; {', '.join(missing)} "
                f"missing. Received: {', '.join(rows) or '(none)'}"
            )
        embedded = {}
        for feature in self.features.features:
            table = self.tables[feature.table]
            ids = rows[feature.name]
            if feature.is_list:
                vectors = tf.gather(table, ids)  # (B, L, D)
                embedded[feature.name] = masked_mean(vectors, ids)  # (B, D)
            else:
                embedded[feature.name] = tf.gather(table, ids)  # (B, D)
        if with_own:
            for name, table in self.own.items():
                embedded[name] += tf.gather(table, rows[name])
        return embedded

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        config = super().get_config()
        return {
            **config,
            "features": self.features.model_dump(mode="json"),
            "width": self.width,
        }


def side_by_side(vectors: Sequence[Any]) -> Any:
    """Concatenates vectors, repeating those shared by the whole batch.

    Args:
        vectors: Tensors of shape (B, D_i), or of static shape (1, D_i) for a vector
            shared by the whole batch.

    Returns:
        Tensor of shape (B, sum of D_i).
    """
    shared = [vector.shape[0] == 1 for vector in vectors]
    if all(shared) or not any(shared):
        return tf.concat(vectors, axis=1)
    num_rows = tf.shape(vectors[shared.index(False)])[0]
    parts = []
    # Adjacent shared vectors are concatenated before repeating: one copy in all.
    for is_shared, group in itertools.groupby(
        zip(shared, vectors, strict=True), key=operator.itemgetter(0)
    ):
        joined = tf.concat([vector for _, vector in group], axis=1)
        if is_shared:
            joined = tf.broadcast_to(joined, [num_rows, joined.shape[1]])
        parts.append(joined)
    return tf.concat(parts, axis=1)


def masked_mean(vectors: Any, ids: Any) -> Any:
    """Returns the mean of a list's vectors without padding, zeros for an empty list.

    Args:
        vectors: Shape (B, L, D).
        ids: Their table rows, (B, L).

    Returns:
        Shape (B, D).
    """
    present = tf.cast(tf.not_equal(ids, PADDING_ROW), vectors.dtype)  # (B, L)
    total = tf.einsum("bld,bl->bd", vectors, present)
    return total / tf.maximum(tf.reduce_sum(present, axis=1, keepdims=True), 1.0)
