"""Shared bottom: all hidden layers but the last are shared by the domains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from models.settings import NetworkConfig
from models.strategies.base import StrategyConfig
from models.strategies.multi_domain import MultiDomainStrategy

if TYPE_CHECKING:
    from models.networks.multi_domain.body import Body


class SharedBottomStrategy(MultiDomainStrategy[StrategyConfig]):
    """Baseline that shares all hidden layers but the last.

    References:
        Caruana, Multitask Learning, 1997.
    """

    name = "shared_bottom"

    def body(self, domains: Sequence[str], network: NetworkConfig) -> Body:
        """Returns the shared layers and a tower per domain."""
        from models.networks.multi_domain.shared_bottom import SharedBottom

        return SharedBottom(domains, network)
