"""Counts of missing, odd and clipped numbers, and drift of their buckets."""

import numpy as np
import pyarrow as pa
import pytest

from components.transform.number_counts import KEYS
from components.transform.number_counts import add_number_counts
from components.transform.number_counts import count_encoded_numbers
from components.transform.number_counts import count_logged
from components.transform.number_counts import describe_numbers
from components.transform.number_counts import numbers_to_json
from components.transform.number_counts import stability_index
from models.features.feature import Feature
from models.features.number_statistics import NumberStatistics
from models.features.table import FeatureTable

FEATURES = FeatureTable(
    features=(
        Feature(name="shown", kind="count", buckets=2),
        Feature(name="ctr", kind="rate", buckets=2),
        Feature(name="price", kind="number", buckets=3),
        Feature(name="image", kind="vector", length=2),
    ),
    vocabularies={},
)
FIRST = {
    "price": NumberStatistics(
        boundaries=(1.0, 2.0), shares=(0.5, 0.25, 0.25), first_day=0, last_day=1
    )
}


def lists(rows, kind):
    return pa.array(rows, pa.large_list(kind))


def logged(**columns):
    kinds = {"shown": pa.int64()}
    empty = [[]] * len(next(iter(columns.values())))
    return pa.table(
        {
            f.name: lists(columns.get(f.name, empty), kinds.get(f.name, pa.float32()))
            for f in FEATURES.features
        }
    )


def encoded(rows, values):
    zeros = [[1]] * len(rows)
    columns = {}
    for name in ("shown", "ctr", "image"):
        columns[name] = lists(zeros, pa.int64())
        of_one = [[0.0, 0.0] if name == "image" else [0.0]] * len(rows)
        columns[f"{name}/value"] = lists(of_one, pa.float32())
    columns["price"] = lists([[row] for row in rows], pa.int64())
    columns["price/value"] = lists([[value] for value in values], pa.float32())
    return pa.table(columns)


def test_a_shard_without_impressions_has_no_counts():
    table = encoded([2], [0.5]).slice(0, 0)
    counts = count_encoded_numbers(table, FEATURES)
    assert {name: int(of_one.sum()) for name, of_one in counts.items()} == {
        feature.name: 0 for feature in FEATURES.features
    }


def test_a_count_that_no_float_holds_is_counted_all_the_same():
    counts = count_logged(logged(shown=[[2**60 + 1], [-(2**60) - 1]]), FEATURES)
    assert counts["shown"][KEYS.index("out_of_range")] == 1


def test_odd_values_are_counted_by_kind():
    table = logged(
        shown=[[0], [-1], [], [5], [7]],
        ctr=[[0.0], [1.0], [1.5], [-0.5], [float("nan")]],
        price=[[-1e30], [float("inf")], [3.0], [], [float("nan")]],
        image=[[0.0, float("nan")], [1.0, 2.0], [], [], []],
    )
    found = numbers_to_json({"ads": count_logged(table, FEATURES)})["ads"]
    odd = {n: (c["out_of_range"], c["non_finite"]) for n, c in found.items()}
    assert odd == {"shown": (1, 0), "ctr": (2, 1), "price": (0, 2), "image": (0, 1)}


def test_encoded_numbers_are_counted_by_bucket_and_parts_add_up():
    table = encoded([1, 2, 2, 4, 3], [0.0, -5.0, 1.0, 5.0, 0.2])
    whole = count_encoded_numbers(table, FEATURES)
    price = numbers_to_json({"ads": whole})["ads"]["price"]
    assert price == {
        **dict.fromkeys(KEYS, 0),
        "rows": 5,
        "missing": 1,
        "clipped": 2,
        "buckets": [2, 1, 1],
    }
    parts = [
        count_encoded_numbers(table.slice(a, b), FEATURES) for a, b in ((0, 2), (2, 9))
    ]
    added = add_number_counts(parts)
    assert {n: c.tolist() for n, c in added.items()} == {
        n: c.tolist() for n, c in whole.items()
    }


def test_a_block_like_the_first_needs_no_line():
    counts = count_encoded_numbers(encoded([2, 2, 3, 4], [0.0] * 4), FEATURES)
    assert describe_numbers({"ads": {"price": counts["price"]}}, FIRST) == []


def test_drift_and_odd_values_have_a_line():
    counts = count_encoded_numbers(encoded([4, 4, 4, 1], [5.0] * 4), FEATURES)
    odd = count_logged(logged(price=[[float("inf")], [1.0]]), FEATURES)
    both = {"price": counts["price"] + odd["price"]}
    # (0 - .5) ln(.0001/.5) + (0 - .25) ln(.0001/.25) + (1 - .25) ln(1/.25)
    assert describe_numbers({"ads": both}, FIRST) == [
        "price: 1 values not finite, distributed otherwise than in "
        "1970-01-01..1970-01-02 (stability index 7.25, 100.0% of impressions clipped), "
        "25.0% of impressions without, 0.0% in 1970-01-01..1970-01-02"
    ]


@pytest.mark.parametrize(
    ("counts", "shares", "expected"),
    [
        ([5, 5], [0.5, 0.5], 0.0),
        ([0, 0], [0.5, 0.5], 0.0),
        ([9, 1], [0.5, 0.5], 0.4 * np.log(1.8) - 0.4 * np.log(0.2)),
    ],
)
def test_stability_index(counts, shares, expected):
    assert stability_index(np.array(counts), shares) == pytest.approx(expected)
