"""Proposed crosses: a planted one is found, others are not."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from models.days import DayRange
from models.references.crosses import propose_crosses
from models.references.rows import Columns
from models.references.rows import Rows

COLUMNS = Columns(("segment", "category", "user_id"), (), frozenset())
PERIODS = [DayRange(6, 7), DayRange(8, 9)]


def world(effect: float, *, days: int = 10, of_day: int = 1_000) -> Rows:
    """Clicks that depend on whether segment and category are both even or both odd."""
    rng = np.random.default_rng(0)
    count = days * of_day
    segment, category = rng.integers(0, 4, count), rng.integers(0, 5, count)
    alike = np.where((segment + category) % 2 == 0, effect, -effect)
    labels = rng.random(count) < 1 / (1 + np.exp(1 - alike))

    def ids(values: np.ndarray) -> pa.Array:
        return pa.array([str(v).encode() for v in values], pa.large_binary())

    table = pa.table(
        {
            "segment": ids(segment),
            "category": ids(category),
            "user_id": ids(rng.integers(0, 300, count)),
            "label": pa.array(labels.astype(np.int64)),
            "day": pa.array(np.repeat(np.arange(days), of_day)),
        }
    )
    return Rows(table, count)


def test_a_planted_pair_is_proposed_alone() -> None:
    (found,) = propose_crosses(world(1.0), COLUMNS, PERIODS)
    assert found.of == ("segment", "category")
    # Of the log loss 0.58 without it, some 0.1 is the pair's.
    assert len(found.gains) == 2
    assert all(0.05 < gain < 0.15 for gain in found.gains)


def test_nothing_is_proposed_where_nothing_was_planted() -> None:
    assert propose_crosses(world(0.0), COLUMNS, PERIODS) == []


def test_unknown_ids_of_the_held_out_days_change_nothing() -> None:
    rows = world(1.0)
    renamed = pa.array(
        [b"new" if day >= 8 else b"old" for day in rows.integers("day")],
        pa.large_binary(),
    )
    at = rows.table.column_names.index("user_id")
    table = rows.table.set_column(at, "user_id", renamed)
    found = propose_crosses(Rows(table, len(table)), COLUMNS, PERIODS)
    assert [one.of for one in found] == [("segment", "category")]


def test_no_more_than_asked_for() -> None:
    assert propose_crosses(world(1.0), COLUMNS, PERIODS, most=0) == []


@pytest.mark.parametrize("period", [DayRange(0, 3), DayRange(20, 21)])
def test_days_without_impressions_on_either_side_are_refused(period: DayRange) -> None:
    with pytest.raises(ValueError, match="Choose later days"):
        propose_crosses(world(1.0, of_day=10), COLUMNS, [period])
