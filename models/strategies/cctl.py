"""CCTL: source impressions beside the target's, each with its own weight."""

from __future__ import annotations

from typing import Any

from models.settings import CctlConfig
from models.strategies.base import StrategyConfig
from models.strategies.parts import Parts
from models.strategies.parts import PartsStrategy
from models.strategies.parts import WeightedSourceImpressions


class CctlEntryConfig(StrategyConfig):
    """Keys of an entry of kind `cctl`.

    Attributes:
        cctl: Mixing and weighting of source impressions, see `CctlConfig`.
    """

    cctl: CctlConfig = CctlConfig()


class Cctl(PartsStrategy[CctlEntryConfig]):
    """Companion network whose mixed tower learns from weighted source impressions.

    References:
        Zhang et al., CCTL, KDD'23, arXiv 2306.16425.
    """

    name = "cctl"
    Config = CctlEntryConfig

    def parts(self) -> Parts:
        """Returns the weighted source impressions."""
        return Parts(source_impressions=WeightedSourceImpressions(self.config.cctl))

    def controls(self) -> dict[str, dict[str, Any]]:
        """Returns the same with all weights 1, and with all weights 0."""
        return {
            name: {"cctl": {**self.config.cctl.model_dump(), "estimator": estimator}}
            for name, estimator in (("equal", "uniform"), ("zero", "zero"))
        }
