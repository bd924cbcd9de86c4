"""Composed: any combination of the transfer parts, chosen in the configuration."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from models.settings import CctlConfig
from models.strategies.base import StrategyConfig
from models.strategies.parts import AdapterKind
from models.strategies.parts import CpmStart
from models.strategies.parts import Parts
from models.strategies.parts import PartsStrategy
from models.strategies.parts import Pooling
from models.strategies.parts import Snapshots
from models.strategies.parts import SourceImpressions
from models.strategies.parts import SourceModel
from models.strategies.parts import WeightedSourceImpressions


class ComposedConfig(StrategyConfig):
    """Keys of an entry of kind `composed`; by default it has no part at all.

    Attributes:
        snapshots: TPM periods to read; 0 for none.
        pooling: How the snapshots become one vector; defaults to
            `network.snapshot_pooling`.
        warm_start: Whether the target starts from CPM.
        load_batch_norm: Whether CPM's BatchNorm is loaded too.
        source_impressions: `none`; `all`, mixed alike; or `weighted`, as CCTL does.
        cctl: How source impressions are weighed.
        source_model: How a layer of a frozen source model is read, `glu`, `gate` or
            `linear`; none by default.
        reload: Whether the newest source model is read each day.
    """

    snapshots: int = Field(default=0, ge=0)
    pooling: Pooling | None = None
    warm_start: bool = False
    load_batch_norm: bool = False
    source_impressions: Literal["none", "all", "weighted"] = "none"
    cctl: CctlConfig = CctlConfig()
    source_model: AdapterKind | None = None
    reload: bool = True


class Composed(PartsStrategy[ComposedConfig]):
    """Strategy of our own: the parts that an entry names, together."""

    name = "composed"
    Config = ComposedConfig

    def parts(self) -> Parts:
        """Returns the parts that the entry names."""
        config = self.config
        impressions: SourceImpressions | None = None
        if config.source_impressions == "all":
            impressions = SourceImpressions()
        elif config.source_impressions == "weighted":
            impressions = WeightedSourceImpressions(config.cctl)
        return Parts(
            snapshots=Snapshots(config.snapshots, config.pooling),
            cpm=CpmStart(config.load_batch_norm) if config.warm_start else None,
            source_impressions=impressions,
            source_model=None
            if config.source_model is None
            else SourceModel(config.source_model, config.reload),
        )
