"""Multi-domain networks: which impressions train which part, and the serving form."""

from __future__ import annotations

import copy
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from models.data.batches import ExampleReader
from models.features.table import FeatureTable
from models.layers.mlp import Mlp
from models.networks.multi_domain.body import route
from models.networks.multi_domain.mmoe import Mmoe
from models.networks.multi_domain.network import MultiDomainNetwork
from models.networks.multi_domain.partitioned_norm import MEMORY_ROWS
from models.networks.multi_domain.partitioned_norm import PartitionedNorm
from models.networks.multi_domain.partitioned_norm import ScaleShift
from models.networks.multi_domain.ple import Ple
from models.networks.multi_domain.shared_bottom import SharedBottom
from models.networks.multi_domain.star import Star
from models.settings import ExpertsConfig
from models.settings import NetworkConfig
from models.strategies.base import NetworkContext
from models.strategies.registry import create
from models.training.norm_statistics import count_statistics

NETWORK = NetworkConfig(width=3, hidden_units=(4, 3), cross_layers=1, dropout=0.0)
# Wide enough that no row finds every unit switched off.
WIDE = NETWORK.model_copy(update={"hidden_units": (16, 8)})
DOMAINS = ("fr", "mx", "de")  # the target last
# Of a table with one OOV bucket: `mx` has not been seen yet.
ROWS = {"de": 3, "fr": 4}
OOV_ROW = 2
KINDS = ("shared_bottom", "mmoe", "ple", "star")

MakeRows = Callable[..., dict[str, Any]]


def _build(
    features: FeatureTable, kind: str, network: NetworkConfig = WIDE
) -> MultiDomainNetwork:
    keras.utils.set_random_seed(5)
    context = NetworkContext(features, network, DOMAINS, lambda: ROWS, dict)
    built = create(kind, {}).build(context)
    assert isinstance(built, MultiDomainNetwork)
    # Away from what starts at zero or one, where much would pass that should not.
    rng = np.random.default_rng(5)
    for variable in built.named_variables().values():
        variable.assign_add(rng.uniform(0.0, 0.5, variable.shape))
    return built


def _rows_of(make_rows: MakeRows, domain_row: int, count: int = 6) -> dict[str, Any]:
    return {**make_rows(count), "domain": np.full(count, domain_row)}


@pytest.fixture(scope="module", params=KINDS)
def built(request: pytest.FixtureRequest, features: FeatureTable) -> Any:
    return _build(features, request.param)


@pytest.fixture
def network(built: MultiDomainNetwork) -> Iterator[MultiDomainNetwork]:
    """A network whose weights are as they were before each test."""
    weights = built.get_weights()
    yield built
    built.set_weights(weights)


def test_variables_are_named_once_and_all_of_them(network: MultiDomainNetwork) -> None:
    named = {variable.ref() for variable in network.named_variables().values()}
    assert len(named) == len(network.named_variables())
    assert named == {variable.ref() for variable in network.weights}


def test_every_normalisation_has_its_stage(network: MultiDomainNetwork) -> None:
    staged = [stack for stage in network.stages for stack in stage]
    assert {id(s) for s in staged} == {id(s) for s in network.mlps if s.norms}
    assert len(staged) == len({id(stack) for stack in staged}) > 0


def test_rows_are_scored_one_by_one_alike(
    network: MultiDomainNetwork, make_rows: MakeRows
) -> None:
    rows = {**make_rows(6), "domain": np.array([3, 4, 3, OOV_ROW, 1, 4])}
    together = network(rows)
    single = [network({n: v[i : i + 1] for n, v in rows.items()}) for i in range(6)]
    assert together.shape == (6,)
    np.testing.assert_allclose(together, np.concatenate(single), atol=1e-5)


def _gradients(
    network: MultiDomainNetwork, rows: dict[str, Any], counted: Any, training: bool
) -> dict[str, float]:
    """Returns the largest gradient of the counted rows' loss, by variable."""
    named = network.named_variables()
    trained = {v.ref() for v in network.trainable_variables}
    named = {name: v for name, v in named.items() if v.ref() in trained}
    with tf.GradientTape() as tape:
        logits = network(rows, training=training)
        loss = tf.reduce_sum(tf.boolean_mask(logits, counted) ** 2)
    sizes = {}
    for name, gradient in tape.gradient(loss, named).items():
        if gradient is not None:
            gradient = tf.convert_to_tensor(gradient)
        sizes[name] = 0.0 if gradient is None else float(tf.norm(gradient))
    return sizes


