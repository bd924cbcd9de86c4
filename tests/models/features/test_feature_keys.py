"""Keys of a feature that its kind does not read are refused, and not stored."""

import pytest
from pydantic import ValidationError

from models.features.feature import Feature
from models.features.registry import KINDS

# By key that only some kinds read: a value, and the kinds that read it.
OWN = {
    "vocabulary": ("item", {"id", "ids"}),
    "of": (("user_id", "item_id"), {"cross"}),
    "buckets": (8, {"count", "rate", "number", "cross"}),
    "max_length": (3, {"ids"}),
    "length": (4, {"vector"}),
    "counts": (True, {"ids"}),
    "side": ("context", set(KINDS) - {"cross"}),
}
NEEDED = {
    "id": {"vocabulary": "item"},
    "ids": {"vocabulary": "item"},
    "vector": {"length": 4},
    "cross": {"of": ("user_id", "item_id")},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("key", OWN)
def test_a_key_that_the_kind_does_not_read_is_refused(kind, key):
    value, readers = OWN[key]
    keys = {"name": "x", "kind": kind, **NEEDED.get(kind, {}), key: value}
    if kind in readers:
        assert getattr(Feature(**keys), key) == value
        return
    message = rf"'x' is of kind '{kind}', which does not read `{key}`.*remove the key"
    with pytest.raises(ValidationError, match=message):
        Feature(**keys)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("key", OWN)
def test_an_unread_key_is_refused_with_its_default_too(kind, key):
    if kind in OWN[key][1]:
        return
    default = Feature.model_fields[key].default
    keys = {"name": "x", "kind": kind, **NEEDED.get(kind, {}), key: default}
    with pytest.raises(ValidationError, match=f"does not read `{key}`"):
        Feature(**keys)


def test_every_key_is_read_by_all_kinds_or_declared_by_those_that_read_it():
    declared = set().union(*(kind.own_keys for kind in KINDS.values()))
    assert declared == set(OWN)
    shared = {"name", "kind", "width", "tpm", "domains"}
    assert declared | shared == set(Feature.model_fields)


@pytest.mark.parametrize("kind", KINDS)
def test_only_keys_that_the_kind_reads_are_stored(kind):
    stored = Feature(name="x", kind=kind, **NEEDED.get(kind, {})).model_dump()
    unread = {key for key, (_, readers) in OWN.items() if kind not in readers}
    assert set(stored) == set(Feature.model_fields) - unread


@pytest.mark.parametrize("kind", KINDS)
def test_a_feature_with_every_key_written_out_is_read_again(kind):
    feature = Feature(name="x", kind=kind, **NEEDED.get(kind, {}))
    assert Feature.model_validate(feature.model_dump()) == feature
