"""Kind `rate`: a float in [0, 1]."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from models.features.numeric import FloatKind

if TYPE_CHECKING:
    from models.features.feature import Feature


class RateKind(FloatKind):
    """Float in [0, 1]; NaN or a negative value means missing, one above 1 means 1."""

    name = "rate"
    low, high = 0.0, 1.0
    example = 0.25

    def usable(self, numbers: Any) -> Any:
        """Returns which numbers are not negative; NaN is not usable."""
        return numbers >= 0

    def bounded(self, numbers: Any) -> Any:
        """Returns numbers that are at most 1."""
        import tensorflow as tf

        return tf.minimum(numbers, tf.ones_like(numbers))

    def limit(self, declared: Any, feature: Feature) -> None:
        """Forbids NaN and values outside [0, 1]."""
        declared.float_domain.min, declared.float_domain.max = self.low, self.high
        declared.float_domain.disallow_nan = True
