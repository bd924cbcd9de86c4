"""Target only: the backbone on the target's impressions alone."""

from __future__ import annotations

from models.strategies.base import StrategyConfig
from models.strategies.parts import PartsStrategy


class TargetOnly(PartsStrategy[StrategyConfig]):
    """Baseline without any use of source domains."""

    name = "target_only"
