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
    own = step(network, TrainingConfig(id_learning_rate=0.005))
    assert own["hour"] == pytest.approx(same["hour"], rel=1e-3)
    assert own["user"] == pytest.approx(same["user"] / 10, rel=1e-2)


def test_schedules_lower_it_too(network: Backbone) -> None:
    training = TrainingConfig(id_learning_rate=0.004)
    optimizer = build_optimizer(network, training)
    set_rate_factor(optimizer, training, 0.5)
    rates = [float(part.learning_rate.numpy()) for part in optimizer.optimizers]
    # Tables, dense, wide (which has no schedule), long tables.
    np.testing.assert_allclose(rates, [0.025, 0.0005, 0.1, 0.002], rtol=1e-5)


def test_only_the_wide_part_gets_gradients_of_sums(network: Backbone) -> None:
    training = TrainingConfig(wide_l2=0.0)
    tables = [network.embedding.tables["hour"], network.wide_variables[1]]
    moved = []
    for rows in (1, 64):
        optimizer = build_optimizer(network, training)
        before = [table.numpy()[5] for table in tables]
        gradients = [
            tf.IndexedSlices(tf.fill([1, *t.shape[1:]], 0.01), tf.constant([5]))
            for t in tables
        ]
        apply_means(optimizer, gradients, tables, rows)
        after = [table.numpy()[5] for table in tables]
        moved.append([np.abs(a - b).max() for a, b in zip(after, before, strict=True)])
    (table, weight), (table_of_many, weight_of_many) = moved
    assert table_of_many == pytest.approx(table, rel=1e-3)
    assert weight_of_many > 20 * weight


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
