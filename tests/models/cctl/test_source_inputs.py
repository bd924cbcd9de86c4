"""Alignment, own vectors and the contrast: laws of the network, without a training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from models.cctl.enhancement import Enhancement
from models.cctl.network import CompanionNetwork
from models.features.feature import Feature
from models.features.id_space import IdSpace
from models.features.table import FeatureTable
from models.settings import CctlConfig
from models.settings import NetworkConfig
from models.settings import TrainingConfig
from models.training.optimizers import build_optimizer

NETWORK = NetworkConfig(width=3, hidden_units=(4,), cross_layers=1, dropout=0.0)
DE, FR, UK = 3, 4, 5


@pytest.fixture(scope="module")
def features() -> FeatureTable:
    """`code` is the target's, `theirs` and `price` are those of the source fr."""
    return FeatureTable(
        features=(
            Feature(name="user_id", kind="id", vocabulary="user"),
            Feature(name="item_id", kind="id", vocabulary="item"),
            Feature(name="domain", kind="id", vocabulary="domain", side="context"),
            Feature(name="code", kind="id", vocabulary="code", domains=("de",)),
            Feature(
                name="theirs", kind="id", vocabulary="theirs", domains=("fr",), width=2
            ),
            Feature(name="price", kind="number", buckets=4, domains=("fr",)),
        ),
        vocabularies={
            "user": IdSpace(capacity=5, oov_buckets=1),
            "item": IdSpace(capacity=5, oov_buckets=1),
            "domain": IdSpace(capacity=4, oov_buckets=1),
            "code": IdSpace(capacity=4, oov_buckets=1),
            "theirs": IdSpace(capacity=4, oov_buckets=1),
        },
        target="de",
    )


def _network(features: FeatureTable, **settings: Any) -> CompanionNetwork:
    keras.utils.set_random_seed(2)
    cctl = CctlConfig.model_validate({"own_vectors": True, **settings})
    return CompanionNetwork(
        features, NETWORK, cctl, ("fr", "uk"), {"de": DE, "fr": FR, "uk": UK}
    )


