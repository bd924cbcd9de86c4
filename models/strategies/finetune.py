"""Fine-tuning: pretraining on the sources, then training on the target."""

from __future__ import annotations

from models.strategies.base import StrategyConfig
from models.strategies.parts import CpmStart
from models.strategies.parts import Parts
from models.strategies.parts import PartsStrategy


class FinetuneConfig(StrategyConfig):
    """Keys of an entry of kind `finetune`.

    Attributes:
        warm_start: Whether the target starts from CPM, the pretraining on the sources;
            false is the ablation without it.
    """

    warm_start: bool = True


class Finetune(PartsStrategy[FinetuneConfig]):
    """Baseline that starts from CPM, BatchNorm included, and reads no snapshots."""

    name = "finetune"
    Config = FinetuneConfig

    def parts(self) -> Parts:
        """Returns the warm start from CPM."""
        return Parts(cpm=CpmStart(batch_norm=True) if self.config.warm_start else None)
