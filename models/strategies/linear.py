"""Linear: logistic regression, trained and served like any strategy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.strategies.base import Needs
from models.strategies.base import NetworkContext
from models.strategies.base import Strategy
from models.strategies.base import StrategyConfig

if TYPE_CHECKING:
    from models.networks.network import Network


class LinearConfig(StrategyConfig):
    """Keys of an entry of kind `linear`.

    Attributes:
        sources: Whether the sources' impressions are trained on, too.
    """

    sources: bool = False


class Linear(Strategy[LinearConfig]):
    """Baseline without a network: the wide part alone, by FTRL."""

    name = "linear"
    Config = LinearConfig

    def needs(self, tpm_periods: int) -> Needs:  # noqa: ARG002 (reads no snapshots)
        """Returns the sources' impressions, if they are read."""
        return Needs(source_impressions=self.config.sources)

    def build(self, context: NetworkContext) -> Network:
        """Returns the linear network."""
        from models.networks.linear import LinearNetwork

        return LinearNetwork(context.features)
