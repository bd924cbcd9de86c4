"""Slices of evaluation impressions."""

import pyarrow as pa
import pytest
from pydantic import ValidationError

from components.evaluation_set.slice_rules import SliceRule
from components.evaluation_set.slice_rules import rules_from_json
from components.evaluation_set.slice_rules import rules_to_json
from components.evaluation_set.slices import add_slices
from components.evaluation_set.slices import bucket_labels
from components.evaluation_set.slices import slice_column

HISTORY = SliceRule(feature="user_impressions", upto=(0, 5, 20))


def slices_of(values, kind, rule):
    column = slice_column(pa.array(values, pa.large_list(kind)), rule)
    assert column.type == pa.large_list(pa.large_binary())
    return [value.decode() for (value,) in column.to_pylist()]


@pytest.mark.parametrize(
    ("upto", "labels"),
    [
        ([0, 5, 20], ["0", "1-5", "6-20", "21+"]),
        ([7], ["0-7", "8+"]),
        ([1, 2, 3], ["0-1", "2", "3", "4+"]),
    ],
)
def test_names_of_buckets(upto, labels):
    assert bucket_labels(upto) == labels


def test_ends_belong_to_their_bucket():
    values = [[0], [1], [5], [6], [20], [21], [10**9]]
    expected = ["0", "1-5", "1-5", "6-20", "6-20", "21+", "21+"]
    assert slices_of(values, pa.int64(), HISTORY) == expected


def test_missing_values_are_a_slice_of_their_own():
    assert slices_of([[], [3], None, []], pa.int64(), HISTORY) == [
        "missing",
        "1-5",
        "missing",
        "missing",
    ]
    assert slices_of([[float("nan")], [2.5]], pa.float32(), HISTORY) == [
        "missing",
        "1-5",
    ]


def test_ids_are_slices_by_value():
    rule = SliceRule(feature="hour")
    assert slices_of([[b"23"], [], [b"0"]], pa.large_binary(), rule) == [
        "23",
        "missing",
        "0",
    ]


def test_columns_are_added_and_none_is_lost():
    batch = pa.RecordBatch.from_pylist(
        [{"user_impressions": [4], "hour": [b"7"]}, {"user_impressions": []}],
        pa.schema(
            {
                "user_impressions": pa.large_list(pa.int64()),
                "hour": pa.large_list(pa.large_binary()),
            }
        ),
    )
    rules = {"history": HISTORY, "hour": SliceRule(feature="hour")}
    sliced = add_slices(batch.slice(1), rules)
    assert sliced.schema.names == [
        "user_impressions",
        "hour",
        "slice_history",
        "slice_hour",
    ]
    assert sliced.column("slice_history").to_pylist() == [[b"missing"]]
    assert add_slices(batch, {}) == batch


def test_rules_survive_json():
    rules = {"history": HISTORY, "hour": SliceRule(feature="hour")}
    assert rules_from_json(rules_to_json(rules)) == rules


def test_ends_that_do_not_ascend_are_refused():
    with pytest.raises(ValidationError, match=r"\[5, 5\] does not ascend"):
        SliceRule(feature="user_impressions", upto=(5, 5))
