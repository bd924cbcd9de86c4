"""The preprocessing function: raw features to rows of embedding tables.

Every transform is stateless or reads a frozen vocabulary, so that day N and day N + 1
mean the same and no pass over the data is needed before the transforming one.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from components.vocabulary.files import ids_path
from models.features.table import DAY
from models.features.table import FIRST_OOV_ROW
from models.features.table import LABEL
from models.features.table import MISSING_ROW
from models.features.table import PADDING_ROW
from models.features.table import Feature
from models.features.table import FeatureTable
from models.features.table import IdSpace


def preprocessing_fn(
    inputs: dict[str, Any], custom_config: dict[str, Any]
) -> dict[str, Any]:
    """Encodes every feature of the table as int64 rows.

    Args:
        inputs: Raw features, SparseTensors of shape (B, any).
        custom_config: `features`, JSON of the FeatureTable, and `vocabulary_uri`, the
            Vocabulary artifact's folder.

    Returns:
        Per feature a tensor of shape (B,), or (B, max_length) for lists; and, where
        the inputs have them, `label` and `day` of shape (B,).
    """
    features = FeatureTable.from_json(custom_config["features"])
    outputs = {}
    for feature in features.features:
        raw = inputs[feature.name]
        if feature.kind == "ids":
            outputs[feature.name] = _encode_lists(raw, feature, features, custom_config)
        elif feature.kind == "id":
            rows = _encode_ids(
                _scalar(raw, ""), feature, features, custom_config, MISSING_ROW
            )
            outputs[feature.name] = rows
        elif feature.kind == "count":
            outputs[feature.name] = encode_counts(_scalar(raw, -1), feature.buckets)
        else:
            outputs[feature.name] = encode_rates(_scalar(raw, -1.0), feature.buckets)
    for name in (LABEL, DAY):
        if name in inputs:
            outputs[name] = _scalar(inputs[name], -1)
    return outputs


def _scalar(raw: tf.SparseTensor, missing: Any) -> tf.Tensor:
    """Returns the first value of each row, `missing` where there is none: (B,)."""
    first = tf.sparse.slice(raw, [0, 0], [raw.dense_shape[0], 1])
    dense = tft.sparse_tensor_to_dense_with_shape(first, [None, 1], missing)
    return tf.squeeze(dense, axis=1)


def _encode_lists(
    raw: tf.SparseTensor,
    feature: Feature,
    features: FeatureTable,
    custom_config: dict[str, Any],
) -> tf.Tensor:
    length = feature.max_length
    kept = tf.sparse.slice(raw, [0, 0], [raw.dense_shape[0], length])
    dense = tft.sparse_tensor_to_dense_with_shape(kept, [None, length], "")
    return _encode_ids(dense, feature, features, custom_config, PADDING_ROW)


def _encode_ids(
    ids: tf.Tensor,
    feature: Feature,
    features: FeatureTable,
    custom_config: dict[str, Any],
    empty_row: int,
) -> tf.Tensor:
    space: IdSpace = features.vocabularies[feature.table]
    rows = (
        tf.strings.to_hash_bucket_fast(ids, space.capacity) + FIRST_OOV_ROW
        if space.hashed
        else _vocabulary_rows(ids, feature, space, custom_config)
    )
    return tf.where(tf.equal(ids, ""), tf.constant(empty_row, tf.int64), rows)


def _vocabulary_rows(
    ids: tf.Tensor, feature: Feature, space: IdSpace, custom_config: dict[str, Any]
) -> tf.Tensor:
    path = ids_path(custom_config["vocabulary_uri"], feature.table)
    if path.stat().st_size == 0:
        # TensorFlow cannot make a table of an empty file.
        position = tf.fill(tf.shape(ids), tf.constant(-1, tf.int64))
    else:
        position = tft.apply_vocabulary(
            ids, str(path), default_value=-1, name=f"{feature.name}_rows"
        )
    bucket = tf.strings.to_hash_bucket_fast(ids, space.oov_buckets)
    return tf.where(
        position >= 0, position + space.first_id_row, bucket + FIRST_OOV_ROW
    )


def encode_counts(counts: tf.Tensor, buckets: int) -> tf.Tensor:
    """Returns row `2 + floor(log2(1 + count))`, at most `buckets` values; (B,)."""
    # Compared as integers: log() is off by a bucket just below large powers of two.
    firsts = tf.constant([2**k - 1 for k in range(1, min(buckets, 64))], tf.int64)
    reached = tf.cast(tf.expand_dims(counts, -1) >= firsts, tf.int64)  # (B, buckets-1)
    rows = tf.reduce_sum(reached, axis=-1) + FIRST_OOV_ROW
    return tf.where(counts < 0, tf.constant(MISSING_ROW, tf.int64), rows)


def encode_rates(rates: tf.Tensor, buckets: int) -> tf.Tensor:
    """Returns row `2 + floor(rate * buckets)`, at most `buckets` values; (B,)."""
    known = rates >= 0  # false for NaN too
    # Capped before the cast, which makes a large float a negative integer.
    capped = tf.where(known, tf.minimum(rates, 1.0), 0.0)
    bucket = tf.cast(capped * buckets, tf.int64)
    rows = tf.minimum(bucket, buckets - 1) + FIRST_OOV_ROW
    return tf.where(known, rows, tf.constant(MISSING_ROW, tf.int64))
