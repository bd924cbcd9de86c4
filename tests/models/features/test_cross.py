"""Kind `cross`: its rows, its parts, and where it is not expected."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from pydantic import ValidationError

from models.features.cross import cross_rows
from models.features.feature import Feature
from models.features.id_space import IdSpace
from models.features.table import FeatureTable

SPACES = {"segment": IdSpace(capacity=4), "item": IdSpace(capacity=4)}
SEGMENT = {"name": "segment", "kind": "id", "vocabulary": "segment", "side": "user"}
ITEM = {"name": "item_id", "kind": "id", "vocabulary": "item"}
SEEN = {"name": "seen", "kind": "ids", "vocabulary": "item"}
PAIR = {"name": "pair", "kind": "cross", "of": ["segment", "item_id"], "buckets": 50}


def table(*features: dict[str, object]) -> FeatureTable:
    return FeatureTable.model_validate({"features": features, "vocabularies": SPACES})


def rows(*parts: list[int], buckets: int = 1_000) -> list[int]:
    found = cross_rows([tf.constant(part, tf.int64) for part in parts], buckets)
    return found.numpy().tolist()


def test_a_combination_has_one_row_and_others_have_others() -> None:
    first, same, swapped, other = rows([7, 7, 8, 7], [8, 8, 7, 9])
    assert first == same
    assert len({first, swapped, other}) == 3


def test_the_row_is_the_hash_of_the_parts_rows() -> None:
    expected = tf.strings.to_hash_bucket_fast(["7 8", "12 3"], 1_000) + 2
    assert rows([7, 12], [8, 3]) == expected.numpy().tolist()


def test_digits_of_the_parts_are_kept_apart() -> None:
    first, second = rows([12, 1], [3, 23])
    assert first != second


def test_rows_lie_in_the_table_and_a_missing_part_makes_it_missing() -> None:
    found = rows([1, 5, 6], [5, 1, 6], buckets=3)
    assert found[:2] == [1, 1]
    assert 2 <= found[2] < 2 + 3 == table(SEGMENT, ITEM, PAIR).num_rows("pair") - 47


def test_a_user_of_one_row_is_combined_with_every_item() -> None:
    assert rows([7], [8, 9]) == rows([7, 7], [8, 9])


def test_triples_differ_from_pairs() -> None:
    (triple,), (pair,) = rows([7], [8], [9]), rows([7], [8])
    assert triple != pair


def test_logs_and_requests_lack_it() -> None:
    both = table(SEGMENT, ITEM, PAIR)
    assert [feature.name for feature in both.logged] == ["segment", "item_id"]
    assert [feature.name for feature in both.derived] == ["pair"]


def test_a_request_has_it_once_only_if_it_has_every_part_once() -> None:
    place = {"name": "place", "kind": "id", "vocabulary": "item", "side": "context"}
    of_user = {**PAIR, "name": "of_user", "of": ["segment", "place"]}
    known = table(SEGMENT, ITEM, place, PAIR, of_user)
    once = [f.name for f in known.features if known.once_per_request(f)]
    assert once == ["segment", "place", "of_user"]


def test_it_describes_no_side_as_its_parts_may_be_of_both() -> None:
    both = table(SEGMENT, ITEM, PAIR)
    assert [f.served_side for f in both.features] == ["user", "item", None]


def test_it_has_more_buckets_than_numbers_unless_told_otherwise() -> None:
    assert Feature(name="a", kind="cross", of=("b", "c")).buckets == 16_384
    assert Feature.model_validate(PAIR).buckets == 50
    assert Feature(name="a", kind="count").buckets == 16


def test_the_table_survives_its_json() -> None:
    both = table(SEGMENT, ITEM, PAIR)
    assert FeatureTable.from_json(both.to_json()) == both


@pytest.mark.parametrize(
    ("feature", "message"),
    [
        ({**PAIR, "of": ["segment"]}, "expected `of: "),
        ({**PAIR, "of": ["segment", "segment"]}, "different features of kind 'id'"),
        ({**PAIR, "of": ["segment", "item_id", "a", "b"]}, "two or three"),
        ({**PAIR, "of": ["segment", "price"]}, "combines 'price'.*segment, item_id"),
        ({**PAIR, "of": ["segment", "seen"]}, "combines 'seen'"),
        ({**PAIR, "of": ["segment", "pair"]}, "combines 'pair'"),
        ({**PAIR, "tpm": True}, "'segment', which it combines, is not"),
        ({**PAIR, "vocabulary": "item"}, "does not read `vocabulary`, but has 'item'"),
        ({**PAIR, "kind": "count"}, "does not read `of`, but has"),
        ({**PAIR, "side": "user"}, "does not read `side`, but has 'user'"),
    ],
)
def test_bad_parts_are_refused(feature: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        table(SEGMENT, ITEM, SEEN, feature)


def test_rows_do_not_depend_on_the_batch() -> None:
    left, right = np.arange(2, 40), np.arange(40, 78)
    alone = [rows([a], [b])[0] for a, b in zip(left, right, strict=True)]
    assert rows(left.tolist(), right.tolist()) == alone
