"""Point-in-time aggregates of user and item, as of the end of the previous day.

Production logs contain such counters as of the time of the impression. Data sets of
plain ratings do not, so the importer computes them here. Rows of one day do not count
for each other, because their order within the day is unknown.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Ints = npt.NDArray[np.int64]

# Weight of the domain's click rate, in impressions. Our choice: among 1 to 100, values
# of 10 to 50 gave the best log loss of the smoothed rate itself, for users and items,
# on xmarket's four sources from 2014 to 2018 (items of ca, uk, fr, mx: 0.366, 0.330,
# 0.396, 0.297 at 20; 0.393, 0.356, 0.427, 0.328 at 1).
SMOOTHING_STRENGTH = 20.0
# Click rate of a domain before its first day, when nothing is known about it.
UNKNOWN_CLICK_RATE = 0.5


def point_in_time_aggregates(
    user_ids: pa.Array,
    item_ids: pa.Array,
    days: Ints,
    clicked: Ints,
    *,
    max_length: int,
) -> pa.Table:
    """Returns each row's aggregates as of the end of the day before the row's day.

    For an entity (the row's user or item) with `n` earlier impressions and `c` clicks
    among them, in a domain whose click rate to date is `base`:
    `click_rate = (c + SMOOTHING_STRENGTH * base) / (n + SMOOTHING_STRENGTH)`.

    Args:
        user_ids: string array of shape (rows,), all of one domain, in any order.
        item_ids: string array of shape (rows,).
        days: Days since 1970-01-01, shape (rows,).
        clicked: 0 or 1, shape (rows,).
        max_length: Maximum length of `recent_items`; at least 1.

    Returns:
        A table of `rows` rows in the order of the input: `<entity>_impressions`
        (int64), `<entity>_click_rate` (double), `<entity>_age_days` (int64, days since
        the entity was first seen, null if it is new) for `item` and `user`, and
        `recent_items` (list<string>, the distinct items that the user clicked last,
        newest first, those of one day in ascending order of their ids).

    Raises:
        ValueError: `max_length` is below 1 or the arrays are not equally long.
    """
    if max_length < 1:
        raise ValueError(f"max_length must be at least 1; received {max_length}")
    lengths = (len(user_ids), len(item_ids), len(days), len(clicked))
    if len(set(lengths)) > 1:
        raise ValueError(f"the four arrays must be equally long; received {lengths}")
    users, _ = encode_ids(user_ids)
    items, item_names = encode_ids(item_ids)
    impressions, clicks, _ = _history(np.zeros_like(days), days, clicked)
    base = np.divide(
        clicks,
        impressions,
        out=np.full(len(days), UNKNOWN_CLICK_RATE),
        where=impressions > 0,
    )
    columns: dict[str, Any] = {}
    for entity, codes in (("item", items), ("user", users)):
        impressions, clicks, first_day = _history(codes, days, clicked)
        columns[f"{entity}_impressions"] = pa.array(impressions)
        columns[f"{entity}_click_rate"] = pa.array(
            (clicks + SMOOTHING_STRENGTH * base) / (impressions + SMOOTHING_STRENGTH)
        )
        columns[f"{entity}_age_days"] = pa.array(
            days - first_day, mask=impressions == 0
        )
    recent = _recent_items(users, items, days, clicked, max_length)
    columns["recent_items"] = _id_lists(recent, item_names)
    return pa.table(columns)


def encode_ids(ids: pa.Array) -> tuple[Ints, pa.Array]:
    """Returns each id's rank among the distinct ids, and the sorted distinct ids."""
    encoded = ids.dictionary_encode()
    order = pc.array_sort_indices(encoded.dictionary)
    rank = np.empty(len(order), np.int64)
    rank[order.to_numpy()] = np.arange(len(order))
    return rank[encoded.indices.to_numpy()], encoded.dictionary.take(order)


def _id_lists(codes: Ints, names: pa.Array) -> pa.Array:
    """Returns lists of ids from codes of shape (rows, max_length), padded with -1."""
    present = codes >= 0
    offsets = np.concatenate([[0], np.cumsum(present.sum(axis=1))]).astype(np.int32)
    return pa.ListArray.from_arrays(
        pa.array(offsets), names.take(pa.array(codes[present]))
    )


def _history(codes: Ints, days: Ints, clicked: Ints) -> tuple[Ints, Ints, Ints]:
    """Counts, for each row, the rows with the same code on earlier days.

    Returns:
        Earlier rows, clicks among them, and the first day of the code (the row's own
        day if there is no earlier row), each of shape (rows,).
    """
    order = np.lexsort((days, codes))
    sorted_codes, sorted_days = codes[order], days[order]
    new_code = _changes(sorted_codes)
    code_start = _last_start(new_code)
    day_start = _last_start(new_code | _changes(sorted_days))
    clicks_before = np.concatenate([[0], np.cumsum(clicked[order])])
    impressions, clicks, first_day = (np.empty_like(days) for _ in range(3))
    impressions[order] = day_start - code_start
    clicks[order] = clicks_before[day_start] - clicks_before[code_start]
    first_day[order] = sorted_days[code_start]
    return impressions, clicks, first_day


def _changes(values: Ints) -> npt.NDArray[np.bool_]:
    """Returns where a value differs from its predecessor; true for the first."""
    changes = np.ones(len(values), np.bool_)
    np.not_equal(values[1:], values[:-1], out=changes[1:])
    return changes


def _last_start(starts: npt.NDArray[np.bool_]) -> Ints:
    """Returns, for each position, the last start at or before it."""
    positions = np.arange(len(starts))
    last: Ints = np.maximum.accumulate(np.where(starts, positions, 0))
    return last


def _recent_items(
    users: Ints, items: Ints, days: Ints, clicked: Ints, max_length: int
) -> Ints:
    """Returns each row's recent items as codes, padded with -1.

    The shape is (rows, max_length). The list after a click is computed from the list
    before it, vectorised over users: first all users' first clicks, then all second
    clicks, and so on. The most active user's clicks are the number of steps.
    """
    chosen = np.flatnonzero(clicked)
    # Ascending days and, within a day, descending items: as the list is newest first,
    # the items of one day are ascending in it.
    chosen = chosen[np.lexsort((-items[chosen], days[chosen], users[chosen]))]
    click_users, click_items, click_days = users[chosen], items[chosen], days[chosen]
    rank = np.arange(len(chosen)) - _last_start(_changes(click_users))
    # One list per click, which includes that click, and an empty one at position -1 for
    # rows without an earlier click.
    lists = np.full((len(chosen) + 1, max_length), -1, np.int64)
    by_rank = np.argsort(rank, kind="stable")
    steps = np.split(by_rank, np.cumsum(np.bincount(rank))[:-1])
    for step, clicks in enumerate(steps):
        item = click_items[clicks]
        if step > 0:
            previous = lists[clicks - 1]  # (users, max_length)
            # An item that is in the list already moves to its front.
            moved = np.logical_or.accumulate(previous == item[:, None], axis=1)
            lists[clicks, 1:] = np.where(
                moved[:, :-1], previous[:, 1:], previous[:, :-1]
            )
        lists[clicks, 0] = item
    last_click = _last_before(users, days, click_users, click_days)
    return lists[last_click]


def _last_before(users: Ints, days: Ints, click_users: Ints, click_days: Ints) -> Ints:
    """Returns the position of the last click of each row's user before the row's day.

    The clicks are ascending by user, then day. Rows without an earlier click get -1.
    """
    if len(days) == 0:
        return days
    first_day = days.min()
    num_days = days.max() - first_day + 1
    keys = users * num_days + (days - first_day)
    click_keys = click_users * num_days + (click_days - first_day)
    position = np.searchsorted(click_keys, keys, side="left") - 1
    own = (position >= 0) & (np.append(click_users, -1)[position] == users)
    found: Ints = np.where(own, position, -1)
    return found
