"""Keys of a feature that its kind does not read are refused."""

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
def test_a_feature_with_every_key_written_out_is_read_again(kind):
    feature = Feature(name="x", kind=kind, **NEEDED.get(kind, {}))
    assert Feature.model_validate(feature.model_dump()) == feature
