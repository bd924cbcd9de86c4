"""CTNet: a target model that is continued daily beside a frozen source model."""

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
        snapshots: Number of TPM periods that the target tower also reads; 0 by default,
            as in the published method.
        pooling: Pooling of the snapshots into one vector; defaults to
            `network.snapshot_pooling`.
        hide_newer_snapshots: Whether an impression is denied, while training, the
            snapshots of periods that ended after its day; defaults to
            `network.hide_newer_snapshots`.
        adapter: Adapter to the layers of the source model: `glu`, the published gated
            linear unit, `gate` or `linear`.
        reload: Whether the newest source model is read each day; false is the ablation
            that keeps the first one.
    """

    snapshots: int = Field(default=0, ge=0)
    pooling: Pooling | None = None
    hide_newer_snapshots: bool | None = None
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
        """Returns the source model, and the snapshots if the entry asks for any."""
        return Parts(
            snapshots=Snapshots(
                self.config.snapshots,
                self.config.pooling,
                self.config.hide_newer_snapshots,
            ),
            source_model=SourceModel(self.config.adapter, self.config.reload),
        )
