"""Mlp: values by hand, names, bad input, config round trip, saving."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from models.layers.mlp import Mlp

INPUTS = tf.constant([[1.0, -2.0], [3.0, 0.5]])


def test_values_without_batch_norm() -> None:
    mlp = Mlp([2], batch_norm=False)
    mlp(INPUTS)
    named = mlp.named_variables()
    named["hidden_0/kernel"].assign([[1, 0], [0, 1]])
    named["hidden_0/bias"].assign([0.5, 0])
    np.testing.assert_array_equal(mlp(INPUTS), [[1.5, 0], [3.5, 0.5]])


def test_batch_norm_uses_the_batch_while_training_and_running_statistics_after() -> (
    None
):
    mlp = Mlp([2])
    np.testing.assert_allclose(
        mlp(INPUTS, training=True), _relu_of_normalised(mlp), atol=1e-5
    )
    # Running mean 0 and variance 1 moved by a tenth, the layer's momentum being 0.9.
    dense = INPUTS @ mlp.named_variables()["hidden_0/kernel"]
    np.testing.assert_allclose(
        mlp.named_variables()["hidden_0_norm/moving_mean"],
        0.1 * tf.reduce_mean(dense, axis=0),
        atol=1e-6,
    )


def _relu_of_normalised(mlp: Mlp) -> tf.Tensor:
    dense = INPUTS @ mlp.named_variables()["hidden_0/kernel"]
    mean, variance = tf.nn.moments(dense, axes=[0])
    return tf.nn.relu((dense - mean) / tf.sqrt(variance + 1e-3))


def test_names() -> None:
    mlp = Mlp([3, 2])
    mlp(INPUTS)
    norm = ("gamma", "beta", "moving_mean", "moving_variance")
    assert set(mlp.named_variables()) == {
        "hidden_0/kernel",
        "hidden_1/kernel",
        *(f"hidden_{i}_norm/{kind}" for i in (0, 1) for kind in norm),
    }
    assert len(mlp.weights) == len(mlp.named_variables())


def test_dropout_is_off_when_not_training() -> None:
    mlp = Mlp([4], dropout=0.9)
    np.testing.assert_array_equal(mlp(INPUTS), mlp(INPUTS))


@pytest.mark.parametrize("hidden_units", [(), (4, 0)])
def test_bad_units_are_refused(hidden_units: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="`hidden_units` must be .* Received: "):
        Mlp(hidden_units)


def test_config_round_trip() -> None:
    mlp = Mlp([4, 2], dropout=0.3, batch_norm=False, name="mlp")
    copy = keras.layers.deserialize(keras.layers.serialize(mlp))
    assert copy.get_config() == mlp.get_config()


@pytest.mark.slow
def test_saving(tmp_path: Path) -> None:
    inputs = keras.Input((2,))
    model = keras.Model(inputs, Mlp([3])(inputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(INPUTS), model(INPUTS), atol=1e-6)
