"""Limits that kinds set in a schema: what logs may have passes, odd values do not."""

import pytest
from tensorflow_metadata.proto.v0 import schema_pb2

from models.features.feature import Feature


def limited(**keys):
    feature = Feature(name="f", **keys)
    declared = schema_pb2.Feature(name="f")
    feature.feature_kind.limit(declared, feature)
    return declared


@pytest.mark.parametrize(
    ("keys", "most"),
    [
        ({"kind": "ids", "vocabulary": "item", "max_length": 3}, 3),
        ({"kind": "vector", "length": 4}, 4),
    ],
    ids=["ids", "vector"],
)
def test_a_list_may_be_missing_and_has_a_largest_length(keys, most):
    # In raw Examples a missing list or vector is an empty list.
    count = limited(**keys).value_count
    assert (count.min, count.max) == (0, most)


def test_only_kinds_with_a_range_have_limits():
    assert limited(kind="count").int_domain.min == 0
    number = limited(kind="number").float_domain
    assert not number.HasField("min")
    assert not number.HasField("max")
    assert number.disallow_nan
    assert number.disallow_inf
