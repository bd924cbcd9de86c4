"""Base class of the kinds `count`, `rate` and `number`: a bucket's row and a value."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING
from typing import Any

from models.features.kind import FIRST_OOV_ROW
from models.features.kind import MISSING_ROW
from models.features.kind import EncodingTools
from models.features.kind import FeatureKind
from models.features.kind import value_column
from models.features.number_statistics import CLIP
from models.features.number_statistics import NumberStatistics

if TYPE_CHECKING:
    import pyarrow as pa

    from models.features.feature import Feature


class NumericKind(FeatureKind):
    """One number: the table row of its quantile bucket, and its standardised value.

    Boundaries, mean and deviation are those of the first block of days, so that a
    number means the same on all days. A missing or unusable number has `MISSING_ROW`
    and the value 0.
    """

    has_value = True
    own_keys = frozenset({"buckets", "side"})

    def usable(self, numbers: Any) -> Any:
        """Returns which float64 numbers stand for a value; bool, same shape."""
        raise NotImplementedError

    def present(self, values: Any) -> Any:
        """Returns which values of a dense raw tensor are not missing; same shape."""
        import tensorflow as tf

        return self.usable(tf.cast(values, tf.float64))

    def bounded(self, numbers: Any) -> Any:
        """Returns usable numbers inside the kind's range."""
        return numbers

    def scaled(self, numbers: Any) -> Any:
        """Returns the numbers that mean and deviation are of."""
        return numbers

    def encode(
        self, raw: Any, feature: Feature, tools: EncodingTools
    ) -> dict[str, Any]:
        """Returns the bucket's table row and the standardised value, both (B,)."""
        import tensorflow as tf

        first = tf.cast(tools.first_values(raw, self.missing), tf.float64)
        rows, values = self.encoded(first, tools.statistics(feature))
        return {feature.name: rows, value_column(feature.name): values}

    def encoded(self, numbers: Any, found: NumberStatistics) -> tuple[Any, Any]:
        """Returns table rows (B,) and standardised values (B,) of float64 numbers."""
        import tensorflow as tf

        usable = self.usable(numbers)
        known = self.bounded(tf.where(usable, numbers, tf.zeros_like(numbers)))
        ends = tf.constant([*found.boundaries, math.inf], tf.float64)
        rows = tf.searchsorted(ends, known, side="right", out_type=tf.int64)
        scaled = (self.scaled(known) - found.mean[0]) / found.deviation[0]
        values = tf.cast(tf.clip_by_value(scaled, -CLIP, CLIP), tf.float32)
        return (
            tf.where(usable, rows + FIRST_OOV_ROW, tf.constant(MISSING_ROW, tf.int64)),
            tf.where(usable, values, tf.zeros_like(values)),
        )


class FloatKind(NumericKind):
    """Base class of the kinds `rate` and `number`: floats; NaN means missing."""

    tensor_type = "float32"
    missing = float("nan")
    json_types = (int, float)

    def arrow_type(self) -> pa.DataType:
        """Returns 32-bit floats."""
        import pyarrow as pa

        return pa.float32()

    def parsed_type(self) -> pa.DataType:
        """Returns 64-bit floats: logs are read before they are rounded."""
        import pyarrow as pa

        return pa.float64()
