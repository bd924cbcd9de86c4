"""Backbone and TPM: names, sizes, and the effect of snapshots."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from models.data.snapshots import SnapshotTables
from models.features.table import FeatureTable
from models.networks.backbone import Backbone
from models.networks.tpm import TinyModel
from models.settings import NetworkConfig

NETWORK = NetworkConfig(width=3, hidden_units=(4, 3), cross_layers=2)
PERIODS = 2
SNAPSHOT_WIDTH = 3

MakeRows = Callable[..., dict[str, Any]]


OLD_START = {"zero_start": False}


@pytest.fixture
def snapshots(features: FeatureTable) -> dict[str, SnapshotTables]:
    rng = np.random.default_rng(0)
    tables = {}
    for space in ("user", "item"):
        shape = (features.num_rows(space), PERIODS)
        present = rng.random(shape) < 0.7
        vectors = rng.normal(size=(*shape, SNAPSHOT_WIDTH)).astype(np.float32)
        vectors *= present[..., None]
        tables[space] = SnapshotTables(vectors, present, days=(20, 10))
    return tables


def test_variables_have_readable_names(
    features: FeatureTable, snapshots: dict[str, SnapshotTables]
) -> None:
    network = Backbone(features, NETWORK, snapshots)
    norm = ("gamma", "beta", "moving_mean", "moving_variance")
    assert set(network.named_variables()) == {
        "embedding/user/table",
        "embedding/item/table",
        "embedding/domain/table",
        "embedding/item_impressions/table",
        "embedding/item_click_rate/table",
        *(
            f"snapshot/{space}/{name}"
            for space in ("user", "item")
            for name in ("query", "key", "value", "default")
        ),
        *(f"cross_{i}/{name}" for i in (0, 1) for name in ("kernel", "bias")),
        *(f"hidden_{i}/kernel" for i in (0, 1)),
        *(f"hidden_{i}_norm/{name}" for i in (0, 1) for name in norm),
        "logit/kernel",
        "logit/bias",
        *(f"wide/{feature.name}/weight" for feature in features.features),
        "wide/numbers/kernel",
        "wide/numbers_by_domain/table",
    }
    # Named once and all of them: what Keras knows is what a checkpoint holds.
    named = {variable.ref() for variable in network.named_variables().values()}
    assert named == {variable.ref() for variable in network.weights}


@pytest.mark.parametrize(
    ("with_snapshots", "golden"),
    [
        # Tables 12 + 10 + 5 + 6 + 6 rows of width 3; inputs 6 * 3, and 2 * 2 of the
        # numbers: 22; cross 2 * (22^2 + 22); MLP 22 * 4 + 4 * 3;
        # BatchNorm 2 * (4 + 3); logit 3 + 1. Wide, of each feature, so that the items'
        # 10 rows count twice: 49; of the 4 inputs of numbers alone and by domain: 24.
        pytest.param(False, 117 + 1012 + 100 + 14 + 4 + 49 + 24, id="without"),
        # Two more inputs of width 3: 28; pooling 2 * (3 * 3^2 + 3).
        pytest.param(True, 117 + 60 + 1624 + 124 + 14 + 4 + 49 + 24, id="with"),
    ],
)
def test_number_of_trainable_parameters(
    features: FeatureTable,
    snapshots: dict[str, SnapshotTables],
    with_snapshots: bool,
    golden: int,
) -> None:
    network = Backbone(features, NETWORK, snapshots if with_snapshots else None)
    assert sum(int(tf.size(v)) for v in network.trainable_variables) == golden


def test_tpm_reads_its_own_features_only(
    features: FeatureTable, make_rows: MakeRows
) -> None:
    network = TinyModel(features, NETWORK)
    assert [f.name for f in network.features.features] == [
        "user_id",
        "item_id",
        "domain",
    ]
    # Tables (12 + 10 + 5) * 3; hidden 9 * 32 + 32; logit 32 + 1.
    assert sum(int(tf.size(v)) for v in network.trainable_variables) == 81 + 320 + 33
    assert len(network.weights) == len(network.named_variables())
    assert network(make_rows(5)).shape == (5,)


def test_rows_are_scored_one_by_one_alike(
    features: FeatureTable,
    snapshots: dict[str, SnapshotTables],
    make_rows: MakeRows,
) -> None:
    network = Backbone(features, NETWORK, snapshots)
    rows = make_rows(6)
    single = [network({n: v[i : i + 1] for n, v in rows.items()}) for i in range(6)]
    np.testing.assert_allclose(network(rows), np.concatenate(single), atol=1e-6)


def test_serving_form_is_the_folded_network(
    features: FeatureTable,
    snapshots: dict[str, SnapshotTables],
    make_rows: MakeRows,
) -> None:
    network = Backbone(features, NETWORK, snapshots)
    for pooling in network.poolings.values():
        pooling.default.assign([1.0, -2.0, 0.5])
    rows = make_rows(100)
    form = network.serving_form()
    np.testing.assert_allclose(form.logits(rows), network(rows), atol=1e-6)
    assert not [v for v in form.variables if "query" in v.name or "key" in v.name]
    assert len([v for v in form.variables if v.name == "snapshot:0"]) == 2


def test_snapshots_enter_the_score(
    features: FeatureTable,
    snapshots: dict[str, SnapshotTables],
    make_rows: MakeRows,
) -> None:
    # Many units, so that no example has every hidden unit switched off.
    sizes = NetworkConfig(width=3, hidden_units=(64,), zero_start=False)
    network = Backbone(features, sizes, snapshots)
    rows = make_rows(20)
    before = network(rows).numpy()
    network.poolings["item"].value.assign(np.eye(SNAPSHOT_WIDTH) * 3)
    known = snapshots["item"].present.any(axis=1)[rows["item_id"]]
    np.testing.assert_array_equal(before != network(rows).numpy(), known)


def test_without_shallow_parts_and_zero_start_it_is_the_backbone_of_the_paper(
    features: FeatureTable, make_rows: MakeRows
) -> None:
    keras.utils.set_random_seed(3)
    deep_alone = {"wide": False, "product": False, **OLD_START}
    plain = Backbone(features, NETWORK.model_copy(update=deep_alone))
    rows = make_rows(7)
    inputs = [*plain.embedding(rows).values(), *plain.numbers(rows)]
    hidden = tf.concat(inputs, axis=1)
    hidden = plain.mlp(plain.cross(hidden))
    expected = hidden @ plain.logit.kernel + plain.logit.bias
    np.testing.assert_allclose(plain(rows), expected[:, 0], atol=1e-6)
    assert not [name for name in plain.named_variables() if name.startswith("wide/")]
    # A wide part draws no random numbers: the deep part is the same beside it.
    keras.utils.set_random_seed(3)
    wide = {**deep_alone, "wide": True}
    beside = Backbone(features, NETWORK.model_copy(update=wide))
    np.testing.assert_array_equal(plain(rows), beside(rows))


def test_the_product_of_the_sides_is_added_to_the_logit(
    features: FeatureTable, make_rows: MakeRows
) -> None:
    network = Backbone(features, NETWORK)
    for table in network.embedding.tables.values():
        table.assign(tf.random.stateless_normal(table.shape, seed=(1, 2)))
    rows = make_rows(7)
    vectors = {name: v.numpy() for name, v in network.embedding(rows).items()}
    sides = [
        sum(vectors[f.name] for f in features.features if f.served_side == side)
        for side in ("user", "item")
    ]
    with_product, product = network(rows).numpy(), network.product
    network.product = None
    without = network(rows).numpy()
    expected = (sides[0] * sides[1]).sum(axis=1)
    np.testing.assert_allclose(with_product - without, expected, rtol=1e-4, atol=1e-5)
    assert product is not None


def test_the_wide_part_is_added_to_the_logit(
    features: FeatureTable, make_rows: MakeRows
) -> None:
    network = Backbone(features, NETWORK.model_copy(update=OLD_START))
    rows = make_rows(7)
    before, weight = network(rows), network.named_variables()["wide/user_id/weight"]
    weight.assign(np.arange(12.0))
    np.testing.assert_allclose(network(rows) - before, rows["user_id"], atol=1e-5)
    form = network.serving_form()
    np.testing.assert_allclose(form.logits(rows), network(rows), atol=1e-5)
    assert weight.ref() in {variable.ref() for variable in form.variables}


@pytest.mark.parametrize("batch_norm", [True, False])
def test_the_first_prediction_is_the_base_rate_exactly(
    features: FeatureTable, make_rows: MakeRows, batch_norm: bool
) -> None:
    # The product of random vectors, which are near 0, is not quite 0.
    update = {"batch_norm": batch_norm, "product": False}
    network = Backbone(features, NETWORK.model_copy(update=update))
    network.set_base_rate(0.13)
    for training in (True, False):
        scores = tf.sigmoid(network(make_rows(9), training=training))
        np.testing.assert_allclose(scores, 0.13, rtol=1e-6)


def test_without_batch_norm_the_layers_have_biases_instead(
    features: FeatureTable,
) -> None:
    network = Backbone(features, NETWORK.model_copy(update={"batch_norm": False}))
    names = network.named_variables()
    assert "hidden_0/bias" in names
    assert not [name for name in names if "_norm/" in name]
    assert network.stages == []


def test_base_rate_is_the_first_prediction(
    features: FeatureTable, make_rows: MakeRows
) -> None:
    network = TinyModel(features, NETWORK)
    network.set_base_rate(0.87)
    np.testing.assert_allclose(tf.sigmoid(network(make_rows(9))), 0.87, atol=0.01)
    network.set_base_rate(1.0)
    assert np.isfinite(network(make_rows(9))).all()


def test_newer_snapshots_are_hidden_while_training_alone(
    features: FeatureTable, snapshots: dict[str, SnapshotTables], make_rows: MakeRows
) -> None:
    network = Backbone(features, NETWORK, snapshots)
    rows = make_rows(30)
    dated = {**rows, "day": np.full(30, 19)}
    older = {
        space: SnapshotTables(
            tables.vectors[:, 1:], tables.present[:, 1:], tables.days[1:]
        )
        for space, tables in snapshots.items()
    }
    alone = Backbone(features, NETWORK, older)
    for space, pooling in network.poolings.items():
        pooling.dropout = 0.0
        alone.poolings[space].dropout = 0.0
        alone.poolings[space].set_weights(pooling.get_weights())
    for name, pooled in network.pooled(dated, training=True).items():
        expected = alone.pooled(rows, training=True)[name]
        np.testing.assert_allclose(pooled, expected, atol=1e-6)
    for name, pooled in network.pooled(dated, training=False).items():
        every = network.pooled(rows, training=False)[name]
        np.testing.assert_array_equal(pooled, every)
