"""Negative sampling for domains whose files contain positives only.

A log of purchases has no impressions without a click. For each positive, negatives are
sampled from the items that the domain had by that day.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from models.days import to_date
from pipeline.config.sections import NegativeSampling
from pipeline.datasets.aggregates import Ints
from pipeline.datasets.aggregates import encode_ids

# Exponent that damps popular items, as in word2vec.
POPULARITY_EXPONENT = 0.75
# Rounds of rejection sampling: draws of an item that a user has already are repeated.
# Users who still lack items then have few or very unequal candidates, and an exact
# method draws the rest.
_MAX_ROUNDS = 16


@dataclass(frozen=True)
class Negatives:
    """Sampled negatives, ascending by day, then user.

    Attributes:
        user_ids: string array of shape (negatives,).
        item_ids: string array of shape (negatives,).
        days: Days since 1970-01-01, shape (negatives,).
        missing_days: Day of each negative that could not be sampled because the domain
            had too few items, shape (missing,).
    """

    user_ids: pa.Array
    item_ids: pa.Array
    days: Ints
    missing_days: Ints


def sample_negatives(
    user_ids: pa.Array,
    item_ids: pa.Array,
    days: Ints,
    sampling: NegativeSampling,
    *,
    domain: str,
) -> Negatives:
    """Samples negatives for the positives of one domain.

    A user with `n` positives on a day gets `n * per_positive` different items on that
    day, or fewer if there are not enough candidates. Candidates are the items with a
    positive on or before the day, without the user's own positives of that day. The
    draws of a day depend only on the seed, the domain's name and the positives up to
    that day, not on the order of the rows.

    Args:
        user_ids: string array of shape (positives,), in any order.
        item_ids: string array of shape (positives,).
        days: Days since 1970-01-01, shape (positives,).
        sampling: Number of negatives and weighting of the items.
        domain: Name of the domain; draws of two domains are independent.

    Returns:
        The negatives, and the days of those that could not be sampled.

    Raises:
        ValueError: The arrays are not equally long.
    """
    lengths = (len(user_ids), len(item_ids), len(days))
    if len(set(lengths)) > 1:
        raise ValueError(f"the three arrays must be equally long; received {lengths}")
    users, user_names = encode_ids(user_ids)
    items, item_names = encode_ids(item_ids)
    # Items are numbered in the order of their first day, so that the candidates of a
    # day are all numbers below a limit.
    first_days = np.full(len(item_names), np.iinfo(np.int64).max)
    np.minimum.at(first_days, items, days)
    by_first_day = np.argsort(first_days, kind="stable")
    number = np.empty_like(by_first_day)
    number[by_first_day] = np.arange(len(by_first_day))
    order = np.lexsort((number[items], users, days))
    users, items, days = users[order], number[items][order], days[order]
    seen_by = np.searchsorted(first_days[by_first_day], days, side="right")
    drawn = _draw_all(users, items, days, seen_by, sampling, domain)
    return Negatives(
        user_names.take(pa.array(drawn.users)),
        item_names.take(pa.array(by_first_day[drawn.items])),
        drawn.days,
        drawn.missing_days,
    )


class _Drawn(NamedTuple):
    """Negatives by number of user and item, and the day of each missing one."""

    users: Ints
    items: Ints
    days: Ints
    missing_days: Ints


def _draw_all(
    users: Ints,
    items: Ints,
    days: Ints,
    seen_by: Ints,
    sampling: NegativeSampling,
    domain: str,
) -> _Drawn:
    """Draws the negatives of all days.

    Args:
        users: User of each positive; positives are ascending by day, user, item.
        items: Item of each positive.
        days: Day of each positive.
        seen_by: Number of items whose first day is on or before the positive's day.
        sampling: Number of negatives and weighting of the items.
        domain: Name of the domain.
    """
    num_items = int(items.max(initial=-1)) + 1
    counts, weights = np.zeros(num_items, np.int64), np.ones(num_items)
    found = [_Drawn(users[:0], items[:0], days[:0], days[:0])]
    _, starts = np.unique(days, return_index=True)
    for start, end in zip(starts, np.append(starts[1:], len(days)), strict=True):
        day, positives = int(days[start]), items[start:end]
        basket_users, baskets = np.unique(users[start:end], return_inverse=True)
        rng = np.random.default_rng(
            [sampling.seed, to_date(day).toordinal(), *domain.encode()]
        )
        wanted = np.bincount(baskets) * sampling.per_positive
        rows, drawn, missing = _draw_day(
            rng, baskets, positives, wanted, weights[: seen_by[start]]
        )
        chosen, lost = np.full(len(rows), day), np.full(missing, day)
        found.append(_Drawn(basket_users[rows], drawn, chosen, lost))
        if sampling.weighting == "popularity":
            np.add.at(counts, positives, 1)
            weights[positives] = counts[positives] ** POPULARITY_EXPONENT
    return _Drawn(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def _draw_day(
    rng: np.random.Generator,
    baskets: Ints,
    items: Ints,
    wanted: Ints,
    weights: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> tuple[Ints, Ints, int]:
    """Draws one day's negatives, each basket's without replacement.

    Args:
        rng: Source of all draws.
        baskets: Basket (one user's positives of the day) of each positive.
        items: Item of each positive.
        wanted: Negatives wanted, shape (baskets,).
        weights: Weight of each candidate item, shape (candidates,).

    Returns:
        Basket and item of each negative, ascending, and the number missing.
    """
    num_items = len(weights)
    cumulative = np.cumsum(weights)
    # A pair of basket and item is coded as basket * num_items + item.
    excluded = np.unique(baskets * num_items + items)
    owned = np.bincount(excluded // num_items, minlength=len(wanted))
    lacking = np.minimum(wanted, num_items - owned)
    missing = int(np.sum(wanted - lacking))
    taken = excluded
    for _ in range(_MAX_ROUNDS):
        if not lacking.any():
            break
        drawing = np.repeat(np.arange(len(lacking)), lacking)
        draws = rng.random(len(drawing)) * cumulative[-1]
        # Rounding may lift a draw to the last cumulative weight.
        drawn = np.minimum(
            np.searchsorted(cumulative, draws, side="right"), num_items - 1
        )
        pairs = np.setdiff1d(drawing * num_items + drawn, taken)
        taken = np.union1d(taken, pairs)
        lacking = lacking - np.bincount(pairs // num_items, minlength=len(lacking))
    taken = np.union1d(taken, _draw_rest(rng, taken, lacking, weights))
    pairs = np.setdiff1d(taken, excluded, assume_unique=True)
    return pairs // num_items, pairs % num_items, missing


def _draw_rest(
    rng: np.random.Generator,
    taken: Ints,
    lacking: Ints,
    weights: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> Ints:
    """Returns the pairs that baskets still lack, drawn exactly in one step.

    The items with the smallest `exponential / weight` have the distribution of
    successive draws without replacement (Efraimidis and Spirakis, 2006).
    """
    baskets = np.flatnonzero(lacking)
    num_items = len(weights)
    arrival = rng.standard_exponential((len(baskets), num_items)) / weights
    pairs = baskets[:, None] * num_items + np.arange(num_items)
    arrival[np.isin(pairs, taken, assume_unique=True)] = np.inf
    first = np.argsort(arrival, axis=1)
    chosen = np.arange(num_items) < lacking[baskets][:, None]
    rest: Ints = np.take_along_axis(pairs, first, axis=1)[chosen]
    return rest