def _rows(domains: list[int], seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    number = len(domains)
    drawn = {
        name: rng.integers(2, high, number)
        for name, high in (("user_id", 8), ("item_id", 8), ("code", 7), ("theirs", 7))
    }
    rows: dict[str, Any] = {**drawn, "price": rng.integers(2, 6, number)}
    rows = {name: tf.constant(values, tf.int64) for name, values in rows.items()}
    rows["domain"] = tf.constant(domains, tf.int64)
    values = rng.normal(size=number).astype(np.float32)
    return {**rows, "price/value": tf.constant(values)}


def _moved(network: CompanionNetwork) -> None:
    """Gives every variable of the network a value other than its first."""
    rng = np.random.default_rng(5)
    for variable in network.trainable_variables:
        variable.assign_add(rng.normal(scale=0.3, size=variable.shape))


def test_the_towers_read_the_targets_features_alone(features: FeatureTable) -> None:
    network = _network(features)
    names = [feature.name for feature in network.mixed.features.features]
    assert names == ["user_id", "item_id", "domain", "code"]
    assert {*network.inputs_of_sources.alignment.tables.tables} == {"theirs", "price"}


def test_fields_that_the_target_has_are_not_mapped(features: FeatureTable) -> None:
    shared = features.of_target()
    alignment = _network(shared, own_vectors=False).inputs_of_sources.alignment
    assert alignment.maps is None
    assert [v.name for v in alignment.dense_variables] == [alignment.shift.name]
    # The vectors of `theirs` and of the bucket of `price`, its value and missing flag.
    maps = _network(features).inputs_of_sources.alignment.maps
    assert maps.shape[1] == 2 + 3 + 2


@pytest.mark.parametrize("switch", ["alignment", "own_vectors"])
def test_at_the_start_nothing_differs_from_a_network_without_it(
    features: FeatureTable, switch: str
) -> None:
    whole = _network(features)
    without = _network(features, **{switch: False})
    theirs = whole.named_variables()
    for name, variable in without.named_variables().items():
        if variable.shape == theirs[name].shape:
            variable.assign(theirs[name])
    rows = _rows([DE, FR, UK, FR, DE])
    np.testing.assert_array_equal(whole(rows), without(rows))


def test_an_impression_of_the_target_is_scored_as_it_is_served(
    features: FeatureTable,
) -> None:
    network = _network(features)
    _moved(network)
    rows = _rows([DE] * 6)
    served = network.serving_form()
    np.testing.assert_array_equal(network(rows), served.logits(rows))
    np.testing.assert_array_equal(network(rows), network.mixed(rows))
    requested = {f.name for f in features.requested}
    np.testing.assert_array_equal(
        served.logits({name: rows[name] for name in requested}), network.mixed(rows)
    )


def test_neither_maps_nor_the_sources_tables_are_served_or_learn_from_the_target(
    features: FeatureTable,
) -> None:
    network = _network(features)
    _moved(network)
    beside = network.inputs_of_sources
    own = [*beside.embedding_variables, *beside.dense_variables]
    served = {variable.ref() for variable in network.serving_form().variables}
    assert not served & {variable.ref() for variable in own}
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(network(_rows([DE] * 8)))
    for variable, gradient in zip(own, tape.gradient(total, own), strict=True):
        found = 0 if gradient is None else tf.convert_to_tensor(gradient).numpy()
        assert not np.any(found), variable.name


def test_a_source_row_teaches_its_own_map_and_own_vectors_alone(
    features: FeatureTable,
) -> None:
    network = _network(features)
    _moved(network)
    beside = network.inputs_of_sources
    user = beside.own.tables["user"]
    target = network.mixed.embedding.tables["own/user"]
    rows = _rows([FR] * 8)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(network(rows))
    maps, own, targets = (
        tf.convert_to_tensor(gradient).numpy()
        for gradient in tape.gradient(total, [beside.alignment.maps, user, target])
    )
    assert maps[0].any()
    assert not maps[1].any()
    # Of the first source, and of the ids that the impressions show.
    shown = np.unique(rows["user_id"])
    assert np.flatnonzero(np.abs(own).sum(1)).tolist() == shown.tolist()
    assert not targets.any()


def test_a_map_can_give_another_code_book_the_targets_vectors(
    features: FeatureTable,
) -> None:
    network = _network(features, own_vectors=False)
    alignment, embedding = network.inputs_of_sources.alignment, network.mixed.embedding
    codes = embedding.tables["code"]
    codes.assign(np.arange(21).reshape(7, 3))
    # The source's code 2 is the target's 4, 3 is 5, and so on.
    theirs = alignment.tables.tables["theirs"]
    theirs.assign(np.arange(14).reshape(7, 2))
    slots = list(alignment.slots)
    first = 3 * slots.index("code")
    maps = np.zeros(alignment.maps.shape, np.float32)
    # 1.5 and 0 times the two elements, which are 2 c and 2 c + 1, are 3 c.
    maps[0, 0, first : first + 3] = 1.5
    alignment.maps.assign(maps)
    rows = {**_rows([FR] * 3), "theirs": tf.constant([2, 3, 4], tf.int64)}
    rows["code"] = tf.ones([3], tf.int64)  # missing
    fields = embedding(rows)
    source = network.source_of(rows)
    found = alignment(fields, rows, source)["code"] - fields["code"]
    np.testing.assert_allclose(found, codes.numpy()[[2, 3, 4]] - [0, 1, 2])


def test_the_contrast_reaches_own_vectors_and_projections_alone(
    features: FeatureTable,
) -> None:
    network = _network(features)
    _moved(network)
    rows = _rows([DE, DE, FR, UK] * 4)
    with tf.GradientTape() as tape:
        loss = network.contrast(rows, tf.ones([16]))
    variables = network.trainable_variables
    gradients = tape.gradient(loss, variables)
    reached = {
        id(variable)
        for variable, gradient in zip(variables, gradients, strict=True)
        if gradient is not None and np.any(tf.convert_to_tensor(gradient))
    }
    beside = network.inputs_of_sources
    expected = [*network.mixed.embedding.own.values(), *beside.own.tables.values()]
    expected += [layer.projection.kernel for layer in beside.enhancements.values()]
    assert reached == {id(variable) for variable in expected}


def test_impressions_of_weight_zero_do_not_count_in_the_contrast(
    features: FeatureTable,
) -> None:
    network = _network(features)
    _moved(network)
    rows = _rows([DE, FR, FR, UK])
    # The same anchors; the rest only serve as negatives.
    gradients = []
    for weights in ([1.0, 1.0, 0.0, 0.0], [0.0] * 4):
        with tf.GradientTape() as tape:
            loss = network.contrast(rows, tf.constant(weights))
        gradients.append((float(loss), tape.gradient(loss, network.helper_variables)))
    assert gradients[0][0] > 0
    assert gradients[1][0] == 0


def _cosine_loss(one: Any, two: Any, elsewhere: Any, ids: Any) -> float:
    """InfoNCE in NumPy, entity by entity."""
    losses = []
    for i in range(len(ids)):
        positive = np.exp(one[i] @ two[i] / 0.2)
        negatives = [
            np.exp(one[i] @ two[n] / 0.2) for n in range(len(ids)) if ids[n] != ids[i]
        ]
        negatives += [np.exp(one[i] @ other[i] / 0.2) for other in elsewhere]
        losses.append(np.log(positive + sum(negatives)) - np.log(positive))
    return float(np.mean(losses))


def test_the_contrast_is_that_of_its_formula() -> None:
    rng = np.random.default_rng(1)
    vectors, other = rng.normal(size=(2, 5, 3)).astype(np.float32)
    ids = np.array([2, 3, 2, 4, 5])
    layer = Enhancement()
    found = float(layer(vectors, [other], ids, tf.ones([5])))
    kernel = layer.projection.kernel.numpy()

    def view(values: Any) -> Any:
        projected = values @ kernel
        return projected / np.linalg.norm(projected, axis=1, keepdims=True)

    expected = _cosine_loss(view(vectors), view(vectors), [view(other)], ids)
    assert found == pytest.approx(expected, rel=1e-5)


def test_the_contrast_is_less_where_a_users_domains_lie_apart() -> None:
    layer = Enhancement()
    vectors = tf.constant([[1.0, 0.0], [0.0, 1.0]])
    layer(vectors, [vectors], tf.constant([2, 3]), tf.ones([2]))
    layer.projection.kernel.assign(np.eye(2, 16, dtype=np.float32))

    def loss(elsewhere: Any) -> float:
        return float(layer(vectors, [elsewhere], tf.constant([2, 3]), tf.ones([2])))

    assert loss(-vectors) < loss(vectors)


@pytest.mark.parametrize("settings", [{}, {"alignment": False}])
def test_every_variable_is_in_one_optimizer(
    features: FeatureTable,
    settings: dict[str, Any],
) -> None:

    network = _network(features, **settings)
    optimizer = build_optimizer(network.trained_part, TrainingConfig())
    owned = [v for part in optimizer.parts if part is not None for v in part[1]()]
    assert {id(v) for v in owned} == {id(v) for v in network.trained_variables}
    assert len(owned) == len(network.trained_variables)
    own = {id(v) for v in network.inputs_of_sources.trainable_variables}
    helpers = {id(v) for v in network.helper_variables}
    assert own == helpers | {
        id(v) for v in network.inputs_of_sources.embedding_variables
    }
    named = {id(v) for v in network.named_variables().values()}
    assert own <= named


def test_without_own_vectors_there_is_nothing_to_contrast(
    features: FeatureTable,
) -> None:
    network = _network(features, own_vectors=False)
    rows = _rows([DE, FR, UK])
    assert float(network.contrast(rows, tf.ones([3]))) == 0
    tables = network.mixed.embedding.tables
    assert not any(name.startswith("own/") for name in tables)
