"""Criteria of the checks, read from `criteria.yaml`, which is written before a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import Field
from pydantic import model_validator

from models.strict_model import StrictModel

_FILE = Path(__file__).with_name("criteria.yaml")


class Seeds(StrictModel):
    """Seeds of data and training: `count` of them from `first` on."""

    first: int
    count: int = Field(ge=10)

    def values(self, count: int | None = None) -> range:
        """Returns the seeds, or the first `count` of them for a trial."""
        return range(self.first, self.first + (count or self.count))


class ReturningCriteria(StrictModel):
    """World of `ecdctr_returning`, what is held out there, and what must hold.

    Attributes:
        world: Keys of `simulate`, other than the seed and the number of days.
        days: Days that models may be trained on.
        later_days: Days after them, which are scored.
        tpm_window: Days of TPM's first period.
        tpm_every: Days of each later one.
        cpm_window: Newest days of feeds that CPM trains on.
        target_window: Newest days of ads that A-CTR trains on.
        old_days: First and last day of ads of which a share is held out, older than
            every window but TPM's.
        held_out_share: That share.
        below: Variants whose GAUC on the held-out impressions must be told apart below
            that of the whole, with Holm's correction for all variants.
    """

    world: dict[str, Any]
    days: int = Field(gt=0)
    later_days: int = Field(gt=0)
    tpm_window: int = Field(gt=0)
    tpm_every: int = Field(gt=0)
    cpm_window: int = Field(gt=0)
    target_window: int = Field(gt=0)
    old_days: tuple[int, int]
    held_out_share: float = Field(gt=0, lt=1)
    below: tuple[str, ...]

    @model_validator(mode="after")
    def _check_old(self) -> ReturningCriteria:
        newest = self.days - max(self.cpm_window, self.target_window)
        if not 0 <= self.old_days[0] <= self.old_days[1] < newest:
            raise ValueError(
                f"old_days {self.old_days} must lie before day {newest}, from which on "
                "CPM or A-CTR trains"
            )
        return self


class EcdctrCriteria(StrictModel):
    """Criteria of `prove_ecdctr`.

    Attributes:
        most_fold_difference: Largest difference of folded and unfolded scores.
        returning: The world of returning users.
    """

    most_fold_difference: float
    returning: ReturningCriteria


class CctlCriteria(StrictModel):
    """Worlds and criteria of `prove_cctl`."""

    sizes: tuple[str, ...]
    thetas: tuple[int, ...]
    poisons: tuple[float, ...]
    most_noise_weight_ratio: float
    least_noise_weight_auc: float
    least_copy_weight: float
    most_cost: float


class CctlNetworkCriteria(StrictModel):
    """Worlds and criteria of `prove_cctl_network`.

    Attributes:
        worlds: By name, keys of `simulate`; under `feeds`, those of the source.
        wins: By world, pairs of variants: the first must be told apart above the
            second.
        neutral: By world, pairs: the first must not be inferior to the second.
    """

    worlds: dict[str, dict[str, Any]]
    wins: dict[str, tuple[tuple[str, str], ...]]
    neutral: dict[str, tuple[tuple[str, str], ...]]


class CctlWeightsCriteria(StrictModel):
    """Criteria of `cctl_weights`, of means over the seeds.

    Attributes:
        least_auc: By which weights tell changed impressions from unchanged ones.
        most_ratio: Mean weight of changed over that of unchanged impressions.
        least_clean: Mean weight where nothing is changed.
        most_bad: Mean weight where all labels are shuffled.
    """

    least_auc: float
    most_ratio: float
    least_clean: float
    most_bad: float


class CctlTurningCriteria(StrictModel):
    """Criteria of `cctl_turning`.

    Attributes:
        wins: By world, pairs of variants: the first must be told apart above the
            second.
    """

    wins: dict[str, tuple[tuple[str, str], ...]]


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
        cctl_network: Of CCTL's alignment and own vectors.
        cctl_weights: Of CCTL's weights from the gain alone.
        cctl_turning: Of CCTL's roll-back.
        ctnet: Of CTNet.
        peers: Of the backbone beside another implementation.
    """

    seeds: Seeds
    margin: float = Field(gt=0)
    ecdctr: EcdctrCriteria
    cctl: CctlCriteria
    cctl_network: CctlNetworkCriteria
    cctl_weights: CctlWeightsCriteria
    cctl_turning: CctlTurningCriteria
    ctnet: CtnetCriteria
    peers: PeersCriteria


CRITERIA = Criteria.model_validate(yaml.safe_load(_FILE.read_text(encoding="utf-8")))
