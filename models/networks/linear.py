"""Linear network: the wide part alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.features.table import FeatureTable
from models.networks.network import Network


class LinearNetwork(Network):
    """Logistic regression on ids, value buckets, crosses and numbers.

    Args:
        features: All features.

    References:
        McMahan et al., Ad Click Prediction: a View from the Trenches, KDD'13.
    """

    def __init__(self, features: FeatureTable) -> None:
        super().__init__(features, width=1, name="wide_alone")
        self.add_shallow_parts(wide=True)
        self.bias = self.add_weight("bias", shape=(1,), initializer="zeros")
        self.create_variables()

    def call(self, rows: Mapping[str, Any], training: bool = False) -> Any:  # noqa: ARG002
        """Returns logits (B,) for table rows of shape (B,) or (B, L)."""
        return self.with_shallow_parts(self.bias, rows, {})

    def named_variables(self) -> dict[str, Any]:
        """Returns every variable by name."""
        return {**super().named_variables(), "logit/bias": self.bias}
