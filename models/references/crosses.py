"""Proposals of crosses: pairs of ids whose joint effect a linear model misses."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from models.days import DayRange
from models.features.table import DAY
from models.references.estimators import Logistic
from models.references.rows import Columns
from models.references.rows import Floats
from models.references.rows import Rows

# Weight of the penalty on a combination's effect, in impressions' information: an
# effect seen in few impressions is taken for noise.
PENALTY = 20.0
# Log loss that a cross must bring on average; less is within the noise of a period.
LEAST_GAIN = 0.0005
_EDGE = 1e-6


@dataclass(frozen=True)
class ProposedCross:
    """Pair of features with what it brings.

    Attributes:
        of: Names of the two features.
        gains: Log loss that it saves on each held-out period.
    """

    of: tuple[str, str]
    gains: tuple[float, ...]

    @property
    def mean_gain(self) -> float:
        """Mean of the gains."""
        return float(np.mean(self.gains))


def propose_crosses(
    rows: Rows, columns: Columns, periods: Sequence[DayRange], *, most: int = 4
) -> list[ProposedCross]:
    """Returns the pairs that bring most on held-out days, best first.

    For each period a logistic regression is fitted on the days before it. A pair's
    effect is one Newton step on what that model leaves unexplained, by combination of
    ids, with a penalty; its gain is the log loss that it saves on the period. A pair
    must save log loss in every period, and `LEAST_GAIN` on average.

    Args:
        rows: The target's impressions, of the periods and of days before them.
        columns: Which features are read; pairs are made of its ids.
        periods: Held-out days, all before the day of the training.
        most: Number of pairs, at most.

    Raises:
        ValueError: A period has no impressions, or none of one label before it.
    """
    gains: dict[tuple[str, str], list[float]] = {}
    for period in periods:
        for pair, gain in _gains(rows, columns, period).items():
            gains.setdefault(pair, []).append(gain)
    found = [ProposedCross(pair, tuple(of_pair)) for pair, of_pair in gains.items()]
    kept = [p for p in found if min(p.gains) > 0 and p.mean_gain >= LEAST_GAIN]
    return sorted(kept, key=lambda p: -p.mean_gain)[:most]


def _gains(
    rows: Rows, columns: Columns, period: DayRange
) -> dict[tuple[str, str], float]:
    """Returns the log loss that each pair saves on a period."""
    days = rows.integers(DAY)
    before, inside = days < period.first, (days >= period.first) & (days <= period.last)
    fitted, held = _where(rows, before), _where(rows, inside)
    if not len(held) or len(np.unique(fitted.labels)) < 2:
        raise ValueError(
            f"crosses are measured on {period}, which has {len(held):,} impressions, "
            f"with {int(fitted.labels.sum()):,} clicks in {len(fitted):,} before; "
            "expected some, and both labels before. Choose later days"
        )
    model = Logistic(fitted, columns)
    chances = [
        np.clip(model.predict(part), _EDGE, 1 - _EDGE) for part in (fitted, held)
    ]
    base = _log_loss(held.labels, _log_odds(chances[1]))
    found = {}
    for pair in itertools.combinations(columns.ids, 2):
        codes, count = _codes(fitted, held, pair)
        effects = _effects(codes[0], count, fitted.labels, chances[0])
        logits = _log_odds(chances[1]) + effects[codes[1]]
        found[pair] = base - _log_loss(held.labels, logits)
    return found


def _effects(
    codes: npt.NDArray[np.int64], count: int, labels: npt.NDArray[np.int64], p: Floats
) -> Floats:
    """Returns the effect of each combination on the log-odds, 0 of those not seen."""
    unexplained = np.bincount(codes, labels - p, count)
    information = np.bincount(codes, p * (1 - p), count)
    return np.append(unexplained / (information + PENALTY), 0.0)


def _codes(
    fitted: Rows, held: Rows, pair: tuple[str, str]
) -> tuple[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]], int]:
    """Returns the combination of each row, and the number of those that were fitted.

    A held-out row with another combination has that number.
    """
    keys = []
    known = [pc.unique(fitted.ids(name)) for name in pair]
    for part in (fitted, held):
        first, second = (
            pc.fill_null(pc.index_in(part.ids(name), of_name), len(of_name)).to_numpy()
            for name, of_name in zip(pair, known, strict=True)
        )
        keys.append(first.astype(np.int64) * (len(known[1]) + 1) + second)
    seen, codes = np.unique(keys[0], return_inverse=True)
    at = np.minimum(np.searchsorted(seen, keys[1]), len(seen) - 1)
    return (codes, np.where(seen[at] == keys[1], at, len(seen))), len(seen)


def _where(rows: Rows, chosen: npt.NDArray[np.bool_]) -> Rows:
    table = rows.table.take(np.flatnonzero(chosen))
    return Rows(table.combine_chunks(), len(table))


def _log_odds(chances: Floats) -> Floats:
    return np.asarray(np.log(chances / (1 - chances)), np.float64)


def _log_loss(labels: npt.NDArray[np.int64], logits: Floats) -> float:
    return float(np.mean(np.logaddexp(0, np.where(labels > 0, -logits, logits))))
