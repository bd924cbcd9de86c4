"""Preprocessing function: raw features to rows of embedding tables.

Every transformation is stateless or reads a frozen vocabulary, so that all days are
encoded in the same way and no analysis pass over the data is needed.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from models.features.cross import cross_rows
from models.features.feature import Feature
from models.features.id_space import IdSpace
from models.features.kind import FIRST_OOV_ROW
from models.features.table import DAY
from models.features.table import LABEL
from models.features.table import FeatureTable
from models.vocabulary_files import ids_path


def preprocessing_fn(
    inputs: dict[str, Any], custom_config: dict[str, Any]
) -> dict[str, Any]:
    """Encodes every feature as int64 table rows.

    Args:
        inputs: Raw features, SparseTensors of shape (B, any).
        custom_config: `features`, JSON of the FeatureTable, and `vocabulary_uri`, the
            folder of the Vocabulary artifact.

    Returns:
        Tensors of shape (B,), or (B, max_length) for lists, by feature; and `label` and
        `day` of shape (B,), if the inputs have them.
    """
    features = FeatureTable.from_json(custom_config["features"])
    tools = _Tools(features, custom_config["vocabulary_uri"])
    outputs = {
        feature.name: feature.feature_kind.encode(inputs[feature.name], feature, tools)
        for feature in features.logged
    }
    for feature in features.derived:
        parts = [outputs[name] for name in feature.of]
        outputs[feature.name] = cross_rows(parts, feature.buckets)
    for name in (LABEL, DAY):
        if name in inputs:
            outputs[name] = tools.first_values(inputs[name], -1)
    return outputs


class _Tools:
    """`EncodingTools` of TensorFlow Transform.

    Args:
        features: All features.
        vocabulary_uri: Folder of the Vocabulary artifact.
    """

    def __init__(self, features: FeatureTable, vocabulary_uri: str) -> None:
        self._features = features
        self._vocabulary_uri = vocabulary_uri

    def first_values(self, raw: tf.SparseTensor, missing: Any) -> tf.Tensor:
        """Returns the first value of each impression: (B,)."""
        first = tf.sparse.slice(raw, [0, 0], [raw.dense_shape[0], 1])
        dense = tft.sparse_tensor_to_dense_with_shape(first, [None, 1], missing)
        return tf.squeeze(dense, axis=1)

    def lists(self, raw: tf.SparseTensor, length: int) -> tf.Tensor:
        """Returns the first strings of each impression: (B, length)."""
        kept = tf.sparse.slice(raw, [0, 0], [raw.dense_shape[0], length])
        return tft.sparse_tensor_to_dense_with_shape(kept, [None, length], "")

    def id_rows(self, ids: tf.Tensor, feature: Feature, empty_row: int) -> tf.Tensor:
        """Returns the table rows of ids; int64, same shape as `ids`."""
        space = self._features.vocabularies[feature.table]
        rows = (
            tf.strings.to_hash_bucket_fast(ids, space.capacity) + FIRST_OOV_ROW
            if space.hashed
            else self._vocabulary_rows(ids, feature, space)
        )
        return tf.where(tf.equal(ids, ""), tf.constant(empty_row, tf.int64), rows)

    def _vocabulary_rows(
        self, ids: tf.Tensor, feature: Feature, space: IdSpace
    ) -> tf.Tensor:
        path = ids_path(self._vocabulary_uri, feature.table)
        if path.stat().st_size == 0:
            # TensorFlow cannot build a lookup table from an empty file.
            position = tf.fill(tf.shape(ids), tf.constant(-1, tf.int64))
        else:
            position = tft.apply_vocabulary(
                ids, str(path), default_value=-1, name=f"{feature.name}_rows"
            )
        bucket = tf.strings.to_hash_bucket_fast(ids, space.oov_buckets)
        return tf.where(
            position >= 0, position + space.first_id_row, bucket + FIRST_OOV_ROW
        )
