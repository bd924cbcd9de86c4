"""Recent items against a per-row reference, without later information."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from pipeline.datasets.recent_items import RecentItems

Click = tuple[str, str, int]  # user, item, day

CLICKS: tuple[Click, ...] = (
    ("ann", "lamp", 10),
    ("ann", "desk", 12),
    ("ann", "book", 12),
    ("ann", "lamp", 16),
    ("bob", "sofa", 20),
)


def _recent(
    clicks: list[Click] | tuple[Click, ...],
    rows: list[tuple[str, int]],
    max_length: int = 3,
) -> list[list[str]]:
    users, items, days = zip(*clicks, strict=True)
    history = RecentItems(
        pa.array(users), pa.array(items), np.array(days, np.int64), max_length
    )
    asked, cutoff = zip(*rows, strict=True)
    found = history.before(pa.array(asked, pa.string()), np.array(cutoff, np.int64))
    lists: list[list[str]] = found.to_pylist()
    return lists


def _reference(clicks: list[Click], user: str, cutoff: int) -> list[str]:
    """Distinct items, newest first, those of one day by id; one row at a time."""
    earlier = [click for click in clicks if click[0] == user and click[2] < cutoff]
    newest = {i: max(d for _, j, d in earlier if j == i) for _, i, _ in earlier}
    return sorted(newest, key=lambda item: (-newest[item], item))


def test_literal_lists() -> None:
    rows = [("ann", 10), ("ann", 12), ("ann", 13), ("ann", 17), ("bob", 20)]
    assert _recent(CLICKS, rows) == [
        [],
        ["lamp"],
        ["book", "desk", "lamp"],
        ["lamp", "book", "desk"],
        [],
    ]


def test_a_user_without_clicks_in_the_domain_has_an_empty_list() -> None:
    assert _recent(CLICKS, [("cid", 99), ("bob", 99)]) == [[], ["sofa"]]


@pytest.mark.parametrize("max_length", [1, 3, 20])
@pytest.mark.parametrize("seed", range(3))
def test_equals_per_row_reference(seed: int, max_length: int) -> None:
    rng = np.random.default_rng(seed)
    clicks = [
        (f"u{user}", f"i{item}", int(day))
        for user, item, day in zip(
            rng.integers(0, 6, 150),
            rng.integers(0, 9, 150),
            rng.integers(-3, 25, 150),
            strict=True,
        )
    ]
    # Users 6 and 7 click nothing; cutoffs lie before and after all clicks, too.
    rows = [(f"u{u}", int(d)) for u in range(8) for d in range(-6, 30, 3)]
    expected = [_reference(clicks, user, cutoff)[:max_length] for user, cutoff in rows]
    assert _recent(clicks, rows, max_length) == expected


def test_a_later_click_changes_no_earlier_list() -> None:
    rows = [("ann", day) for day in range(9, 25)]
    planted = [*CLICKS, ("ann", "rug", 15)]
    before, after = _recent(CLICKS, rows), _recent(planted, rows)
    changed = [
        day for (_, day), a, b in zip(rows, before, after, strict=True) if a != b
    ]
    assert changed == list(range(16, 25))


def test_order_of_clicks_does_not_matter() -> None:
    rows = [(user, day) for user in ("ann", "bob") for day in range(9, 25)]
    assert _recent(CLICKS[::-1], rows) == _recent(CLICKS, rows)


def test_repeated_clicks_are_listed_once() -> None:
    assert _recent([("ann", "lamp", 1)] * 3, [("ann", 2)]) == [["lamp"]]


def test_no_clicks_at_all() -> None:
    none = pa.array([], pa.string())
    history = RecentItems(none, none, np.array([], np.int64), 2)
    found = history.before(pa.array(["ann"]), np.array([5]))
    assert found.to_pylist() == [[]]
    assert str(found.type.value_type) == "string"


def test_refuses_bad_arguments() -> None:
    ids = pa.array(["a"])
    with pytest.raises(ValueError, match="at least 1; received 0"):
        RecentItems(ids, ids, np.array([1]), 0)
    with pytest.raises(ValueError, match=r"equally long; received \(1, 1, 2\)"):
        RecentItems(ids, ids, np.array([1, 2]), 1)
