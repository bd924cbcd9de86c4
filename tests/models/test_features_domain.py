"""Domain of an impression, by a feature with its own vocabulary."""

import pytest

from models.features.feature import Feature
from models.features.id_space import IdSpace
from models.features.table import FeatureTable

_USER = Feature(name="user_id", kind="id", vocabulary="user")
_DOMAIN = Feature(name="domain", kind="id", vocabulary="domain")


@pytest.mark.parametrize(
    ("features", "space", "expected"),
    [
        pytest.param([_USER, _DOMAIN], {}, True, id="own vocabulary"),
        pytest.param([_USER], {}, False, id="no feature"),
        pytest.param([_USER, _DOMAIN], {"encoding": "hash"}, False, id="hashed"),
        pytest.param([_USER, _DOMAIN], {"min_count": 2}, False, id="first rows lost"),
        pytest.param(
            [_USER, _DOMAIN, Feature(name="site", kind="id", vocabulary="domain")],
            {},
            False,
            id="shared vocabulary",
        ),
        pytest.param(
            [_USER, Feature(name="domain", kind="count")], {}, False, id="no id"
        ),
    ],
)
def test_domains_are_told_apart_by_a_vocabulary_of_their_own(features, space, expected):
    vocabularies = {
        "user": IdSpace(capacity=5),
        "domain": IdSpace.model_validate({"capacity": 3, **space}),
    }
    table = FeatureTable(features=tuple(features), vocabularies=vocabularies)
    assert table.tells_domains_apart == expected


def test_few_valued_leaves_out_large_tables() -> None:
    table = FeatureTable(
        features=(
            Feature(name="user_id", kind="id", vocabulary="user"),
            Feature(name="slot", kind="id", vocabulary="slot"),
            Feature(name="age", kind="count", buckets=4),
        ),
        vocabularies={
            "user": IdSpace(capacity=100, oov_buckets=1),
            "slot": IdSpace(capacity=4, oov_buckets=1),
        },
    )
    kept = [feature.name for feature in table.few_valued(20).features]
    assert kept == ["slot", "age"]