@pytest.mark.parametrize("training", [False, True])
def test_a_row_teaches_its_own_domain_and_what_is_shared(
    network: MultiDomainNetwork, make_rows: MakeRows, training: bool
) -> None:
    rows = {**make_rows(8), "domain": np.array([3, 4] * 4)}
    sizes = _gradients(network, rows, rows["domain"] == ROWS["fr"], training)
    part = {"star": "star"}.get(network.name, "tower")
    others = [n for n in sizes if n.startswith((f"{part}/de/", f"{part}/mx/"))]
    own = [n for n in sizes if n.startswith(f"{part}/fr/") and n.endswith("kernel")]
    shared = {
        "shared_bottom": "bottom/hidden_0/kernel",
        "mmoe": "experts/hidden_0/kernel",
        "ple": "level_1/common/hidden_0/kernel",
        "star": "centre/hidden_0/kernel",
    }[network.name]
    assert {sizes[name] for name in others} == {0.0}
    assert len(own) >= 2
    assert min(sizes[name] for name in [*own, shared, "cross_0/kernel"]) > 0


def test_gates_learn_from_their_own_domain_alone(
    features: FeatureTable, make_rows: MakeRows
) -> None:
    for kind, gate in (("mmoe", "gate"), ("ple", "level_1/gate")):
        rows = {**make_rows(8), "domain": np.array([3, 4] * 4)}
        sizes = _gradients(
            _build(features, kind), rows, rows["domain"] == ROWS["fr"], True
        )
        assert sizes[f"{gate}/fr/kernel"] > 0
        assert sizes[f"{gate}/de/kernel"] == sizes[f"{gate}/mx/kernel"] == 0


def test_served_is_the_targets_part_for_every_row(
    network: MultiDomainNetwork, make_rows: MakeRows
) -> None:
    form = network.serving_form()
    rows = _rows_of(make_rows, ROWS["de"])
    np.testing.assert_allclose(form.logits(rows), network(rows), atol=1e-5)
    unknown = _rows_of(make_rows, OOV_ROW)
    np.testing.assert_allclose(form.logits(unknown), network(unknown), atol=1e-5)
    source = _rows_of(make_rows, ROWS["fr"])
    assert np.abs(form.logits(source) - network(source)).min() > 0


def test_served_variables_are_those_it_reads(
    network: MultiDomainNetwork, make_rows: MakeRows
) -> None:
    form = network.serving_form()
    kept = {variable.ref() for variable in form.variables}
    rows = _rows_of(make_rows, ROWS["de"])
    before = form.logits(rows).numpy()
    left_out = [v for v in network.weights if v.ref() not in kept]
    assert left_out
    for variable in left_out:
        variable.assign_add(tf.ones_like(variable))
    np.testing.assert_array_equal(form.logits(rows), before)


def test_each_domain_starts_at_its_own_click_rate(
    features: FeatureTable, make_rows: MakeRows
) -> None:
    rates = {"fr": 0.5, "de": 0.01}
    for kind in KINDS:
        context = NetworkContext(features, NETWORK, DOMAINS, lambda: ROWS, dict)
        network = create(kind, {}).build(context)
        network.set_base_rate(0.2)
        network.set_domain_rates(rates, continues=False)
        for domain, row in ROWS.items():
            predicted = tf.sigmoid(network(_rows_of(make_rows, row)))
            np.testing.assert_allclose(np.mean(predicted), rates[domain], atol=0.05)


def test_route_keeps_the_order_and_bears_empty_parts() -> None:
    inputs = {"x": tf.constant([1.0, 2.0, 3.0]), "y": tf.constant([9.0, 8.0, 7.0])}
    parts = [
        lambda nest: nest["x"] * 10,
        lambda nest: nest["x"] * tf.constant(float("nan")),
        lambda nest: nest["y"],
    ]
    found = route(inputs, tf.constant([2, 0, 2]), parts)
    np.testing.assert_array_equal(found, [9.0, 20.0, 7.0])


