"""BatchNorm: Keras's values, gradients and running statistics; saving."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from models.layers.batch_norm import BatchNorm

INPUTS = tf.constant(
    np.random.default_rng(2).normal([3, -40, 0, 1e-3], [1, 5, 1e-2, 2], (9, 4)),
    tf.float32,
)
WEIGHTS = tf.constant(np.random.default_rng(3).normal(size=(9, 4)), tf.float32)


def _trained(layer: Any) -> tuple[Any, list[Any], list[Any]]:
    """Returns outputs, gradients and variables after one training pass."""
    layer.build(INPUTS.shape)
    layer.gamma.assign([1.0, -2.0, 0.5, 3.0])
    layer.beta.assign([0.0, 1.0, 2.0, -1.0])
    with tf.GradientTape() as tape:
        tape.watch(INPUTS)
        outputs = layer(INPUTS, training=True)
        loss = tf.reduce_sum(tf.tanh(outputs) * WEIGHTS)
    gradients = tape.gradient(loss, [INPUTS, layer.gamma, layer.beta])
    return outputs, gradients, layer.variables


def test_a_training_pass_equals_kerass() -> None:
    ours = _trained(BatchNorm(momentum=0.9))
    keras_ = _trained(keras.layers.BatchNormalization(momentum=0.9))
    np.testing.assert_allclose(ours[0], keras_[0], atol=1e-5)
    for got, expected in zip(ours[1], keras_[1], strict=True):
        scale = np.abs(expected).max()
        np.testing.assert_allclose(got, expected, atol=1e-4 * scale)
    for got, expected in zip(ours[2], keras_[2], strict=True):
        assert got.name.split("/")[-1] == expected.name.split("/")[-1]
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-6)


def test_inference_uses_the_running_statistics() -> None:
    layer = BatchNorm()
    layer.build(INPUTS.shape)
    np.testing.assert_allclose(layer(INPUTS), INPUTS / (1 + 1e-3) ** 0.5, rtol=1e-5)


@pytest.mark.parametrize("rows", [1, 2])
def test_a_batch_of_equal_rows_is_finite(rows: int) -> None:
    layer = BatchNorm()
    with tf.GradientTape() as tape:
        outputs = layer(tf.ones([rows, 3]), training=True)
    np.testing.assert_array_equal(outputs, np.zeros((rows, 3)))
    assert np.isfinite(tape.gradient(outputs, layer.gamma)).all()


def test_saving(tmp_path: Path) -> None:
    inputs = keras.Input((4,))
    model = keras.Model(inputs, BatchNorm(momentum=0.5)(inputs))
    model(INPUTS, training=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.layers[1], BatchNorm)
    np.testing.assert_allclose(loaded(INPUTS), model(INPUTS), atol=1e-6)


def test_weights_count_rows() -> None:
    counts = np.array([1, 0, 2, 1, 0, 3, 1, 1, 1])
    repeated = tf.constant(np.repeat(INPUTS.numpy(), counts, axis=0))
    outer = np.random.default_rng(4).normal(size=INPUTS.shape).astype(np.float32)
    outer *= (counts > 0)[:, np.newaxis]
    found = []
    for inputs, weights, share in (
        (INPUTS, tf.constant(counts, tf.float32), outer),
        # A repeated row takes its part of the row's gradient.
        (repeated, None, np.repeat(outer / np.maximum(counts, 1)[:, None], counts, 0)),
    ):
        layer = BatchNorm(momentum=0.9)
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs, training=True, weights=weights)
            loss = tf.reduce_sum(outputs * share)
        found.append((tape.gradient(loss, inputs).numpy(), layer.variables))
    (one, ours), (other, theirs) = found
    for got, expected in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-6)
    starts = np.flatnonzero(np.r_[True, np.diff(np.repeat(np.arange(9), counts)) > 0])
    summed = np.add.reduceat(other, starts, axis=0)
    scale = np.abs(one).max(axis=0)
    np.testing.assert_allclose(one[counts > 0] / scale, summed / scale, atol=1e-4)
    np.testing.assert_array_equal(one[counts == 0], 0.0)
