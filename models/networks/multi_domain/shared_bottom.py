"""Shared bottom: hidden layers shared by all domains, and a tower per domain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from models.networks.multi_domain.body import TowerBody
from models.settings import NetworkConfig


class SharedBottom(TowerBody):
    """All hidden layers but the last are shared.

    References:
        Caruana, Multitask Learning, Machine Learning 28, 1997. Ma et al., MMoE,
        KDD'18, shared-bottom model.
    """

    def __init__(
        self, domains: Sequence[str], network: NetworkConfig, **kwargs: Any
    ) -> None:
        super().__init__(domains, network, network.hidden_units[:-1], **kwargs)

    def shared(self, inputs: Any, training: bool) -> Any:
        """Returns the shared layers' output, (B, units)."""
        return self.below(inputs, training)

    def logit(self, shared: Any, index: int, training: bool) -> Any:
        """Returns the tower's logits (B,)."""
        return self.towers[index](shared, training=training)
