"""Negative sampling for files that contain positives only: a swap within the day.

A log of purchases has no impressions without a click. For each positive, negatives are
sampled from the items that *other users bought in the same domain on the same day*.
Popularity, age and recency of an item therefore have the same distribution among
positives and negatives, and none of them gives the label away: what is left to learn is
which of the day's items fit the user.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from models.days import to_date
from pipeline.config.sections import NegativeSampling
from pipeline.datasets.aggregates import Ints
from pipeline.datasets.aggregates import encode_ids

Bools = npt.NDArray[np.bool_]

# Pairs of a user and an item that are drawn at once; bounds memory to some 100 MB.
_PAIRS_AT_ONCE = 2_000_000


class Negatives(NamedTuple):
    """Sampled negatives, ascending by day, then user.

    Attributes:
        user_ids: string array of shape (negatives,).
        item_ids: string array of shape (negatives,).
        days: Days since 1970-01-01, shape (negatives,).
    """

    user_ids: pa.Array
    item_ids: pa.Array
    days: Ints


def sample_negatives(
    user_ids: pa.Array,
    item_ids: pa.Array,
    days: Ints,
    sampling: NegativeSampling,
    *,
    domain: str,
    hidden: Bools | None = None,
) -> Negatives:
    """Samples negatives for the positives of one domain.

    A user with `n` positives on a day gets `n * per_positive` different items on that
    day, or fewer if there are not enough candidates. Candidates are the items of other
    users' positives of that day, without the items that the user has a positive for on
    that day or before; each is drawn with a probability proportional to its number of
    positives that day. The draws of a day depend only on the seed, the domain's name
    and the positives up to that day, not on the order of the rows.

    Args:
        user_ids: string array of shape (positives,), in any order.
        item_ids: string array of shape (positives,).
        days: Days since 1970-01-01, shape (positives,).
        sampling: Number of negatives and seed.
        domain: Name of the domain; draws of two domains are independent.
        hidden: Positives that are left out of the log, shape (positives,): they neither
            get negatives nor are candidates, but their users still have these items.

    Raises:
        ValueError: The arrays are not equally long.
    """
    lengths = (len(user_ids), len(item_ids), len(days))
    if len(set(lengths)) > 1:
        raise ValueError(f"the three arrays must be equally long; received {lengths}")
    users, user_names = encode_ids(user_ids)
    items, item_names = encode_ids(item_ids)
    history = _History.of(users, items, days)
    shown = np.flatnonzero(~hidden) if hidden is not None else np.arange(len(days))
    order = shown[np.lexsort((items[shown], users[shown], days[shown]))]
    users, items, days = users[order], items[order], days[order]
    found = [(users[:0], items[:0], days[:0])]
    for rows in _days_of(days):
        day = int(days[rows.start])
        rng = np.random.default_rng(
            [sampling.seed, to_date(day).toordinal(), *domain.encode()]
        )
        wanted = sampling.per_positive
        drawn = _draw_day(rng, users[rows], items[rows], wanted, history.until(day))
        found.append((*drawn, np.full(len(drawn[0]), day)))
    users, items, days = (np.concatenate(part) for part in zip(*found, strict=True))
    return Negatives(
        user_names.take(pa.array(users)), item_names.take(pa.array(items)), days
    )


class _History(NamedTuple):
    """Positives ascending by user: those of user `u` start at `starts[u]`."""

    items: Ints
    days: Ints
    starts: Ints
    last_day: int

    @classmethod
    def of(cls, users: Ints, items: Ints, days: Ints) -> _History:
        """Sorts all positives by user."""
        order = np.argsort(users, kind="stable")
        starts = np.searchsorted(users[order], np.arange(users.max(initial=-1) + 2))
        return cls(items[order], days[order], starts, int(days.max(initial=0)))

    def until(self, day: int) -> _History:
        """Returns the history as of the end of a day."""
        return self._replace(last_day=day)

    def owned(self, users: Ints, candidates: Ints) -> Bools:
        """Returns which candidates a user has, shape (users, candidates)."""
        counts = self.starts[users + 1] - self.starts[users]
        rows = np.repeat(np.arange(len(users)), counts)
        offsets = np.repeat(self.starts[users] - np.cumsum(counts) + counts, counts)
        places = offsets + np.arange(len(rows))
        items = self.items[places]
        column = np.minimum(np.searchsorted(candidates, items), len(candidates) - 1)
        known = (candidates[column] == items) & (self.days[places] <= self.last_day)
        owned = np.zeros((len(users), len(candidates)), np.bool_)
        owned[rows[known], column[known]] = True
        return owned


def _days_of(days: Ints) -> Iterator[slice]:
    """Yields the rows of each day; `days` is ascending."""
    _, starts = np.unique(days, return_index=True)
    for start, end in zip(starts, np.append(starts[1:], len(days)), strict=True):
        yield slice(int(start), int(end))


def _draw_day(
    rng: np.random.Generator,
    users: Ints,
    items: Ints,
    per_positive: int,
    history: _History,
) -> tuple[Ints, Ints]:
    """Draws one day's negatives, each user's without replacement.

    The items with the smallest `exponential / weight` have the distribution of
    successive draws without replacement (Efraimidis and Spirakis, 2006).

    Args:
        rng: Source of all draws.
        users: User of each positive of the day, ascending.
        items: Item of each.
        per_positive: Negatives wanted for each positive.
        history: Positives of that day and before.

    Returns:
        User and item of each negative.
    """
    buyers, positives = np.unique(users, return_counts=True)
    candidates, weights = np.unique(items, return_counts=True)
    at_once = max(1, _PAIRS_AT_ONCE // len(candidates))
    drawn_users, drawn_items = [], []
    for start in range(0, len(buyers), at_once):
        part = buyers[start : start + at_once]
        owned = history.owned(part, candidates)
        arrival = rng.standard_exponential(owned.shape) / weights
        arrival[owned] = np.inf
        first = np.argsort(arrival, axis=1)
        wanted = positives[start : start + at_once] * per_positive
        most = np.minimum(wanted, (~owned).sum(axis=1))
        rows, ranks = np.nonzero(np.arange(len(candidates)) < most[:, None])
        drawn_users.append(part[rows])
        drawn_items.append(candidates[first[rows, ranks]])
    return np.concatenate(drawn_users), np.concatenate(drawn_items)
