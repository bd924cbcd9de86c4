"""PLE: shared and domain-specific experts in levels of extraction, and towers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tf_keras as keras

from models.layers.mlp import NormalisedStack
from models.networks.multi_domain.body import TowerBody
from models.networks.multi_domain.body import name_variables
from models.networks.multi_domain.experts import Experts
from models.networks.multi_domain.experts import Gate
from models.networks.multi_domain.experts import expert_units
from models.settings import ExpertsConfig
from models.settings import NetworkConfig


class Ple(TowerBody):
    """Levels of extraction that separate shared from domain-specific knowledge.

    At each level a domain's gate mixes its own experts with the shared ones. Below the
    last level another gate mixes the experts of all domains into the input of the next
    level's shared experts. At the last level no expert of another domain is used.
    Hidden layers before the experts are shared (our choice).

    References:
        Tang et al., Progressive Layered Extraction (PLE), RecSys'20, customized gate
        control and progressive layered extraction.
    """

    def __init__(
        self,
        domains: Sequence[str],
        network: NetworkConfig,
        experts: ExpertsConfig,
        **kwargs: Any,
    ) -> None:
        super().__init__(domains, network, network.hidden_units[:-2], **kwargs)
        last = experts.levels - 1
        self.levels = [
            ExtractionLevel(self.domains, network, experts, with_shared_gate=i < last)
            for i in range(experts.levels)
        ]

    def shared(self, inputs: Any, training: bool) -> Any:
        """Returns inputs and experts of the last level, see `ExtractionLevel`."""
        inputs = self.below(inputs, training)
        own, common = [inputs] * len(self.domains), inputs
        for level in self.levels[:-1]:
            found = level.extract(own, common, training)
            own = [level.mix(found, k) for k in range(len(self.domains))]
            common = level.mix_all(found)
        return self.levels[-1].extract(own, common, training)

    def logit(self, shared: Any, index: int, training: bool) -> Any:
        """Returns the tower's logits (B,)."""
        mixed = self.levels[-1].mix(shared, index)
        return self.towers[index](mixed, training=training)

    def stages(self) -> list[list[NormalisedStack]]:
        """Returns the shared layers, if any, and the experts of each level."""
        experts = [[level.common, *level.own] for level in self.levels]
        return [*super().stages(), *([part.mlp for part in level] for level in experts)]

    def named_variables(self) -> dict[str, Any]:
        """Returns `bottom/...`, `level_0/...` and the towers' variables."""
        parts = {f"level_{i}": level for i, level in enumerate(self.levels)}
        return {**name_variables(parts), **super().named_variables()}


class ExtractionLevel(keras.layers.Layer):
    """One level: experts of each domain, shared experts, and gates.

    Args:
        domains: The domains.
        network: Sizes of the network.
        experts: Numbers of shared and domain-specific experts.
        with_shared_gate: Whether all experts are mixed for the next level.
    """

    def __init__(
        self,
        domains: Sequence[str],
        network: NetworkConfig,
        experts: ExpertsConfig,
        *,
        with_shared_gate: bool,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        units = expert_units(network)
        self.domains = tuple(domains)
        self.own = [Experts(experts.own, units, network) for _ in self.domains]
        self.common = Experts(experts.shared, units, network)
        self.gates = [Gate(experts.own + experts.shared) for _ in self.domains]
        every = experts.own * len(self.domains) + experts.shared
        self.shared_gate = Gate(every) if with_shared_gate else None

    def extract(self, own: Sequence[Any], common: Any, training: bool) -> Any:
        """Computes the experts.

        Args:
            own: Inputs of each domain's experts and gate, (B, width) each.
            common: Input of the shared experts and their gate, (B, width).
            training: Whether the network is training.

        Returns:
            The inputs, and the domains' and the shared experts, (B, E, U) each.
        """
        return {
            "inputs": [*own, common],
            "own": [
                experts(inputs, training=training)
                for experts, inputs in zip(self.own, own, strict=True)
            ],
            "common": self.common(common, training=training),
        }

    def mix(self, found: Any, index: int) -> Any:
        """Returns the mixture of domain `index`: own and shared experts, (B, U)."""
        seen = tf.concat([found["own"][index], found["common"]], axis=1)
        return self.gates[index].mix(found["inputs"][index], seen)

    def mix_all(self, found: Any) -> Any:
        """Returns the input of the next level's shared experts, (B, U)."""
        if self.shared_gate is None:
            raise ValueError("the last level has no gate over all experts")
        seen = tf.concat([*found["own"], found["common"]], axis=1)
        return self.shared_gate.mix(found["inputs"][-1], seen)

    def named_variables(self) -> dict[str, Any]:
        """Returns e.g. `own/<domain>/hidden_0/kernel` and `gate/<domain>/kernel`."""
        parts: dict[str, Any] = {"common": self.common}
        for i, domain in enumerate(self.domains):
            parts[f"own/{domain}"] = self.own[i]
            parts[f"gate/{domain}"] = self.gates[i]
        if self.shared_gate is not None:
            parts["shared_gate"] = self.shared_gate
        return name_variables(parts)
