"""E-CDCTR: snapshots of TPM, and a warm start from CPM without its BatchNorm."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from models.strategies.base import StrategyConfig
from models.strategies.parts import CpmStart
from models.strategies.parts import Parts
from models.strategies.parts import PartsStrategy
from models.strategies.parts import Pooling
from models.strategies.parts import Snapshots

# Numbers of snapshots that `crossctr ablate` compares; the published one is 3.
ABLATED_PERIODS = (1, 3, 6)


class EcdctrConfig(StrategyConfig):
    """Keys of an entry of kind `ecdctr`; a variant differs in single keys.

    Attributes:
        snapshots: Number of TPM periods to read; defaults to `levels.tpm.snapshots`. 0
            is the ablation without TPM.
        warm_start: Whether the target starts from CPM; false is the ablation without
            CPM.
        load_batch_norm: Whether CPM's BatchNorm is loaded too. False by default, as
            E-CDCTR re-initialises it: the target's activations are distributed
            differently.
        pooling: Pooling of the snapshots into one vector, `attention` or `mean`;
            defaults to `network.snapshot_pooling`.
        hide_newer_snapshots: Whether an impression is denied, while training, the
            snapshots of periods that ended after its day; defaults to
            `network.hide_newer_snapshots`.
    """

    snapshots: int | None = Field(default=None, ge=0)
    warm_start: bool = True
    load_batch_norm: bool = False
    pooling: Pooling | None = None
    hide_newer_snapshots: bool | None = None


class Ecdctr(PartsStrategy[EcdctrConfig]):
    """Target model A-CTR, which starts from CPM and reads TPM's snapshots.

    References:
        Liu et al., E-CDCTR, arXiv 2408.16238.
    """

    name = "ecdctr"
    Config = EcdctrConfig
    model_name = "A-CTR"

    def parts(self) -> Parts:
        """Returns the snapshots and the warm start from CPM."""
        return Parts(
            snapshots=Snapshots(
                self.config.snapshots,
                self.config.pooling,
                self.config.hide_newer_snapshots,
            ),
            cpm=CpmStart(self.config.load_batch_norm)
            if self.config.warm_start
            else None,
        )

    def ablations(self, tpm_periods: int) -> dict[str, dict[str, Any]]:
        """Returns E-CDCTR without each of its parts, and other numbers of periods."""
        read = self.needs(tpm_periods).tpm_periods
        return {
            "no_tpm": {"snapshots": 0},
            "no_cpm": {"warm_start": False},
            "batch_norm_too": {"load_batch_norm": True},
            "mean_pooling": {"pooling": "mean"},
            **{
                f"{count}_snapshots": {"snapshots": count}
                for count in ABLATED_PERIODS
                if count != read
            },
        }
