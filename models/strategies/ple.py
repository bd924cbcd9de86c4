"""PLE: shared and domain-specific experts, in levels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from models.settings import NetworkConfig
from models.strategies.multi_domain import MultiDomainStrategy
from models.strategies.multi_domain import WithExperts

if TYPE_CHECKING:
    from models.networks.multi_domain.body import Body


class PleStrategy(MultiDomainStrategy[WithExperts]):
    """Baseline with shared and domain-specific experts.

    References:
        Tang et al., PLE, RecSys'20.
    """

    name = "ple"
    Config = WithExperts

    def body(self, domains: Sequence[str], network: NetworkConfig) -> Body:
        """Returns the levels of extraction and the towers."""
        from models.networks.multi_domain.ple import Ple

        return Ple(domains, network, self.config.experts)
