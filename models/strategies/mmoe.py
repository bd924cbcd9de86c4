"""MMoE: shared experts, mixed by a gate per domain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from models.settings import NetworkConfig
from models.strategies.multi_domain import MultiDomainStrategy
from models.strategies.multi_domain import WithExperts

if TYPE_CHECKING:
    from models.networks.multi_domain.body import Body


class MmoeStrategy(MultiDomainStrategy[WithExperts]):
    """Baseline with shared experts and a gate per domain.

    References:
        Ma et al., MMoE, KDD'18.
    """

    name = "mmoe"
    Config = WithExperts

    def body(self, domains: Sequence[str], network: NetworkConfig) -> Body:
        """Returns the experts, gates and towers."""
        from models.networks.multi_domain.mmoe import Mmoe

        return Mmoe(domains, network, self.config.experts)
