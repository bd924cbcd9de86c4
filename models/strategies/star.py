"""STAR: each layer is a shared one multiplied by the domain's own weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from models.settings import NetworkConfig
from models.strategies.base import StrategyConfig
from models.strategies.multi_domain import MultiDomainStrategy

if TYPE_CHECKING:
    from models.networks.multi_domain.body import Body


class StarStrategy(MultiDomainStrategy[StrategyConfig]):
    """Baseline whose layers multiply shared weights by the domain's own.

    References:
        Sheng et al., STAR, CIKM'21, arXiv 2101.11427.
    """

    name = "star"
    least_layers = 1

    def body(self, domains: Sequence[str], network: NetworkConfig) -> Body:
        """Returns the star topology."""
        from models.networks.multi_domain.star import Star

        return Star(domains, network)
