"""MMoE: experts shared by all domains, one gate and one tower per domain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from models.layers.mlp import NormalisedStack
from models.networks.multi_domain.body import TowerBody
from models.networks.multi_domain.body import name_variables
from models.networks.multi_domain.experts import Experts
from models.networks.multi_domain.experts import Gate
from models.networks.multi_domain.experts import expert_units
from models.settings import ExpertsConfig
from models.settings import NetworkConfig


class Mmoe(TowerBody):
    """`logit_k = tower_k(sum_e softmax(x W_k)_e expert_e(x))`; a task is a domain.

    The experts replace the last hidden layer but one; the layers before it are shared
    (our choice).

    References:
        Ma et al., Modeling Task Relationships in Multi-task Learning with Multi-gate
        Mixture-of-Experts, KDD'18, multi-gate mixture-of-experts.
    """

    def __init__(
        self,
        domains: Sequence[str],
        network: NetworkConfig,
        experts: ExpertsConfig,
        **kwargs: Any,
    ) -> None:
        super().__init__(domains, network, network.hidden_units[:-2], **kwargs)
        self.experts = Experts(experts.shared, expert_units(network), network)
        self.gates = [Gate(experts.shared) for _ in self.domains]

    def shared(self, inputs: Any, training: bool) -> Any:
        """Returns the gates' input (B, width) and the experts (B, E, U)."""
        inputs = self.below(inputs, training)
        return {"inputs": inputs, "experts": self.experts(inputs, training=training)}

    def logit(self, shared: Any, index: int, training: bool) -> Any:
        """Returns the tower's logits (B,)."""
        mixed = self.gates[index].mix(shared["inputs"], shared["experts"])
        return self.towers[index](mixed, training=training)

    def stages(self) -> list[list[NormalisedStack]]:
        """Returns the layers before the experts, if any, and the experts."""
        return [*super().stages(), [self.experts.mlp]]

    def named_variables(self) -> dict[str, Any]:
        """Returns `bottom/...`, `experts/...`, `gate/<domain>/...` and the towers'."""
        parts: dict[str, Any] = {"experts": self.experts}
        for domain, gate in zip(self.domains, self.gates, strict=True):
            parts[f"gate/{domain}"] = gate
        return {**name_variables(parts), **super().named_variables()}
