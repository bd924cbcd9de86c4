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
    """Keys of an entry of kind `composed`, which has no parts by default.

    Attributes:
        snapshots: Number of TPM periods to read.
        pooling: Pooling of the snapshots into one vector; defaults to
            `network.snapshot_pooling`.
        hide_newer_snapshots: Whether an impression is denied, while training, the
            snapshots of periods that ended after its day; defaults to
            `network.hide_newer_snapshots`.
        warm_start: Whether the target starts from CPM.
        load_batch_norm: Whether CPM's BatchNorm is loaded too.
        source_impressions: `none`; `all`, with equal weights; or `weighted`, as in
            CCTL.
        cctl: Weighting of source impressions.
        source_model: Adapter to the layers of a frozen source model: `glu`, `gate` or
            `linear`; no source model by default.
        reload: Whether the newest source model is read each day.
    """

    snapshots: int = Field(default=0, ge=0)
    pooling: Pooling | None = None
    hide_newer_snapshots: bool | None = None
    warm_start: bool = False
    load_batch_norm: bool = False
    source_impressions: Literal["none", "all", "weighted"] = "none"
    cctl: CctlConfig = CctlConfig()
    source_model: AdapterKind | None = None
    reload: bool = True


class Composed(PartsStrategy[ComposedConfig]):
    """Combination of the transfer parts that an entry names."""

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
            snapshots=Snapshots(
                config.snapshots, config.pooling, config.hide_newer_snapshots
            ),
            cpm=CpmStart(config.load_batch_norm) if config.warm_start else None,
            source_impressions=impressions,
            source_model=None
            if config.source_model is None
            else SourceModel(config.source_model, config.reload),
        )
