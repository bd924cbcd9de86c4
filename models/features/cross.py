"""Kind `cross`: a pair or triple of ids as one value, in hash buckets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from models.features.kind import FIRST_OOV_ROW
from models.features.kind import MISSING_ROW
from models.features.kind import FeatureKind

# Pairs of features with some dozen values, of which few then share a bucket.
DEFAULT_BUCKETS = 16_384
MOST_PARTS = 3


class CrossKind(FeatureKind):
    """Combination of two or three features of kind `id`; logs and requests lack it.

    It is computed from the table rows of its parts, which no id ever changes, so that a
    combination has the same bucket on all days, in training and in serving.
    """

    name = "cross"
    own_keys = frozenset({"of", "buckets"})
    is_derived = True
    tensor_type = "int64"
    missing = -1
    json_types = ()


def cross_rows(parts: Sequence[Any], buckets: int) -> Any:
    """Returns the table rows of combinations, int64 (B,).

    Args:
        parts: Table rows of each part, int64 of shape (B,), or (1,) for one that is the
            same for all.
        buckets: Number of hash buckets.

    Returns:
        `MISSING_ROW` where a part is missing.
    """
    import tensorflow as tf

    # Zeros of the shape of all parts together: strings of (1,) and (B,) cannot be
    # joined.
    zeros = sum(parts[1:], parts[0]) * 0
    text = tf.strings.join([tf.strings.as_string(part + zeros) for part in parts], " ")
    rows = tf.strings.to_hash_bucket_fast(text, buckets) + FIRST_OOV_ROW
    known = tf.reduce_all(tf.stack([part + zeros for part in parts]) > MISSING_ROW, 0)
    return tf.where(known, rows, tf.constant(MISSING_ROW, tf.int64))
