"""Inner product of the user's side and the item's side."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
import tf_keras as keras

from models.features.feature import Feature
from models.features.id_space import IdSpace
from models.features.table import FeatureTable
from models.layers.side_product import SideProduct

FEATURES = FeatureTable(
    features=(
        Feature(name="user_id", kind="id", vocabulary="user"),
        Feature(name="recent", kind="ids", vocabulary="item", side="user"),
        Feature(name="item_id", kind="id", vocabulary="item"),
        Feature(name="domain", kind="id", vocabulary="domain"),
        Feature(name="hour", kind="count", side="context"),
        Feature(name="price", kind="number", width=5),
    ),
    vocabularies={name: IdSpace(capacity=4) for name in ("user", "item", "domain")},
)
USER, RECENT = [[1.0, 2.0], [0.0, 1.0]], [[10.0, 0.0], [0.0, 0.0]]
ITEM, OTHER = [[3.0, -1.0], [2.0, 5.0]], [[100.0, 100.0], [100.0, 100.0]]
VECTORS = {
    "user_id": tf.constant(USER),
    "recent": tf.constant(RECENT),
    "item_id": tf.constant(ITEM),
    "domain": tf.constant(OTHER),
    "hour": tf.constant(OTHER),
    "price": tf.ones([2, 5]),
}


def test_sums_of_both_sides_are_multiplied() -> None:
    # (1 + 10) * 3 + (2 + 0) * -1, and 0 * 2 + 1 * 5.
    product = SideProduct(FEATURES, 2)(VECTORS, {})
    np.testing.assert_array_equal(product, [31.0, 5.0])


def test_domain_context_and_other_widths_take_no_part() -> None:
    layer = SideProduct(FEATURES, 2)
    assert layer.sides == {"user": ["user_id", "recent"], "item": ["item_id"]}


def test_a_cross_takes_no_part() -> None:
    pairs = (
        Feature(name="both", kind="cross", of=("user_id", "item_id")),
        Feature(name="of_items", kind="cross", of=("item_id", "domain")),
    )
    crossed = FEATURES.model_copy(update={"features": (*FEATURES.features, *pairs)})
    layer = SideProduct(crossed, 2)
    vectors = {**VECTORS, "both": tf.constant(OTHER), "of_items": tf.constant(OTHER)}
    assert layer.sides == SideProduct(FEATURES, 2).sides
    np.testing.assert_array_equal(layer(vectors, {}), [31.0, 5.0])


def test_pooled_vectors_are_added_to_their_side() -> None:
    pooled = {"user_id": tf.constant([[1.0, 0.0], [1.0, 0.0]])}
    product = SideProduct(FEATURES, 2)(VECTORS, pooled)
    np.testing.assert_array_equal(product, [31.0 + 3.0, 5.0 + 2.0])


def test_pooled_vectors_of_another_width_take_no_part() -> None:
    # Snapshots have the width of TPM, which an entry's own width need not be.
    pooled = {"user_id": tf.ones([2, 5]), "item_id": tf.ones([2, 3])}
    product = SideProduct(FEATURES, 2)(VECTORS, pooled)
    np.testing.assert_array_equal(product, [31.0, 5.0])


def test_a_user_is_shared_by_many_items() -> None:
    shared = {
        **VECTORS,
        "user_id": tf.constant(USER[:1]),
        "recent": tf.constant(RECENT[:1]),
    }
    product = SideProduct(FEATURES, 2)(shared, {})
    np.testing.assert_array_equal(product, [31.0, 11.0 * 2.0 + 2.0 * 5.0])


def test_without_a_side_it_adds_nothing() -> None:
    users = FeatureTable(
        features=FEATURES.features[:1], vocabularies={"user": IdSpace(capacity=4)}
    )
    product = SideProduct(users, 2)({"user_id": tf.constant(USER)}, {})
    np.testing.assert_array_equal(product, [0.0])


def test_each_vector_gets_the_other_sides_sum_as_gradient() -> None:
    user = tf.Variable(USER)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(
            SideProduct(FEATURES, 2)({**VECTORS, "user_id": user}, {})
        )
    np.testing.assert_array_equal(tape.gradient(total, user), ITEM)


def test_serialises() -> None:
    layer = SideProduct(FEATURES, 2, name="product")
    again = keras.layers.deserialize(keras.layers.serialize(layer))
    assert again.get_config() == layer.get_config()
    np.testing.assert_array_equal(again(VECTORS, {}), layer(VECTORS, {}))
