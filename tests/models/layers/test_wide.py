"""Wide part: sums of weights, lists, numbers by domain, and permanent names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from models.features.feature import Feature
from models.features.id_space import IdSpace
from models.features.table import FeatureTable
from models.layers.wide import Wide

TABLE = FeatureTable(
    features=(
        Feature(name="item_id", kind="id", vocabulary="item"),
        Feature(name="recent", kind="ids", vocabulary="item", max_length=3),
        Feature(name="domain", kind="id", vocabulary="domain"),
    ),
    vocabularies={
        "item": IdSpace(capacity=4, oov_buckets=1),
        "domain": IdSpace(capacity=2, oov_buckets=1),
    },
)
ROWS = {
    "item_id": tf.constant([3, 4], tf.int64),
    "recent": tf.constant([[3, 5, 0], [0, 0, 0]], tf.int64),
    "domain": tf.constant([3, 4], tf.int64),
}


@pytest.fixture
def wide() -> Wide:
    layer = Wide(TABLE, num_numbers=2)
    layer(ROWS, [tf.zeros([2, 2])])
    for name, values in {
        "item_id/weight": [0, 0, 0, 1.0, 2.0, 3.0, 0],
        "recent/weight": [9.0, 0, 0, 10.0, 0, 20.0, 0],
        "domain/weight": [0, 0, 0, 100.0, 200.0],
        "numbers/kernel": [0.5, -1.0],
        "numbers_by_domain/table": [[0, 0], [0, 0], [0, 0], [1.0, 0.0], [0.0, 3.0]],
    }.items():
        layer.named_variables()[name].assign(np.array(values, np.float32))
    return layer


def test_weights_of_ids_lists_and_numbers_are_added(wide: Wide) -> None:
    numbers = [[2.0, 4.0], [6.0, 8.0]]
    first = 1 + (10 + 20) / 2 + 100 + 2 * (0.5 + 1) + 4 * -1.0
    second = 2 + 0 + 200 + 6 * 0.5 + 8 * (-1.0 + 3.0)
    found = wide(ROWS, [tf.constant(numbers)])
    np.testing.assert_allclose(found, [first, second])


def test_numbers_may_come_in_parts_and_users_once_for_all_items(wide: Wide) -> None:
    shared = {**ROWS, "recent": ROWS["recent"][:1], "domain": ROWS["domain"][:1]}
    repeated = {name: tf.repeat(values, [2], 0) for name, values in shared.items()}
    repeated["item_id"] = ROWS["item_id"]
    parts = [tf.constant([[2.0]]), tf.constant([[4.0], [5.0]])]
    together = tf.constant([[2.0, 4.0], [2.0, 5.0]])
    np.testing.assert_allclose(wide(shared, parts), wide(repeated, [together]))


def test_every_weight_starts_at_zero_so_that_nothing_is_added_untrained() -> None:
    layer = Wide(TABLE, num_numbers=2)
    np.testing.assert_array_equal(layer(ROWS, [tf.ones([2, 2])]), [0.0, 0.0])


def test_without_a_feature_domain_numbers_have_one_weight_each() -> None:
    table = TABLE.model_copy(update={"features": TABLE.features[:2]})
    layer = Wide(table, num_numbers=1)
    layer(ROWS, [tf.ones([2, 1])])
    assert list(layer.number_variables()) == ["numbers/kernel"]


def test_gradients_of_rows_are_sparse(wide: Wide) -> None:
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(wide(ROWS, [tf.ones([2, 2])]))
    named = wide.named_variables()
    gradients: dict[str, Any] = dict(
        zip(named, tape.gradient(loss, list(named.values())), strict=True)
    )
    dense = gradients.pop("numbers/kernel")
    np.testing.assert_allclose(dense, [2.0, 2.0])
    assert all(isinstance(g, tf.IndexedSlices) for g in gradients.values())


def test_the_configuration_rebuilds_the_layer() -> None:
    layer = Wide.from_config(Wide(TABLE, num_numbers=2).get_config())
    assert (layer.features, layer.num_numbers) == (TABLE, 2)
