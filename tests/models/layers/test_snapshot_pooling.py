"""SnapshotPooling: an independent reference, masking laws, folding, saving."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from models.data.snapshots import SnapshotTables
from models.layers.snapshot_pooling import FoldedLookup
from models.layers.snapshot_pooling import SnapshotLookup
from models.layers.snapshot_pooling import SnapshotPooling
from models.layers.snapshot_pooling import fold

WIDTH = 4


def _tables(num_rows: int = 50, periods: int = 3, seed: int = 0) -> SnapshotTables:
    rng = np.random.default_rng(seed)
    present = rng.random((num_rows, periods)) < 0.6
    vectors = rng.normal(size=(num_rows, periods, WIDTH)).astype(np.float32)
    return SnapshotTables(vectors * present[..., None], present)


def _layer(pooling: str = "attention") -> SnapshotPooling:
    layer = SnapshotPooling(WIDTH, pooling)
    layer(np.zeros((1, 1, WIDTH), np.float32), np.ones((1, 1), bool))
    rng = np.random.default_rng(1)
    for variable in layer.weights:
        variable.assign(rng.normal(size=variable.shape))
    return layer


def _reference(layer: SnapshotPooling, vectors: Any, present: Any) -> Any:
    """Attention over the present periods only, one id at a time, then their mean."""
    named = {name: v.numpy() for name, v in layer.named_variables().items()}
    history = vectors[present]  # (present M, D)
    if len(history) == 0:
        return named["default"]
    if layer.pooling == "mean":
        return history.mean(axis=0)
    queries, keys = history @ named["query"], history @ named["key"]
    weights = np.exp(queries @ keys.T / np.sqrt(WIDTH))
    weights /= weights.sum(axis=1, keepdims=True)
    return (weights @ (history @ named["value"])).mean(axis=0)


@pytest.mark.parametrize("pooling", ["attention", "mean"])
@pytest.mark.parametrize("periods", [1, 3, 6])
def test_values(pooling: str, periods: int) -> None:
    layer, tables = _layer(pooling), _tables(periods=periods)
    expected = [_reference(layer, v, p) for v, p in zip(*tables[:2], strict=True)]
    np.testing.assert_allclose(layer(*tables[:2]), expected, atol=1e-5)


@pytest.mark.parametrize("pooling", ["attention", "mean"])
def test_masking_equals_dropping(pooling: str) -> None:
    layer, (vectors, *_) = _layer(pooling), _tables()
    present = np.ones((50, 3), bool)
    present[:, 1] = False
    np.testing.assert_allclose(
        layer(vectors, present),
        layer(vectors[:, [0, 2]], np.ones((50, 2), bool)),
        atol=1e-6,
    )


def test_periods_may_come_in_any_order() -> None:
    layer, (vectors, present, _) = _layer(), _tables()
    np.testing.assert_allclose(
        layer(vectors, present), layer(vectors[:, ::-1], present[:, ::-1]), atol=1e-5
    )


def test_ids_in_no_period_get_the_learned_default() -> None:
    layer = _layer()
    nowhere = np.zeros((2, 3), bool)
    with tf.GradientTape() as tape:
        pooled = layer(np.zeros((2, 3, WIDTH), np.float32), nowhere)
    np.testing.assert_array_equal(pooled, [layer.default.numpy()] * 2)
    gradients = tape.gradient(pooled, layer.trainable_variables)
    assert all(np.isfinite(gradient).all() for gradient in gradients)


def test_training_starts_from_the_mean_of_close_snapshots() -> None:
    layer = SnapshotPooling(WIDTH)
    vectors = np.ones((1, 3, WIDTH), np.float32)
    pooled = layer(vectors, np.ones((1, 3), bool))
    np.testing.assert_allclose(pooled, vectors[:, 0], rtol=1e-6)


@pytest.mark.parametrize("pooling", ["attention", "mean"])
@pytest.mark.parametrize("chunk_rows", [7, 50, 1_000])
def test_folded_equals_unfolded(pooling: str, chunk_rows: int) -> None:
    layer, tables = _layer(pooling), _tables()
    lookup = SnapshotLookup(tables)
    folded = FoldedLookup(fold(layer, lookup, chunk_rows))
    rows = tf.constant([49, 0, 3, 3, 17], tf.int64)
    np.testing.assert_allclose(folded(rows), layer(*lookup(rows)), atol=1e-6)


def test_dropout_drops_the_history_of_whole_ids_while_training() -> None:
    layer = SnapshotPooling(WIDTH, "mean", dropout=0.5)
    vectors, present = np.ones((1_000, 3, WIDTH), np.float32), np.ones((1_000, 3), bool)
    pooled = layer(vectors, present, training=True).numpy()
    dropped = (pooled == 0).all(axis=1)  # the default starts at zero
    assert (dropped | (pooled == 1).all(axis=1)).all()
    assert 0.4 < dropped.mean() < 0.6
    np.testing.assert_array_equal(layer(vectors, present), vectors[:, 0])


def test_periods_that_end_after_an_impressions_day_are_missing() -> None:
    vectors, present, _ = _tables(num_rows=2)
    present[:] = [[True, True, True], [False, True, True]]
    lookup = SnapshotLookup(SnapshotTables(vectors, present, days=(30, 20, 10)))
    rows, days = tf.constant([0, 0, 0, 0, 1]), [30, 29, 20, 9, 40]
    _, seen = lookup(rows, tf.constant(days, tf.int64))
    # A period of day 30 was trained on days up to 29.
    assert seen.numpy().tolist() == [
        [True, True, True],
        [False, True, True],
        [False, True, True],
        [False, False, False],
        [False, True, True],
    ]
    _, everything = lookup(rows)
    np.testing.assert_array_equal(everything, present[rows])


def test_frozen_tables_are_no_weights() -> None:
    layer = _layer()
    assert {v.shape.rank for v in layer.weights} == {1, 2}
    assert not [v for v in layer.weights if v.shape[0] == 50]


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="must be 'attention' or 'mean'. Received"):
        SnapshotPooling(WIDTH, "max")
    with pytest.raises(ValueError, match="must have width 4. Received"):
        _layer()(np.zeros((1, 3, 5), np.float32), np.ones((1, 3), bool))


def test_config_round_trip() -> None:
    layer = SnapshotPooling(WIDTH, "mean", 0.3, name="pooling")
    copy = keras.layers.deserialize(keras.layers.serialize(layer))
    assert copy.get_config() == layer.get_config()


def test_saving(tmp_path: Path) -> None:
    layer, tables = _layer(), _tables()
    vectors = keras.Input((3, WIDTH))
    present = keras.Input((3,), dtype="bool")
    model = keras.Model([vectors, present], layer(vectors, present))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(list(tables[:2])), layer(*tables[:2]), atol=1e-6)
