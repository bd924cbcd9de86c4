"""Kind `count`: a non-negative integer, bucketed by its base-2 logarithm."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from models.features.kind import FIRST_OOV_ROW
from models.features.kind import MISSING_ROW
from models.features.kind import EncodingTools
from models.features.kind import FeatureKind

if TYPE_CHECKING:
    import pyarrow as pa

    from models.features.feature import Feature


class CountKind(FeatureKind):
    """Non-negative integer; a negative value means missing."""

    name = "count"
    tensor_type = "int64"
    missing = -1
    example = 3
    json_types = (int,)

    def arrow_type(self) -> pa.DataType:
        """Returns 64-bit integers."""
        import pyarrow as pa

        return pa.int64()

    def encode(self, raw: Any, feature: Feature, tools: EncodingTools) -> Any:
        """Returns the bucket's table row, (B,)."""
        return encode_counts(tools.first_values(raw, -1), feature.buckets)

    def limit(self, declared: Any, feature: Feature) -> None:
        """Forbids negative numbers."""
        declared.int_domain.min = 0


def encode_counts(counts: Any, buckets: int) -> Any:
    """Returns `2 + floor(log2(1 + count))`, clipped to the buckets; (B,)."""
    import tensorflow as tf

    # Integer comparisons: log() can be off by one just below large powers of two.
    firsts = tf.constant([2**k - 1 for k in range(1, min(buckets, 64))], tf.int64)
    reached = tf.cast(tf.expand_dims(counts, -1) >= firsts, tf.int64)  # (B, buckets-1)
    rows = tf.reduce_sum(reached, axis=-1) + FIRST_OOV_ROW
    return tf.where(counts < 0, tf.constant(MISSING_ROW, tf.int64), rows)