def test_mmoe_mixes_experts_by_shares_that_sum_to_one() -> None:
    body = Mmoe(DOMAINS, NETWORK, ExpertsConfig(shared=3))
    inputs = tf.constant(np.random.default_rng(0).normal(size=(5, 4)), tf.float32)
    shared = body.shared(inputs, training=False)
    body.logit(shared, 0, training=False)
    experts = shared["experts"].numpy()
    assert experts.shape == (5, 3, 2)  # half of the first layer's 4 units
    shares = body.gates[0](inputs).numpy()
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, rtol=1e-6)
    logits = inputs.numpy() @ body.gates[0].dense.kernel.numpy()
    np.testing.assert_allclose(
        shares, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), rtol=1e-5
    )
    mixed = np.stack([shares[i] @ experts[i] for i in range(5)])
    expected = body.towers[0](mixed)
    np.testing.assert_allclose(
        body.logit(shared, 0, training=False), expected, atol=1e-6
    )


def test_experts_are_as_good_as_layers_of_their_own() -> None:
    body = Mmoe(DOMAINS, NETWORK, ExpertsConfig(shared=3))
    inputs = tf.constant(np.random.default_rng(0).normal(size=(5, 4)), tf.float32)
    experts = body.experts(inputs, training=True)
    kernel = body.experts.mlp.named_variables()["hidden_0/kernel"].numpy()
    for index in range(3):
        own = inputs.numpy() @ kernel[:, 2 * index : 2 * index + 2]
        normal = (own - own.mean(axis=0)) / np.sqrt(own.var(axis=0) + 0.001)
        np.testing.assert_allclose(experts[:, index], np.maximum(normal, 0), atol=1e-5)


def test_ple_separates_what_is_shared_level_by_level() -> None:
    body = Ple(DOMAINS, NETWORK, ExpertsConfig(shared=3, own=2, levels=3))
    inputs = tf.ones((5, 4))
    shared = body.shared(inputs, training=False)
    body.logit(shared, 1, training=False)
    first, second, last = body.levels
    assert [gate.dense.units for gate in first.gates] == [5, 5, 5]  # 2 own, 3 shared
    assert first.shared_gate.dense.units == second.shared_gate.dense.units == 9
    assert last.shared_gate is None
    assert [part.shape for part in shared["own"]] == [(5, 2, 2)] * 3
    assert shared["common"].shape == (5, 3, 2)
    # The first level reads the interaction, later ones what the gates let through.
    kernels = [
        level.common.mlp.named_variables()["hidden_0/kernel"] for level in body.levels
    ]
    assert [kernel.shape[0] for kernel in kernels] == [4, 2, 2]


def test_ple_reaches_another_domains_experts_below_the_last_level_only(
    features: FeatureTable, make_rows: MakeRows
) -> None:
    rows = _rows_of(make_rows, ROWS["fr"])
    sizes = _gradients(_build(features, "ple"), rows, np.full(6, True), False)
    assert sizes["level_1/own/de/hidden_0/kernel"] == 0
    assert sizes["level_0/own/de/hidden_0/kernel"] > 0
    assert sizes["level_0/gate/de/kernel"] == 0


def test_star_of_ones_is_the_shared_network() -> None:
    """With `W_k` of one and an identity for a norm, only the centre is left."""
    star = Star(DOMAINS, NETWORK)
    inputs = tf.constant(np.random.default_rng(0).normal(size=(5, 4)), tf.float32)
    shared = star.shared(inputs, training=False)
    star.logit(shared, 1, training=False)
    plain = Mlp(NETWORK.hidden_units, batch_norm=False)
    plain(inputs)
    for name, variable in plain.named_variables().items():
        if name.endswith("kernel"):
            variable.assign(star.centre.named_variables()[name])
    for norm in star.stacks[1].norms:
        norm.moving_variance.assign(1 - norm.epsilon * tf.ones_like(norm.beta))
    expected = plain(inputs) @ star.centre.output_layer.kernel
    np.testing.assert_allclose(
        star.logit(shared, 1, training=False) - shared["auxiliary"],
        expected[:, 0],
        atol=1e-5,
    )


def test_star_weights_are_products_and_biases_sums() -> None:
    star = Star(DOMAINS, NETWORK)
    inputs = tf.constant(np.random.default_rng(0).normal(size=(5, 3)), tf.float32)
    dense = star.stacks[0].output_layer
    dense(inputs)
    dense.shared.kernel.assign([[1.0], [2.0], [-1.0]])
    dense.shared.bias.assign([0.5])
    dense.kernel.assign([[2.0], [0.5], [3.0]])
    dense.bias.assign([-1.5])
    expected = inputs.numpy() @ [[2.0], [1.0], [-3.0]] - 1.0
    np.testing.assert_allclose(dense(inputs), expected, atol=1e-6)


