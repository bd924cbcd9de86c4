"""Kind `rate`: a float in [0, 1], bucketed evenly."""

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
    """A share; NaN or a negative number is missing."""

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
        """Returns the bucket's row: (B,)."""
        return encode_rates(tools.first_values(raw, -1.0), feature.buckets)

    def limit(self, declared: Any, feature: Feature) -> None:
        """Forbids what lies outside [0, 1], and NaN."""
        declared.float_domain.min, declared.float_domain.max = 0.0, 1.0
        declared.float_domain.disallow_nan = True


def encode_rates(rates: Any, buckets: int) -> Any:
    """Returns row `2 + floor(rate * buckets)`, at most `buckets` values; (B,)."""
    import tensorflow as tf

    known = rates >= 0  # false for NaN too
    # Capped before the cast, which makes a large float a negative integer.
    capped = tf.where(known, tf.minimum(rates, 1.0), 0.0)
    bucket = tf.cast(capped * buckets, tf.int64)
    rows = tf.minimum(bucket, buckets - 1) + FIRST_OOV_ROW
    return tf.where(known, rows, tf.constant(MISSING_ROW, tf.int64))
