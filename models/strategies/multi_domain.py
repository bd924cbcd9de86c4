"""Base class of the strategies whose network has domain-specific parts."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

from models.features.table import FeatureTable
from models.settings import ExpertsConfig
from models.settings import NetworkConfig
from models.strategies.base import ConfigT
from models.strategies.base import Needs
from models.strategies.base import NetworkContext
from models.strategies.base import Strategy
from models.strategies.base import StrategyConfig
from models.strategies.parts import check_tells_domains_apart

if TYPE_CHECKING:
    from models.networks.multi_domain.body import Body
    from models.networks.network import Network
    from models.training.window import LevelWindow


class WithExperts(StrategyConfig):
    """Keys of an entry of a strategy with experts.

    Attributes:
        experts: Numbers of experts, see `ExpertsConfig`.
    """

    experts: ExpertsConfig = ExpertsConfig()


class MultiDomainStrategy(Strategy[ConfigT]):
    """Strategy that trains a multi-domain network on the impressions of all domains.

    Attributes:
        least_layers: Smallest number of hidden layers, of which the last is
            domain-specific.
    """

    least_layers = 2

    def needs(self, tpm_periods: int) -> Needs:
        """Returns the sources' impressions."""
        return Needs(source_impressions=True)

    def check(self, features: FeatureTable, network: NetworkConfig) -> None:
        """Raises ValueError without a usable feature `domain` or enough layers."""
        check_tells_domains_apart(
            features, f"{self.name} has a part of each domain's own"
        )
        if len(network.hidden_units) < self.least_layers:
            raise ValueError(
                f"{self.name} makes the last hidden layer each domain's own and shares "
                "those before it; received network.hidden_units "
                f"{list(network.hidden_units)}, expected two or more"
            )

    def build(self, context: NetworkContext) -> Network:
        """Returns the network with this strategy's body."""
        from models.networks.multi_domain.network import MultiDomainNetwork

        return MultiDomainNetwork(
            context.features,
            context.network,
            self.body(context.domains, context.network),
            context.domain_rows(),
            name=self.name,
        )

    def select(self, window: LevelWindow) -> LevelWindow:
        """Returns the window; raises DataError for impressions of an unknown domain."""
        from models.training.window import check_domains_known

        check_domains_known(window, sources=False)
        return window

    @abstractmethod
    def body(self, domains: Sequence[str], network: NetworkConfig) -> Body:
        """Returns the layers between the interaction and the domains' logits."""
