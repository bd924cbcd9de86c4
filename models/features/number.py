"""Kind `number`: any finite float."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from models.features.numeric import FloatKind

if TYPE_CHECKING:
    from models.features.feature import Feature


class NumberKind(FloatKind):
    """Float of either sign, such as a price; NaN and infinity mean missing."""

    name = "number"
    example = 1.5

    def usable(self, numbers: Any) -> Any:
        """Returns which numbers are finite."""
        import tensorflow as tf

        return tf.math.is_finite(numbers)

    def limit(self, declared: Any, feature: Feature) -> None:
        """Forbids NaN and infinity."""
        declared.float_domain.disallow_nan = True
        declared.float_domain.disallow_inf = True
