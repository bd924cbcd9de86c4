"""Shared bottom: hidden layers of all domains, then a tower of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from models.layers.mlp import Mlp
from models.layers.mlp import NormalisedStack
from models.multi_domain.body import TowerBody
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
        super().__init__(domains, network, **kwargs)
        self.bottom = Mlp(network.hidden_units[:-1], network.dropout)

    def shared(self, inputs: Any, training: bool) -> Any:
        """Returns the shared layers' output, (B, units)."""
        return self.bottom(inputs, training=training)

    def logit(self, shared: Any, index: int, training: bool) -> Any:
        """Returns the tower's logits (B,)."""
        return self.towers[index](shared, training=training)

    def stages(self) -> list[list[NormalisedStack]]:
        """Returns the shared layers."""
        return [[self.bottom]]

    def named_variables(self) -> dict[str, Any]:
        """Returns `bottom/...` and the towers' variables."""
        bottom = self.bottom.named_variables()
        return {
            **{f"bottom/{name}": variable for name, variable in bottom.items()},
            **super().named_variables(),
        }
