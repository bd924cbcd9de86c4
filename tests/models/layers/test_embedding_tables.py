"""EmbeddingTables: values by hand, bad input, config round trip, saving."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from models.errors import ConfigError
from models.features.feature import Feature
from models.features.id_space import IdSpace
from models.features.table import FeatureTable
from models.layers.embedding_tables import EmbeddingTables
from models.layers.embedding_tables import table_widths

ITEM = IdSpace(capacity=2, oov_buckets=1)  # 5 rows
FEATURES = FeatureTable(
    features=(
        Feature(name="item_id", kind="id", vocabulary="item"),
        Feature(name="recent", kind="ids", vocabulary="item", max_length=3),
        Feature(name="age", kind="count", buckets=2, width=1),
    ),
    vocabularies={"item": ITEM},
)
TABLE = np.array([[9, 9], [1, 0], [2, 0], [3, 1], [4, 2]], np.float32)
ROWS = {
    "item_id": tf.constant([3, 1], tf.int64),
    "recent": tf.constant([[2, 4, 0], [0, 0, 0]], tf.int64),
    "age": tf.constant([2, 3], tf.int64),
}


def _layer() -> EmbeddingTables:
    layer = EmbeddingTables(FEATURES, width=2, name="embedding")
    layer(ROWS)
    layer.tables["item"].assign(TABLE)
    return layer


def test_features_of_a_vocabulary_share_its_table() -> None:
    layer = _layer()
    embedded = layer(ROWS)
    assert list(embedded) == ["item_id", "recent", "age"]
    np.testing.assert_array_equal(embedded["item_id"], [[3, 1], [1, 0]])
    # Mean of rows 2 and 4; an empty list is zeros, whatever row 0 holds.
    np.testing.assert_array_equal(embedded["recent"], [[3, 1], [0, 0]])
    assert embedded["age"].shape == (2, 1)
    assert {v.name for v in layer.weights} == {
        "embedding/item/table:0",
        "embedding/age/table:0",
    }


def test_list_order_and_padding_do_not_matter() -> None:
    layer = _layer()
    shuffled = tf.constant([[0, 4, 2], [0, 0, 0]], tf.int64)
    np.testing.assert_array_equal(
        layer({**ROWS, "recent": shuffled})["recent"], layer(ROWS)["recent"]
    )


def test_gradients_are_sparse_and_padding_gets_none() -> None:
    layer = _layer()
    with tf.GradientTape() as tape:
        loss = tf.add_n([tf.reduce_sum(v) for v in layer(ROWS).values()])
    gradient = tape.gradient(loss, layer.tables["item"])
    assert isinstance(gradient, tf.IndexedSlices)
    dense = tf.convert_to_tensor(gradient).numpy()
    np.testing.assert_array_equal(dense[0], [0, 0])


def test_missing_feature_is_named() -> None:
    with pytest.raises(ValueError, match="age missing. Received: item_id"):
        EmbeddingTables(FEATURES, width=2)(
            {name: ROWS[name] for name in ("item_id", "recent")}
        )


@pytest.mark.parametrize(
    ("features", "message"),
    [
        pytest.param(
            (
                Feature(name="a", kind="id", vocabulary="item", width=3),
                Feature(name="b", kind="id", vocabulary="item", width=4),
            ),
            "'b' wants width 4 .* another feature 3",
            id="widths",
        ),
        pytest.param(
            (Feature(name="item", kind="count"),),
            "'item' of kind 'count' has the name of a vocabulary",
            id="name",
        ),
    ],
)
def test_tables_that_cannot_be_shared_are_refused(
    features: tuple[Feature, ...], message: str
) -> None:
    table = FeatureTable(features=features, vocabularies={"item": ITEM})
    with pytest.raises(ConfigError, match=message):
        table_widths(table, 8)


def test_config_round_trip() -> None:
    layer = _layer()
    copy = keras.layers.deserialize(keras.layers.serialize(layer))
    assert copy.get_config() == layer.get_config()
    assert copy.features == FEATURES


def test_saving(tmp_path: Path) -> None:
    layer = _layer()
    inputs: dict[str, Any] = {
        name: keras.Input(rows.shape[1:], name=name, dtype="int64")
        for name, rows in ROWS.items()
    }
    model = keras.Model(inputs, layer(inputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(ROWS)["recent"], layer(ROWS)["recent"])