def test_partitioned_norm_follows_the_rows_of_its_domain() -> None:
    norm = PartitionedNorm(ScaleShift())
    values = np.random.default_rng(1).normal(3.0, 2.0, size=(16, 2)).astype("float32")
    outputs = norm(tf.constant(values), training=True).numpy()
    rate = 16 / (16 + MEMORY_ROWS)
    mean = rate * values.mean(axis=0)
    variance = 1 + rate * (((values - mean) ** 2).mean(axis=0) - 1)
    np.testing.assert_allclose(norm.moving_mean, mean, rtol=1e-5)
    np.testing.assert_allclose(norm.moving_variance, variance, rtol=1e-5)
    np.testing.assert_allclose(
        outputs, (values - mean) / np.sqrt(variance + norm.epsilon), rtol=1e-4
    )
    norm.shared.gamma.assign([2.0, 2.0])
    norm.gamma.assign([3.0, 1.0])
    norm.shared.beta.assign([1.0, 0.0])
    norm.beta.assign([0.0, 4.0])
    expected = (values - mean) / np.sqrt(variance + norm.epsilon) * [6, 2] + [1, 4]
    np.testing.assert_allclose(norm(tf.constant(values)), expected, rtol=1e-4)


def test_partitioned_norm_without_a_row_changes_nothing() -> None:
    norm = PartitionedNorm(ScaleShift())
    assert norm(tf.zeros((0, 2)), training=True).shape == (0, 2)
    np.testing.assert_array_equal(norm.moving_mean, [0, 0])
    np.testing.assert_array_equal(norm.moving_variance, [1, 1])


def test_a_network_of_one_hidden_layer_has_none_for_towers() -> None:
    one_layer = NetworkConfig(hidden_units=(4,))
    with pytest.raises(ValueError, match="two or more layers"):
        SharedBottom(DOMAINS, one_layer)
    Star(DOMAINS, one_layer)


def test_layers_before_the_experts_are_shared(
    features: FeatureTable, make_rows: MakeRows
) -> None:
    deep = NETWORK.model_copy(update={"hidden_units": (5, 4, 3)})
    for kind in ("mmoe", "ple"):
        network = _build(features, kind, deep)
        assert network(make_rows(3)).shape == (3,)
        assert network.named_variables()["bottom/hidden_0/kernel"].shape[1] == 5


def test_statistics_of_a_domain_are_counted_on_its_rows(
    features: FeatureTable,
    make_rows: MakeRows,
    write_shard: Callable[..., Any],
) -> None:
    columns = {**make_rows(30), "domain": np.array([3, 4, 4] * 10)}
    columns |= {"label": np.zeros(30), "day": np.zeros(30)}
    path = write_shard(columns)
    network = _build(features, "star")
    unseen = copy.copy(network.body.stacks[1].norms[0].moving_mean.numpy())
    count_statistics(network, ExampleReader([str(path)], features, 0, 0), seed=1)
    for index, domain_row in ((0, ROWS["fr"]), (2, ROWS["de"])):
        stack = network.body.stacks[index]
        own = columns["domain"] == domain_row
        with stack.watching() as read:
            network({name: columns[name][own] for name in features.columns})
        for norm, values in zip(stack.norms, read, strict=True):
            np.testing.assert_allclose(
                norm.moving_mean, values.numpy().mean(axis=0), rtol=1e-4, atol=1e-5
            )
            np.testing.assert_allclose(
                norm.moving_variance, values.numpy().var(axis=0), rtol=1e-4, atol=1e-5
            )
    np.testing.assert_array_equal(network.body.stacks[1].norms[0].moving_mean, unseen)


def test_statistics_of_a_level_follow_from_those_of_the_level_before(
    features: FeatureTable,
    make_rows: MakeRows,
    write_shard: Callable[..., Any],
) -> None:
    columns = {**make_rows(30), "domain": np.array([3, 4, 4] * 10)}
    columns |= {"label": np.zeros(30), "day": np.zeros(30)}
    path = write_shard(columns)
    network = _build(features, "ple")
    count_statistics(network, ExampleReader([str(path)], features, 0, 0), seed=1)
    rows = {name: columns[name] for name in features.columns}
    for stage in network.stages:
        for stack in stage:
            with stack.watching() as read:
                network(rows)
            (norm,), (values,) = stack.norms, read
            np.testing.assert_allclose(
                norm.moving_mean, values.numpy().mean(axis=0), rtol=1e-4, atol=1e-5
            )
