"""Criteria of the checks, read from `criteria.yaml`, which is written before a run."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import Field

from models.strict_model import StrictModel

_FILE = Path(__file__).with_name("criteria.yaml")


class Seeds(StrictModel):
    """Seeds of data and training: `count` of them from `first` on."""

    first: int
    count: int = Field(ge=10)

    def values(self, count: int | None = None) -> range:
        """Returns the seeds, or the first `count` of them for a trial."""
        return range(self.first, self.first + (count or self.count))


class EcdctrCriteria(StrictModel):
    """Criteria of `prove_ecdctr`."""

    most_fold_difference: float


class CctlCriteria(StrictModel):
    """Worlds and criteria of `prove_cctl`."""

    sizes: tuple[str, ...]
    thetas: tuple[int, ...]
    poisons: tuple[float, ...]
    most_noise_weight_ratio: float
    least_noise_weight_auc: float
    least_copy_weight: float
    most_cost: float


class CtnetCriteria(StrictModel):
    """Criteria of `prove_ctnet`."""

    most_rows_share: float


class PeersCriteria(StrictModel):
    """Criteria of `peer_fuxictr`."""

    most_auc_gap: float


class Criteria(StrictModel):
    """All criteria.

    Attributes:
        seeds: Seeds of the checks.
        margin: Non-inferiority in GAUC: the interval's lower end lies above minus it.
        ecdctr: Of E-CDCTR.
        cctl: Of CCTL.
        ctnet: Of CTNet.
        peers: Of the backbone beside another implementation.
    """

    seeds: Seeds
    margin: float = Field(gt=0)
    ecdctr: EcdctrCriteria
    cctl: CctlCriteria
    ctnet: CtnetCriteria
    peers: PeersCriteria


CRITERIA = Criteria.model_validate(yaml.safe_load(_FILE.read_text(encoding="utf-8")))
