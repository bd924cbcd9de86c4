"""Kind `rate`: a float in [0, 1], in buckets of equal width."""

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


class RateKind(FeatureKind):
    """Float in [0, 1]; NaN or a negative value means missing."""

    name = "rate"
    tensor_type = "float32"
    missing = float("nan")
    example = 0.25
    json_types = (int, float)

    def arrow_type(self) -> pa.DataType:
        """Returns 32-bit floats."""
        import pyarrow as pa

        return pa.float32()

    def parsed_type(self) -> pa.DataType:
        """Returns 64-bit floats: logs are read before they are rounded."""
        import pyarrow as pa

        return pa.float64()

    def encode(self, raw: Any, feature: Feature, tools: EncodingTools) -> Any:
        """Returns the bucket's table row, (B,)."""
        return encode_rates(tools.first_values(raw, -1.0), feature.buckets)

    def limit(self, declared: Any, feature: Feature) -> None:
        """Forbids NaN and values outside [0, 1]."""
        declared.float_domain.min, declared.float_domain.max = 0.0, 1.0
        declared.float_domain.disallow_nan = True


def encode_rates(rates: Any, buckets: int) -> Any:
    """Returns `2 + floor(rate * buckets)`, clipped to the buckets; (B,)."""
    import tensorflow as tf

    known = rates >= 0  # false for NaN too
    # Clipped before the cast, which would turn a large float into a negative integer.
    capped = tf.where(known, tf.minimum(rates, 1.0), 0.0)
    bucket = tf.cast(capped * buckets, tf.int64)
    rows = tf.minimum(bucket, buckets - 1) + FIRST_OOV_ROW
    return tf.where(known, rows, tf.constant(MISSING_ROW, tf.int64))
