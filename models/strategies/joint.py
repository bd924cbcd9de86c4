"""Joint: the backbone on the impressions of all domains, mixed."""

from __future__ import annotations

from models.strategies.base import StrategyConfig
from models.strategies.parts import Parts
from models.strategies.parts import PartsStrategy
from models.strategies.parts import SourceImpressions


class Joint(PartsStrategy[StrategyConfig]):
    """Baseline that trains on the impressions of all domains with equal weights."""

    name = "joint"

    def parts(self) -> Parts:
        """Returns the sources' impressions."""
        return Parts(source_impressions=SourceImpressions())
