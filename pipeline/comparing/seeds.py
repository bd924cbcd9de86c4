"""Metrics of a model over seeds, with the influence of each evaluation row."""

from __future__ import annotations

import math
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass

from components.evaluation.differences import Crossing
from components.evaluation.differences import Difference
from components.evaluation.differences import difference
from components.evaluation.metrics import COMPARED
from components.evaluation.ranking import Floats

GAUC, AUC = COMPARED.index("gauc"), COMPARED.index("auc")


@dataclass(frozen=True)
class Seeds:
    """Metrics of a model over seeds, with the influence of each row.

    A model that no seed changes has one; it counts as the same on all seeds.

    Attributes:
        values: `COMPARED`, shape (S, len(COMPARED)).
        rows: Influences by seed, each of shape (N, len(COMPARED)).
    """

    values: Floats
    rows: tuple[Floats, ...]

    def __sub__(self, other: Seeds) -> Seeds:
        seeds = max(len(self.rows), len(other.rows))
        ours, theirs = (
            one.rows * (seeds if len(one.rows) == 1 else 1) for one in (self, other)
        )
        rows = tuple(a - b for a, b in zip(ours, theirs, strict=True))
        return Seeds(self.values - other.values, rows)

    def scaled(self, factor: float) -> Seeds:
        """Returns everything times a number."""
        return Seeds(self.values * factor, tuple(row * factor for row in self.rows))

    def interval(
        self, column: int, grouped: Sequence[Crossing], shift: float = 0.0
    ) -> Difference:
        """Returns the mean over seeds of one metric plus `shift`, with its interval."""
        rows = [row[:, column] for row in self.rows]
        return difference(shift + self.values[:, column], rows, grouped[: len(rows)])


def gap_share(
    ours: Seeds, baseline: Seeds, oracle: Seeds, grouped: Sequence[Crossing]
) -> Difference:
    """Returns the share of the reachable gap in GAUC that a model closes.

    `(GAUC - GAUC of the baseline) / (GAUC of the oracle - GAUC of the baseline)`: 0 is
    the baseline, 1 the oracle; its interval is that of the ratio's linearisation. If
    the oracle is not above the baseline, the share is NaN.

    Args:
        ours: The model.
        baseline: The baseline.
        oracle: The oracle.
        grouped: The rows' groups.
    """
    closed, gap = (one - baseline for one in (ours, oracle))
    reachable = float(gap.values[:, GAUC].mean())
    if not reachable > 0:
        return Difference(math.nan, math.nan, math.nan)
    share = float(closed.values[:, GAUC].mean()) / reachable
    left = (closed - gap.scaled(share)).scaled(1 / reachable)
    return left.interval(GAUC, grouped, shift=share)


def best(models: Mapping[str, Seeds], column: int) -> str | None:
    """Returns the model with the highest mean; None if none is defined."""
    known = {name: float(one.values[:, column].mean()) for name, one in models.items()}
    known = {name: value for name, value in known.items() if not math.isnan(value)}
    return max(known, key=lambda name: known[name]) if known else None
