"""Kind `vector`: floats of a fixed number, such as the embedding of a text or image."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from models.features.kind import FIRST_OOV_ROW
from models.features.kind import MISSING_ROW
from models.features.kind import EncodingTools
from models.features.kind import FeatureKind
from models.features.kind import value_column
from models.features.number_statistics import CLIP

if TYPE_CHECKING:
    import pyarrow as pa

    from models.features.feature import Feature


class VectorKind(FeatureKind):
    """Dense vector of `length` floats, standardised element by element.

    A vector is used whole or not at all: of another length, or with NaN or infinity in
    it, it is missing. Its table row only tells present from missing.
    """

    name = "vector"
    own_keys = frozenset({"length", "side"})
    has_value = True
    is_vector = True
    tensor_type = "float32"
    missing = float("nan")
    example = 0.25
    json_types = (list,)

    def arrow_type(self) -> pa.DataType:
        """Returns 32-bit floats."""
        import pyarrow as pa

        return pa.float32()

    def value_shape(self, feature: Feature) -> list[int]:
        """Returns the vector's length."""
        return [feature.length or 0]

    def num_rows(self, feature: Feature) -> int:
        """Returns padding, missing and present."""
        del feature
        return FIRST_OOV_ROW + 1

    def encode(
        self, raw: Any, feature: Feature, tools: EncodingTools
    ) -> dict[str, Any]:
        """Returns whether there is a vector, (B,), and its elements, (B, length)."""
        import tensorflow as tf

        found = tools.statistics(feature)
        vectors = tools.vectors(raw, feature.length or 0)  # (B, length)
        usable = tf.reduce_all(tf.math.is_finite(vectors), axis=1)  # (B,)
        known = tf.where(usable[:, tf.newaxis], vectors, tf.zeros_like(vectors))
        scaled = (tf.cast(known, tf.float64) - found.mean) / found.deviation
        values = tf.cast(tf.clip_by_value(scaled, -CLIP, CLIP), tf.float32)
        present = tf.fill(tf.shape(usable), tf.constant(FIRST_OOV_ROW, tf.int64))
        return {
            feature.name: tf.where(usable, present, tf.cast(MISSING_ROW, tf.int64)),
            value_column(feature.name): tf.where(
                usable[:, tf.newaxis], values, tf.zeros_like(values)
            ),
        }

    def present(self, values: Any) -> Any:
        """Keeps all elements in their places: `encode` finds those that are missing."""
        import tensorflow as tf

        return tf.ones_like(values, tf.bool)

    def limit(self, declared: Any, feature: Feature) -> None:
        """Limits the number of values, and forbids NaN and infinity."""
        # A missing vector is an empty list; ingest admits no other length.
        declared.value_count.min = 0
        declared.value_count.max = feature.length or 0
        declared.float_domain.disallow_nan = True
        declared.float_domain.disallow_inf = True
