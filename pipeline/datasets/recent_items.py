"""Items that a user clicked last in a domain, as of a row's cutoff.

A user's history in one domain is a feature of the rows of every domain: that is how a
model can know a user who is new in the target.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.datasets.aggregates import Bools
from pipeline.datasets.aggregates import DayIndex
from pipeline.datasets.aggregates import Ints
from pipeline.datasets.aggregates import encode_ids


class RecentItems:
    """Lists of each user's newest distinct items, one list after each click.

    Newest first; those of one day in ascending order of their ids.
    """

    def __init__(
        self, user_ids: pa.Array, item_ids: pa.Array, days: Ints, max_length: int
    ) -> None:
        """Computes the lists from all clicks of a domain.

        The list after a click follows from the list before it, vectorised over users:
        first all users' first clicks, then all second clicks, and so on. The most
        active user's clicks are the number of steps.

        Args:
            user_ids: string array of shape (clicks,), in any order.
            item_ids: string array of shape (clicks,).
            days: Days since 1970-01-01, shape (clicks,).
            max_length: Maximum length of a list; at least 1.

        Raises:
            ValueError: `max_length` is below 1 or the arrays are not equally long.
        """
        if max_length < 1:
            raise ValueError(f"max_length must be at least 1; received {max_length}")
        lengths = (len(user_ids), len(item_ids), len(days))
        if len(set(lengths)) > 1:
            raise ValueError(f"the arrays must be equally long; received {lengths}")
        users, self._user_names = encode_ids(user_ids)
        items, self._item_names = encode_ids(item_ids)
        # Descending items within a day: as the list is newest first, they ascend there.
        by_item = np.argsort(-items, kind="stable")
        users, items, days = users[by_item], items[by_item], days[by_item]
        self._index = DayIndex(users, days)
        users, items = users[self._index.order], items[self._index.order]
        self._lists = _lists_after(users, items, max_length)

    def before(self, user_ids: pa.Array, cutoff: Ints) -> pa.Array:
        """Returns each row's list of the clicks before its cutoff.

        Args:
            user_ids: string array of shape (rows,), of this or another domain.
            cutoff: First day that does not count, shape (rows,).

        Returns:
            list<string> array of shape (rows,); empty for users without a click.
        """
        found = pc.index_in(user_ids, self._user_names)
        users = found.fill_null(len(self._user_names)).to_numpy().astype(np.int64)
        starts, ends = self._index.ranges(users, cutoff)
        # The last of the lists is empty.
        codes = self._lists[np.where(ends > starts, ends - 1, -1)]
        present = codes >= 0
        offsets = np.concatenate([[0], np.cumsum(present.sum(axis=1))])
        return pa.ListArray.from_arrays(
            pa.array(offsets.astype(np.int32)),
            self._item_names.take(pa.array(codes[present])),
        )


def _lists_after(users: Ints, items: Ints, max_length: int) -> Ints:
    """Returns the list after each click, and an empty one, padded with -1.

    Args:
        users: User of each click, ascending, a user's clicks in their order.
        items: Item of each click.
        max_length: Length of a list.

    Returns:
        Item codes of shape (clicks + 1, max_length).
    """
    positions = np.arange(len(users))
    first: Bools = np.ones(len(users), np.bool_)
    np.not_equal(users[1:], users[:-1], out=first[1:])
    rank = positions - np.maximum.accumulate(np.where(first, positions, 0))
    lists = np.full((len(users) + 1, max_length), -1, np.int64)
    by_rank = np.argsort(rank, kind="stable")
    steps = np.split(by_rank, np.cumsum(np.bincount(rank))[:-1])
    for step, clicks in enumerate(steps):
        item = items[clicks]
        if step > 0:
            previous = lists[clicks - 1]  # (users, max_length)
            # An item that is in the list already moves to its front.
            moved = np.logical_or.accumulate(previous == item[:, None], axis=1)
            lists[clicks, 1:] = np.where(
                moved[:, :-1], previous[:, 1:], previous[:, :-1]
            )
        lists[clicks, 0] = item
    return lists
