"""CTNet: a target model that continues daily beside a frozen source model."""

from __future__ import annotations

from pydantic import Field

from models.strategies.base import StrategyConfig
from models.strategies.parts import AdapterKind
from models.strategies.parts import Parts
from models.strategies.parts import PartsStrategy
from models.strategies.parts import Pooling
from models.strategies.parts import Snapshots
from models.strategies.parts import SourceModel


class CtnetEntryConfig(StrategyConfig):
    """Keys of an entry of kind `ctnet`.

    Attributes:
        snapshots: TPM periods that the target tower reads too; 0, as the published
            method has none.
        pooling: How the snapshots become one vector; defaults to
            `network.snapshot_pooling`.
        adapter: How a layer of the source model is read: `glu`, the published gated
            linear unit, `gate` or `linear`.
        reload: Whether the newest source model is read each day; false is the ablation
            in which the first one stays.
    """

    snapshots: int = Field(default=0, ge=0)
    pooling: Pooling | None = None
    adapter: AdapterKind = "glu"
    reload: bool = True


class CtnetStrategy(PartsStrategy[CtnetEntryConfig]):
    """Continual transfer from a source model that evolves on its own clock.

    References:
        Liu et al., CTNet, arXiv 2208.05728.
    """

    name = "ctnet"
    Config = CtnetEntryConfig

    def parts(self) -> Parts:
        """Returns the source model, and snapshots if the entry names a number."""
        return Parts(
            snapshots=Snapshots(self.config.snapshots, self.config.pooling),
            source_model=SourceModel(self.config.adapter, self.config.reload),
        )
