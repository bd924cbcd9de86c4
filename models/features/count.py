"""Kind `count`: a non-negative integer."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from models.features.numeric import NumericKind

if TYPE_CHECKING:
    import pyarrow as pa

    from models.features.feature import Feature


class CountKind(NumericKind):
    """Non-negative integer, standardised as `log(1 + count)`; below 0 is missing."""

    name = "count"
    low = 0.0
    tensor_type = "int64"
    missing = -1
    example = 3
    json_types = (int,)

    def arrow_type(self) -> pa.DataType:
        """Returns 64-bit integers."""
        import pyarrow as pa

        return pa.int64()

    def usable(self, numbers: Any) -> Any:
        """Returns which numbers are not negative."""
        return numbers >= 0

    def scaled(self, numbers: Any) -> Any:
        """Returns `log(1 + count)`."""
        import tensorflow as tf

        return tf.math.log1p(numbers)

    def limit(self, declared: Any, feature: Feature) -> None:
        """Forbids negative numbers."""
        declared.int_domain.min = 0
