"""Differences between models: intervals with seeds, users and items as random effects.

A difference is measured on each seed. Its variance has two parts:

* seeds: the variance over seeds divided by their number, a t statistic with S - 1
  degrees of freedom.
* users and items, where seeds share them: the variance of a crossed bootstrap,
  `V(users) + V(items) - V(user-item pairs)`, at least the larger of the first two.
  What the seeds leave open within a cluster is taken off, as the first part has it
  already; of a user who belongs to one seed alone, as in a simulated world, nothing is
  left.

Their sum has Satterthwaite's degrees of freedom. Several differences of one table are
judged together by Holm's adjusted p-values.

References:
    Satterthwaite, Biometrics Bulletin 1946 (degrees of freedom of a sum of variances);
    Cameron, Gelbach and Miller, Journal of Business & Economic Statistics 2011, and
    Owen, The pigeonhole bootstrap, Annals of Applied Statistics 2007 (crossed
    clusters); Holm, Scandinavian Journal of Statistics 1979. The variance of the
    bootstrap comes from `components.evaluation.influence`, without draws: our choice.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr
from scipy.special import stdtrit

from components.evaluation.ranking import Codes
from components.evaluation.ranking import Floats
from components.evaluation.ranking import user_codes
from components.evaluation.resampling import user_clusters

LEVEL = 0.95
_Key = TypeVar("_Key", bound=Hashable)


@dataclass(frozen=True)
class Difference:
    """Difference of a metric between two models.

    Attributes:
        value: Mean over seeds.
        low: Lower end of the 95 % interval.
        high: Upper end.
        p_value: Two-sided, of no difference; None where no interval is known.
        adjusted: The p-value after Holm's correction for all differences of a table;
            None outside a table.
    """

    value: float
    low: float
    high: float
    p_value: float | None = None
    adjusted: float | None = None

    @property
    def told_apart(self) -> bool:
        """Whether it differs from zero, all differences of its table considered."""
        return self.adjusted is not None and self.adjusted < 1 - LEVEL


UNDEFINED = Difference(math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class Crossing:
    """Evaluation rows, grouped in the ways in which they depend on each other.

    Attributes:
        users: Cluster of each row by its user, shape (N,).
        items: By its item; None where items are not known.
        pairs: By both; None alike.
    """

    users: Codes
    items: Codes | None = None
    pairs: Codes | None = None


def crossing(users: npt.ArrayLike, items: npt.ArrayLike | None) -> Crossing:
    """Returns how rows are grouped; a row without an id is a group of its own.

    Args:
        users: Ids as `user_codes` takes them, shape (N,).
        items: Ids alike; None where a row has none.
    """
    return crossings([users], None if items is None else [items])[0]


def crossings(
    users: Sequence[npt.ArrayLike], items: Sequence[npt.ArrayLike] | None
) -> list[Crossing]:
    """Returns how the rows of each seed are grouped; groups are those of all seeds.

    Args:
        users: Ids of the rows of each seed, as `user_codes` takes them.
        items: Ids alike; None where rows have none.
    """
    ends = np.cumsum([len(np.asarray(ids)) for ids in users])[:-1]
    by_user = user_clusters(user_codes(np.concatenate(users)))
    if items is None:
        return [Crossing(codes) for codes in np.split(by_user, ends)]
    by_item = user_clusters(user_codes(np.concatenate(items)))
    width = int(by_item.max(initial=-1)) + 1
    pairs = np.unique(by_user * width + by_item, return_inverse=True)[1]
    parts = (np.split(codes, ends) for codes in (by_user, by_item, pairs.astype("i8")))
    return [Crossing(*codes) for codes in zip(*parts, strict=True)]


def difference(
    by_seed: npt.ArrayLike,
    rows: Sequence[npt.ArrayLike] | Floats | None = None,
    grouped: Crossing | Sequence[Crossing] | None = None,
) -> Difference:
    """Returns the mean of a difference over seeds, with its interval.

    Args:
        by_seed: The difference on each seed, shape (S,).
        rows: Influences of each seed's evaluation rows on it, S arrays of shape (N,);
            None where seeds share neither users nor items.
        grouped: The rows' groups, those of each seed where seeds have rows of their
            own.

    Returns:
        NaN where a seed's is NaN. Without rows, a single seed has no interval: its ends
        are infinite.
    """
    values = np.asarray(by_seed, np.float64)
    mean = float(values.mean())
    if math.isnan(mean):
        return UNDEFINED
    parts: list[tuple[float, float]] = []
    if len(values) > 1:
        parts.append((float(values.var(ddof=1)) / len(values), len(values) - 1.0))
    if rows is not None and grouped is not None:
        by_row = [np.asarray(one, np.float64) for one in rows]
        groups = [grouped] * len(by_row) if isinstance(grouped, Crossing) else grouped
        parts.append(_row_variance(by_row, groups))
    if not parts:
        return Difference(mean, -math.inf, math.inf)
    variance = sum(part for part, _ in parts)
    if variance <= 0:
        return Difference(mean, mean, mean, float(mean == 0))
    freedom = variance**2 / sum(part**2 / df for part, df in parts)
    error = math.sqrt(variance)
    half = float(stdtrit(freedom, (1 + LEVEL) / 2)) * error
    p_value = 2 * float(stdtr(freedom, -abs(mean) / error))
    return Difference(mean, mean - half, mean + half, p_value)


def holm(p_values: Mapping[_Key, float | None]) -> dict[_Key, float | None]:
    """Returns Holm's adjusted p-values; one that is None is no comparison.

    The smallest of m is multiplied by m, the next by m - 1, and so on; none is below
    an earlier one, and none above 1.
    """
    known = sorted(
        (p_value, position, key)
        for position, (key, p_value) in enumerate(p_values.items())
        if p_value is not None
    )
    adjusted: dict[_Key, float | None] = dict.fromkeys(p_values)
    highest = 0.0
    for done, (p_value, _, key) in enumerate(known):
        highest = max(highest, min(1.0, (len(known) - done) * p_value))
        adjusted[key] = highest
    return adjusted


def _row_variance(
    rows: Sequence[Floats], grouped: Sequence[Crossing]
) -> tuple[float, float]:
    """Returns the variance from users and items, and its degrees of freedom."""
    by_user, freedom = _clustered(rows, [one.users for one in grouped])
    items = [one.items for one in grouped if one.items is not None]
    pairs = [one.pairs for one in grouped if one.pairs is not None]
    if len(items) < len(rows) or len(pairs) < len(rows):
        return by_user, freedom
    by_item, of_items = _clustered(rows, items)
    by_pair, _ = _clustered(rows, pairs)
    # Few clusters may put the difference below either part: the larger one holds.
    return max(by_user + by_item - by_pair, by_user, by_item), min(freedom, of_items)


def _clustered(
    rows: Sequence[Floats], clusters: Sequence[Codes]
) -> tuple[float, float]:
    """Returns the variance if clusters were drawn, without what is the seeds'.

    The sum of squared cluster sums of the mean over seeds, minus the part of it that is
    left because the seeds are few. Degrees of freedom are matched by moments: few
    clusters with much influence count as few.
    """
    count = max(int(codes.max(initial=-1)) + 1 for codes in clusters)
    if count < 2:
        return 0.0, 1.0
    seeds = len(rows)
    total, of_squares = np.zeros(count), np.zeros(count)
    for row, codes in zip(rows, clusters, strict=True):
        sums = np.bincount(codes, row, count)
        total += sums
        of_squares += sums**2
    squares = (total / seeds) ** 2
    whole = float(squares.sum())
    by_chance = 0.0
    if seeds > 1:
        variance = (of_squares - seeds * squares) / (seeds - 1)
        by_chance = float(variance.sum()) / seeds
    spread = float((squares**2).sum()) - whole**2 / count
    freedom = 2 * whole**2 / spread if spread > 0 else count - 1.0
    freedom = min(max(freedom, 1.0), count - 1.0)
    # The mean was taken from the same clusters, as for a sample of `freedom` + 1.
    return max(whole - by_chance, 0.0) * (freedom + 1) / freedom, freedom
