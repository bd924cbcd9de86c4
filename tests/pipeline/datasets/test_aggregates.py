"""Point-in-time aggregates against a per-row reference, without later information."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipeline.datasets.aggregates import SMOOTHING_STRENGTH
from pipeline.datasets.aggregates import cutoffs
from pipeline.datasets.aggregates import point_in_time_aggregates

Rating = tuple[str, str, int, int]  # user, item, day, clicked

RATINGS: tuple[Rating, ...] = (
    ("ann", "lamp", 10, 1),
    ("bob", "lamp", 10, 0),
    ("ann", "desk", 12, 1),
    ("ann", "book", 12, 1),
    ("ann", "lamp", 15, 0),
    ("ann", "lamp", 16, 1),
    ("ann", "sofa", 20, 1),
    ("bob", "sofa", 20, 1),
)


def _aggregate(ratings: Any, **options: Any) -> list[dict[str, Any]]:
    users, items, days, clicked = zip(*ratings, strict=True)
    rows: list[dict[str, Any]] = point_in_time_aggregates(
        pa.array(users),
        pa.array(items),
        np.array(days, np.int64),
        np.array(clicked, np.int64),
        **options,
    ).to_pylist()
    return rows


def _reference(ratings: Any, cutoffs: Any = None) -> list[dict[str, Any]]:
    """What the docstring says, one row at a time, from the rows of earlier days."""
    rows = []
    for i, (user, item, day, _) in enumerate(ratings):
        end = day if cutoffs is None else cutoffs[i]
        earlier = [r for r in ratings if r[2] < end]
        base = sum(r[3] for r in earlier) / len(earlier) if earlier else 0.5
        row: dict[str, Any] = {}
        for entity, position, key in (("item", 1, item), ("user", 0, user)):
            own = [r for r in earlier if r[position] == key]
            smoothed = sum(r[3] for r in own) + SMOOTHING_STRENGTH * base
            row[f"{entity}_impressions"] = len(own)
            row[f"{entity}_click_rate"] = smoothed / (len(own) + SMOOTHING_STRENGTH)
            row[f"{entity}_age_days"] = end - min(r[2] for r in own) if own else None
        rows.append(row)
    return rows


def _assert_equal(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    for ours, theirs in zip(found, expected, strict=True):
        for name in ("item_click_rate", "user_click_rate"):
            assert ours.pop(name) == pytest.approx(theirs.pop(name), abs=1e-12)
        assert ours == theirs


def _random_ratings(seed: int, count: int = 150) -> list[Rating]:
    random = np.random.default_rng(seed)
    return [
        (f"u{user}", f"i{item}", int(day), int(click))
        for user, item, day, click in zip(
            random.integers(0, 6, count),
            random.integers(0, 9, count),
            random.integers(-3, 25, count),
            random.random(count) < 0.7,
            strict=True,
        )
    ]


def test_literal_rows() -> None:
    rows = _aggregate(RATINGS)
    # First day: nobody knows anything, not even of the other row of that day.
    assert rows[1] == {
        "item_impressions": 0,
        "item_click_rate": 0.5,
        "item_age_days": None,
        "user_impressions": 0,
        "user_click_rate": 0.5,
        "user_age_days": None,
    }
    # Day 15: the lamp has 1 click of 2; the domain 3 of 4; ann 3 of 3.
    assert rows[4]["item_impressions"] == 2
    assert rows[4]["item_click_rate"] == pytest.approx((1 + 20 * 0.75) / 22)
    assert rows[4]["item_age_days"] == 5
    assert rows[4]["user_click_rate"] == pytest.approx((3 + 20 * 0.75) / 23)


@pytest.mark.parametrize("seed", range(5))
def test_equals_per_row_reference(seed: int) -> None:
    ratings = _random_ratings(seed)
    _assert_equal(_aggregate(ratings), _reference(ratings))


@pytest.mark.parametrize("seed", range(3))
def test_aggregates_stand_as_of_the_cutoff(seed: int) -> None:
    ratings = _random_ratings(seed)
    cutoff = np.array([rating[2] - rating[2] % 7 for rating in ratings])
    _assert_equal(_aggregate(ratings, cutoff=cutoff), _reference(ratings, cutoff))


@pytest.mark.parametrize("seed", range(3))
def test_rows_that_do_not_count_are_as_if_they_were_absent(seed: int) -> None:
    ratings = _random_ratings(seed)
    counted = np.array([rating[0] != "u1" for rating in ratings])
    found = _aggregate(ratings, counted=counted)
    others = [rating for rating in ratings if rating[0] != "u1"]
    kept = [row for row, counts in zip(found, counted, strict=True) if counts]
    _assert_equal(kept, _reference(others))
    assert all(
        row["user_impressions"] == 0
        for row, counts in zip(found, counted, strict=True)
        if not counts
    )


@pytest.mark.parametrize(
    ("freeze", "expected"),
    [
        (None, "2014-02-05 2014-03-31 2014-12-01 1969-11-30"),
        ("month", "2014-02-01 2014-03-01 2014-12-01 1969-11-01"),
        ("quarter", "2014-01-01 2014-01-01 2014-10-01 1969-10-01"),
    ],
    ids=str,
)
def test_cutoff_is_the_first_day_of_the_period(freeze: Any, expected: str) -> None:
    days = np.array(
        ["2014-02-05", "2014-03-31", "2014-12-01", "1969-11-30"], "datetime64[D]"
    )
    found = cutoffs(days.astype(np.int64), freeze).astype("datetime64[D]")
    assert " ".join(found.astype(str)) == expected


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("clicked", [0, 1], ids=["planted_view", "planted_click"])
def test_rows_never_see_their_own_day_or_later(seed: int, clicked: int) -> None:
    ratings = _random_ratings(seed)
    planted_day = 12
    before = _aggregate(ratings)
    after = _aggregate([*ratings, ("u1", "i1", planted_day, clicked)])
    compared = zip(ratings, before, after[:-1], strict=True)
    changed = {rating[2] for rating, old, new in compared if old != new}
    assert changed, "the planted row must show in the rows after its day"
    assert min(changed) > planted_day


def test_a_row_does_not_see_its_own_click() -> None:
    flipped = [(user, item, day, 1 - click) for user, item, day, click in RATINGS]
    for i, rating in enumerate(RATINGS):
        same_label_elsewhere = [*RATINGS[:i], flipped[i], *RATINGS[i + 1 :]]
        assert _aggregate(same_label_elsewhere)[i] == _aggregate(RATINGS)[i], rating


@pytest.mark.parametrize("seed", range(3))
def test_order_of_rows_does_not_matter(seed: int) -> None:
    ratings = _random_ratings(seed)
    order = np.random.default_rng(seed).permutation(len(ratings))
    shuffled = _aggregate([ratings[i] for i in order])
    expected = _aggregate(ratings)
    assert shuffled == [expected[i] for i in order]


def test_counts_and_ages_only_grow() -> None:
    ratings = sorted(_random_ratings(7), key=lambda rating: rating[2])
    for entity, position in (("user", 0), ("item", 1)):
        last: dict[str, tuple[int, int]] = {}
        for rating, row in zip(ratings, _aggregate(ratings), strict=True):
            key = str(rating[position])
            seen = (row[f"{entity}_impressions"], row[f"{entity}_age_days"] or 0)
            assert seen >= last.get(key, (0, 0))
            assert (row[f"{entity}_age_days"] is None) == (seen[0] == 0)
            last[key] = seen


def test_repeated_rows_count_as_impressions() -> None:
    ratings = [("ann", "lamp", 1, 1)] * 3 + [("ann", "desk", 2, 1)]
    assert _aggregate(ratings)[3]["user_impressions"] == 3


@pytest.mark.parametrize("clicked", [0, 1])
def test_single_row(clicked: int) -> None:
    row = _aggregate([("ann", "lamp", 1, clicked)])[0]
    assert row["item_impressions"] == 0


def test_no_rows() -> None:
    none = np.array([], np.int64)
    ids = pa.array([], pa.string())
    table = point_in_time_aggregates(ids, ids, none, none)
    assert table.num_rows == 0


def test_column_types() -> None:
    ids = pa.array(["a"])
    one = np.array([1], np.int64)
    schema = point_in_time_aggregates(ids, ids, one, one).schema
    assert {field.name: str(field.type) for field in schema} == {
        "item_impressions": "int64",
        "item_click_rate": "double",
        "item_age_days": "int64",
        "user_impressions": "int64",
        "user_click_rate": "double",
        "user_age_days": "int64",
    }


def test_refuses_bad_arguments() -> None:
    ids = pa.array(["a"])
    one = np.array([1], np.int64)
    with pytest.raises(ValueError, match=r"equally long; received \(1, 1, 2, 1, 2, 2"):
        point_in_time_aggregates(ids, ids, np.array([1, 2]), one)
