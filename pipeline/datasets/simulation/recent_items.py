"""Items that each user clicked last in each domain, as of the end of the day before.

    recent_items_<domain>    distinct items, newest first, at most so many

Every domain's log has one such list for each domain, joined by the user ids that the
logs hold: where a source's ids are permuted, its lists are those of other people. The
clicks of earlier days are drawn again, so a simulation resumes at any day.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.datasets.simulation.world import DomainWorld

Ids = npt.NDArray[np.int64]

PREFIX = "recent_items_"
_NO_ITEM = -1


class RecentItems:
    """Recent items of all users of a world, advanced day by day.

    Args:
        worlds: The domains.
        length: Most items of a list.
    """

    def __init__(self, worlds: Mapping[str, DomainWorld], length: int) -> None:
        self._worlds = worlds
        self._day = 0
        self._newest = {
            name: np.full((len(world.users.ids), length), _NO_ITEM, np.int64)
            for name, world in worlds.items()
        }

    def before(self, day: int) -> None:
        """Advances to the end of the day before `day`; never goes back.

        Raises:
            ValueError: `day` is earlier than that of the call before.
        """
        if day < self._day:
            raise ValueError(
                f"received day {day} after day {self._day}; expected days in order"
            )
        for earlier in range(self._day, day):
            for name, world in self._worlds.items():
                self._add(name, world, earlier)
        self._day = day

    def lists(self, domain: str) -> dict[str, pa.Array]:
        """Returns, by column, the list of each user of a domain, (users,).

        Item ids are int64; the list of a user without clicks is empty.
        """
        users = self._worlds[domain].users.ids
        return {
            f"{PREFIX}{name}": _as_lists(_joined(users, world.users.ids, newest))
            for (name, world), newest in zip(
                self._worlds.items(), self._newest.values(), strict=True
            )
        }

    def _add(self, name: str, world: DomainWorld, day: int) -> None:
        """Moves the items clicked on a day to the front of their users' lists."""
        newest = self._newest[name]
        chunks = [
            (
                rows.user[rows.click],
                rows.item[rows.click],
                rows.minute_of_day[rows.click],
            )
            for rows in world.day(day)
        ]
        user, item, minute = (
            np.concatenate(parts) for parts in zip(*chunks, strict=True)
        )
        order = np.lexsort((minute, user))
        for chosen in _by_rank(user[order]):
            at = order[chosen]
            clicked = world.items.ids[item[at]]
            before = newest[user[at]]  # (users, length)
            # An item that is in the list already moves to its front.
            moved = np.logical_or.accumulate(before == clicked[:, None], axis=1)
            after = np.where(moved[:, :-1], before[:, 1:], before[:, :-1])
            newest[user[at]] = np.column_stack([clicked, after])


def _by_rank(user: npt.NDArray[np.int32]) -> Iterator[npt.NDArray[np.int64]]:
    """Yields positions of all first, then all second clicks of sorted users, ..."""
    if not len(user):
        return
    starts = np.flatnonzero(np.diff(user, prepend=user[0] - 1))
    counts = np.diff(np.append(starts, len(user)))
    for rank in range(int(counts.max())):
        yield starts[counts > rank] + rank


def _joined(users: Ids, known: Ids, newest: Ids) -> Ids:
    """Returns the rows of `newest`, which are those of `known`, for `users`."""
    order = np.argsort(known)
    at = np.minimum(np.searchsorted(known, users, sorter=order), len(known) - 1)
    found = newest[order[at]]
    found[known[order[at]] != users] = _NO_ITEM
    return found


def _as_lists(rows: Ids) -> pa.Array:
    present = rows != _NO_ITEM
    offsets = np.concatenate([[0], np.cumsum(present.sum(axis=1))]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(rows[present]))
