"""Impressions that no model of a study is trained on, to be scored at its end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.data.batches import Batch
from models.data.batches import ExampleReader
from models.features.feature import ITEM_FEATURE
from models.features.feature import USER_FEATURE

# A prime below 2^31, by which ids and days are mixed; products fit into 64 bits.
_PRIME = 2_147_483_629


@dataclass(frozen=True)
class HeldOut:
    """A share of the impressions of some days, the same whoever reads them.

    Attributes:
        first: First of the days.
        last: Last of the days.
        share: Share of their impressions, chosen by user, item and day.
    """

    first: int
    last: int
    share: float

    def mask(self, batch: Batch) -> npt.NDArray[np.bool_]:
        """Returns which impressions of a batch are held out, (B,)."""
        mixed = np.zeros(len(batch.labels), np.int64)
        for ids in (batch.rows[USER_FEATURE], batch.rows[ITEM_FEATURE], batch.days):
            mixed = (mixed * 1_000_003 + ids * 7_919 + 12_345) % _PRIME
        chosen = mixed < self.share * _PRIME
        old = (batch.days >= self.first) & (batch.days <= self.last)
        return np.asarray(chosen & old)


@dataclass(frozen=True)
class Remaining:
    """Reader of the impressions that are not held out.

    Attributes:
        reader: Reads all of them.
        held_out: Those that are left out.
    """

    reader: ExampleReader
    held_out: HeldOut

    def batches(self, **how: Any) -> Iterator[Batch]:
        """Yields the batches of `ExampleReader.batches` without what is held out."""
        for batch in self.reader.batches(**how):
            kept = where(batch, ~self.held_out.mask(batch))
            if len(kept.labels):
                yield kept


def where(batch: Batch, chosen: npt.NDArray[np.bool_]) -> Batch:
    """Returns the chosen impressions of a batch."""
    rows = {name: values[chosen] for name, values in batch.rows.items()}
    return Batch(rows, batch.labels[chosen], batch.days[chosen])
