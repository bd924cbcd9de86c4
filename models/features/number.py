"""Kind `number`: any finite float."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from models.features.numeric import NumericKind

if TYPE_CHECKING:
    import pyarrow as pa

    from models.features.feature import Feature


class NumberKind(NumericKind):
    """Float of either sign, such as a price; NaN and infinity mean missing."""

    name = "number"
    tensor_type = "float32"
    missing = float("nan")
    example = 1.5
    json_types = (int, float)

    def arrow_type(self) -> pa.DataType:
        """Returns 32-bit floats."""
        import pyarrow as pa

        return pa.float32()

    def parsed_type(self) -> pa.DataType:
        """Returns 64-bit floats: logs are read before they are rounded."""
        import pyarrow as pa

        return pa.float64()

    def usable(self, numbers: Any) -> Any:
        """Returns which numbers are finite."""
        import tensorflow as tf

        return tf.math.is_finite(numbers)

    def limit(self, declared: Any, feature: Feature) -> None:
        """Forbids NaN and infinity."""
        declared.float_domain.disallow_nan = True
        declared.float_domain.disallow_inf = True
