"""Optimizers of a level: which variable has which, and rates of their own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from models.features.feature import Feature
from models.features.id_space import IdSpace
from models.features.table import FeatureTable
from models.networks.backbone import Backbone
from models.settings import NetworkConfig
from models.settings import TrainingConfig
from models.training.optimizers import apply_means
from models.training.optimizers import build_optimizer
from models.training.optimizers import optimizer_state
from models.training.optimizers import set_rate_factor

LONG = FeatureTable(
    features=(
        Feature(name="user_id", kind="id", vocabulary="user"),
        Feature(name="hour", kind="id", vocabulary="hour"),
    ),
    vocabularies={"user": IdSpace(capacity=200), "hour": IdSpace(capacity=24)},
)
SIZES = NetworkConfig(width=2, hidden_units=(3,))


@pytest.fixture
def network() -> Backbone:
    return Backbone(LONG, SIZES)


def step(network: Backbone, training: TrainingConfig) -> dict[str, Any]:
    """Returns how far a gradient of 0.1 moves row 40 or 5 of each table."""
    optimizer = build_optimizer(network, training)
    moved = {}
    for name, row in (("user", 40), ("hour", 5)):
        table = network.embedding.tables[name]
        before = table.numpy()[row]
        gradient = tf.IndexedSlices(tf.fill([1, 2], 0.1), tf.constant([row]))
        apply_means(optimizer, [gradient], [table], 1)
        moved[name] = np.abs(table.numpy()[row] - before)[0]
    return moved


def test_long_tables_may_have_a_rate_of_their_own(network: Backbone) -> None:
    same = step(network, TrainingConfig())
    own = step(network, TrainingConfig(id_learning_rate=0.002))
    assert own["hour"] == pytest.approx(same["hour"], rel=1e-3)
    assert own["user"] == pytest.approx(same["user"] / 10, rel=1e-2)


def test_schedules_lower_it_too(network: Backbone) -> None:
    training = TrainingConfig(id_learning_rate=0.004)
    optimizer = build_optimizer(network, training)
    set_rate_factor(optimizer, training, 0.5)
    rates = [float(part.learning_rate.numpy()) for part in optimizer.optimizers]
    # Tables, dense, wide (which has no schedule), long tables.
    np.testing.assert_allclose(rates, [0.01, 0.0005, 0.03, 0.002], rtol=1e-5)


def test_tables_and_the_wide_part_get_gradients_of_sums(network: Backbone) -> None:
    tables = [network.embedding.tables["hour"], network.wide_variables[1]]
    starts = [table.numpy() for table in tables]

    def moved(of_mean: float, rows: int) -> list[Any]:
        for table, start in zip(tables, starts, strict=True):
            table.assign(start)
        # After the values, which FTRL starts from.
        optimizer = build_optimizer(network, TrainingConfig(wide_l2=0.0))
        gradients = [
            tf.IndexedSlices(tf.fill([1, *t.shape[1:]], of_mean), tf.constant([5]))
            for t in tables
        ]
        apply_means(optimizer, gradients, tables, rows)
        return [t.numpy()[5] - s[5] for t, s in zip(tables, starts, strict=True)]

    # The mean of 64 impressions of which one has the row, and that one alone.
    for of_many, alone in zip(moved(0.01, 64), moved(0.64, 1), strict=True):
        np.testing.assert_allclose(of_many, alone, rtol=1e-5)
        assert np.abs(alone).max() > 1e-3


def test_dense_weights_get_gradients_of_means(network: Backbone) -> None:
    kernel = network.logit.kernel
    moved = []
    for rows in (1, 64):
        optimizer = build_optimizer(network, TrainingConfig())
        kernel.assign(tf.zeros_like(kernel))
        # Far below Adam's epsilon, where its steps follow the gradient.
        apply_means(optimizer, [tf.fill(kernel.shape, 1e-9)], [kernel], rows)
        moved.append(kernel.numpy())
    np.testing.assert_array_equal(*moved)
    assert np.abs(moved[0]).max() > 0


@pytest.mark.parametrize("wide", [True, False])
def test_slots_have_the_same_names_whatever_parts_there_are(wide: bool) -> None:
    sizes = SIZES.model_copy(update={"wide": wide})
    training = TrainingConfig(id_learning_rate=0.004)
    named = optimizer_state(build_optimizer(Backbone(LONG, sizes), training))
    parts = {name.split("/")[1] for name in named}
    assert parts == ({"0", "1", "2", "3"} if wide else {"0", "1", "3"})
    plain = optimizer_state(build_optimizer(Backbone(LONG, sizes), TrainingConfig()))
    assert {name for name in plain if "/1/" in name} <= set(named)


def test_the_accumulator_of_a_table_is_found_in_either_optimizer(
    network: Backbone,
) -> None:
    optimizer = build_optimizer(network, TrainingConfig(id_learning_rate=0.004))
    for table in network.embedding_variables:
        assert optimizer.accumulator(table).shape == table.shape
    with pytest.raises(ValueError, match="none of the optimizer's embedding tables"):
        optimizer.accumulator(network.logit.kernel)


def test_optimizers_of_keras_are_applied_as_they_are() -> None:
    weight = tf.Variable([1.0])
    apply_means(keras.optimizers.SGD(0.1), [tf.constant([2.0])], [weight], 64)
    np.testing.assert_allclose(weight, [0.8])
