"""Derivative of the gain by groups of impressions, and the weights that follow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from models.cctl.derivative import CLUSTERS
from models.cctl.derivative import ID_BUCKETS
from models.cctl.derivative import Moments
from models.cctl.derivative import add_by_id
from models.cctl.derivative import in_clusters
from models.cctl.derivative import slopes
from models.cctl.derivative import sums_by_bucket
from models.cctl.derivative import sums_by_value
from models.cctl.gain_measurement import GainMeasurement
from models.cctl.gain_weights import VALUES
from models.cctl.gain_weights import GainWeights
from models.cctl.look_ahead import IdLookAhead
from models.cctl.look_ahead import Residuals
from models.cctl.look_ahead import calibrated
from models.cctl.two_groups import group_probabilities
from models.cctl.two_groups import source_probabilities
from models.data.batches import Batch


def _sigmoid(logits: Any) -> Any:
    return 1 / (1 + np.exp(-logits))


def _world(rows: int, seed: int) -> tuple[dict[str, Any], Any, Any]:
    """Returns rows of 200 users with a taste for two categories, labels and rates."""
    rng = np.random.default_rng(seed)
    taste = np.random.default_rng(1).normal(0.0, 1.0, (200, 2))
    user, category = rng.integers(0, 200, rows), rng.integers(0, 2, rows)
    rate = _sigmoid(taste[user, category] - 1.5)
    labels = (rng.random(rows) < rate).astype(np.float64)
    return {"user": user, "category": category}, labels, np.full(rows, labels.mean())


def test_a_look_ahead_leaves_each_impression_out() -> None:
    rows = {"user": np.array([5, 5, 5, 9]), "category": np.array([1, 1, 0, 1])}
    labels, rates = np.array([1.0, 0.0, 1.0, 0.0]), np.full(4, 0.5)
    step = IdLookAhead("user", {"category": 2})
    own = Residuals.of(rows, labels, rates, np.zeros(4, np.int64))
    step.fit(own, 1)
    left_out = step.own_changes(own)
    # Without variance between ids the ridge is 1 / 0.05; each row has mass 1/4.
    users = [0.0, 1.0, 0.0]
    pairs = [-0.5 / 20.25, 0.5 / 20.25, 0.0]
    expected = [user / 20.5 + pair for user, pair in zip(users, pairs, strict=True)]
    np.testing.assert_allclose(left_out[:3], expected)
    assert left_out[3] == 0.0
    new = {"user": np.array([7]), "category": np.array([1])}
    assert step.changes(new, np.zeros(1, np.int64))[0] == 0.0


def test_a_domains_own_impressions_do_not_change_its_logits() -> None:
    rows = {"user": np.array([5, 5, 5, 5, 9]), "category": np.zeros(5, np.int64)}
    labels, domain = np.array([1.0, 1.0, 0.0, 1.0, 1.0]), np.array([2, 2, 0, 1, 1])
    weights = np.array([1.0, 1.0, 1.0, 0.5, 1.0])
    found = Residuals.of(rows, labels, np.full(5, 0.5), domain, weights)
    step = IdLookAhead("user", {})
    step.fit(found, 3)
    changes = step.changes({"user": np.array([5, 5, 5])}, np.arange(3))
    np.testing.assert_allclose(changes, [1.25 / 20.625, 0.5 / 20.75, -0.25 / 20.375])
    target = Residuals.of(
        {name: values[:2] for name, values in rows.items()},
        *(labels[:2], np.full(2, 0.5), domain[:2]),
    )
    # Of the other impression of the target, and of both sources or one of them.
    np.testing.assert_allclose(step.own_changes(target), 0.25 / 20.625)
    np.testing.assert_allclose(step.own_changes(target, without=0), 0.75 / 20.375)


def test_a_source_is_calibrated_in_click_rate_and_scale() -> None:
    rng = np.random.default_rng(2)
    logits = rng.normal(-1.0, 1.0, 20_000)
    rates = _sigmoid(0.7 + 0.5 * logits)
    labels = (rng.random(len(logits)) < rates).astype(np.float64)
    weights = np.ones(len(logits))
    weights[:5_000], labels[:5_000] = 0.0, 1.0
    np.testing.assert_allclose(calibrated(logits, labels, weights), rates, atol=0.03)


def test_errors_are_those_of_clicks_that_depend_on_their_ids() -> None:
    rng = np.random.default_rng(7)
    found, errors, naive = [], [], []
    for _ in range(40):
        # The logit tells items apart, whose clicks differ beyond it.
        shown, appeal = rng.normal(0.0, 0.5, 64), rng.normal(0.0, 0.7, 64)
        item = rng.integers(0, 64, 3_000)
        rates = _sigmoid(shown[item] + appeal[item] - 1)
        labels = (rng.random(len(item)) < rates).astype(np.float64)
        none = np.zeros(len(item), np.int64)
        whole, clusters = Moments(1, 1), Moments(1, CLUSTERS)
        whole.add(none, none, labels, shown[item])
        clusters.add(none, in_clusters(none, item), labels, shown[item])
        (slope,), (square,) = slopes(sums_by_value(whole, [clusters])[0])
        found.append(slope)
        errors.append(np.sqrt(square))
        naive.append(np.sqrt(slopes(sums_by_value(whole)[0])[1][0]))
    spread = np.std(found)
    assert 0.7 * spread < np.mean(errors) < 1.4 * spread
    assert np.mean(naive) < 0.6 * spread


def test_the_derivative_is_that_of_training_on_a_group() -> None:
    # Uncentred: the log loss of the target after one small step on weights per user,
    # on a group of source impressions, against the kernel's first-order change.
    (target, t_labels, _), (source, s_labels, _) = _world(4_000, 2), _world(4_000, 3)
    rate = 0.2
    of_user = np.bincount(target["user"], t_labels - rate, 200)
    finite, derivative = [], []
    for group in range(20):
        chosen = source["user"] % 20 == group
        moved = np.bincount(source["user"][chosen], s_labels[chosen] - rate, 200)
        logits = np.log(rate / (1 - rate)) + 0.01 * moved[target["user"]]
        losses = np.logaddexp(0, logits) - t_labels * logits
        start = np.full(len(t_labels), np.log(rate / (1 - rate)))
        before = np.logaddexp(0, start) - t_labels * start
        finite.append(np.sum(before - losses))
        change = of_user[source["user"][chosen]]
        derivative.append(np.sum((s_labels[chosen] - rate) * change))
    assert np.corrcoef(finite, derivative)[0, 1] >= 0.9


def _relative(change: str) -> tuple[float, float, float]:
    target, labels, rates = _world(6_000, 4)
    step = IdLookAhead("user", {"category": 2})
    step.fit(Residuals.of(target, labels, rates, np.ones(len(labels), int)), 2)
    changes = step.own_changes(
        Residuals.of(target, labels, rates, np.ones(len(labels), int))
    )
    own = Moments(1, len(step.known))
    none = np.zeros(len(labels), np.int64)
    add_by_id(own, step.known, target["user"], none, labels - rates, changes)
    variance = np.array([np.mean(rates * (1 - rates))])
    (slope,), _ = slopes(sums_by_bucket(own, step.known, variance)[:, -1])
    source, labels, _ = _world(12_000, 5)
    rng = np.random.default_rng(6)
    if change == "labels":
        labels = rng.permutation(labels)
    if change == "ids":
        source["user"] = rng.permutation(200)[source["user"]]
    found = Moments(1, len(step.known))
    none = np.zeros(len(labels), np.int64)
    changed = step.changes(source, none)
    add_by_id(found, step.known, source["user"], none, labels, changed)
    (one,), (square,) = slopes(sums_by_bucket(found, step.known)[:, -1])
    return slope, one / slope, np.sqrt(square) / slope


def test_fresh_impressions_of_the_targets_world_gain_as_its_own_do() -> None:
    slope, relative, error = _relative("nothing")
    # Ids and pairs are of one step, so they share what they explain.
    assert 0.5 < slope < 1.25
    assert relative == pytest.approx(1.0, abs=0.25)
    assert 0 < error < 0.15


@pytest.mark.parametrize("change", ["labels", "ids"])
def test_shuffled_labels_and_permuted_ids_gain_nothing(change: str) -> None:
    _, relative, error = _relative(change)
    assert abs(relative) < 3 * error
    assert abs(relative) < 0.3


def test_click_rates_of_values_are_no_slope() -> None:
    rng = np.random.default_rng(3)
    cell, domain = rng.integers(0, 2, 40_000), np.zeros(40_000, np.int64)
    noise = rng.normal(0.0, 0.5, len(cell))
    labels = (rng.random(len(cell)) < _sigmoid(noise - 1 + cell)).astype(np.float64)
    moments = Moments(1, 2)
    # The logit has the cells' difference the wrong way round.
    moments.add(domain, cell, labels, noise - cell)
    found, squares = slopes(sums_by_value(moments)[0])
    np.testing.assert_allclose(found, 1.0, atol=4 * np.sqrt(squares.max()))
    assert np.sqrt(squares.max()) < 0.1


def test_moments_of_parts_add_up() -> None:
    rng = np.random.default_rng(8)
    parts = (
        rng.integers(0, 2, 50),
        rng.integers(0, 3, 50),
        rng.random(50),
        rng.normal(size=50),
    )
    whole, halves = Moments(2, 3), Moments(2, 3)
    whole.add(*parts)
    for chosen in (slice(0, 20), slice(20, 50)):
        halves.add(*(part[chosen] for part in parts))
    np.testing.assert_allclose(whole.sums, halves.sums)


def test_useful_sources_are_told_from_useless_ones() -> None:
    found, squares = (
        np.array([0.9, 0.02, 0.7, 0.0]),
        np.array([0.02, 0.02, 0.02, np.inf]),
    )
    useful, expected = source_probabilities(found, squares)
    assert useful[0] > 0.95
    assert useful[1] < 0.1
    assert useful[2] > 0.95
    assert useful[3] == 1.0  # nothing is known against it
    assert expected[0] == pytest.approx(0.87, abs=0.1)
    nothing, _ = source_probabilities(np.zeros(3), np.full(3, 0.01))
    assert nothing.max() < 0.1


def test_a_bad_group_is_found_within_a_useful_source() -> None:
    found = np.array([[0.8, 0.05, 0.9, 0.7], [0.7, 0.8, 0.9, 0.75]])
    squares = np.full((2, 4), 0.02)
    useful = group_probabilities(
        found, squares, np.array([0.6, 0.8]), np.ones(2), (9.0, 1.0)
    )
    assert useful[0, 1] < 0.1
    assert np.delete(useful.ravel(), 1).min() > 0.95


def _weights(user: list[float], target: float = 1.0) -> GainWeights:
    layer = GainWeights(2, {"slot": 3}, ["user"])
    mass = 400.0
    values = np.full((3, 1, 3), mass)
    layer.set_sums(VALUES, values)
    layer.set_sums("slot", np.full((3, 3, 3), mass))
    ids = np.full((3, ID_BUCKETS + 1, 3), mass)
    ids[0, :, 0] = mass * np.array([*user, np.mean(user)])
    ids[2, :, 0] = target * mass
    layer.set_sums("user", ids)
    np.testing.assert_array_equal(layer.sums_of("user"), ids)
    layer.refresh()
    return layer


def test_weights_are_looked_up_by_source_value_and_bucket() -> None:
    layer = _weights([1.0, 0.0, 1.0, 1.0])
    rows = {"slot": tf.constant([1, 1, 2]), "user": tf.constant([8, 5, 5])}
    weights = layer(rows, tf.constant([0, 0, 1])).numpy()
    assert weights[0] > 0.9
    assert weights[1] < 0.05
    assert weights[2] > 0.9


def test_a_part_that_says_nothing_of_the_target_weighs_no_source() -> None:
    layer = _weights([0.0] * 4, target=0.05)
    assert "user" not in layer.measured
    assert layer.tables["user"].numpy().min() == 1.0
    assert set(layer.measured) == {VALUES}


def _measured(sources: int, further: bool) -> tuple[Any, Any]:
    """Returns relative slopes and errors of sources, the last of permuted ids."""
    target, labels, rates = _world(3_000, 4)
    logits = np.log(rates / (1 - rates)) + np.random.default_rng(1).normal(0, 0.1, 3000)
    layer = GainWeights(sources, {"category": 2}, ["user"])
    sides = {"user": "user", "category": "item"}
    measurement = GainMeasurement(layer, sides)
    days = np.zeros(3_000, np.int64)
    everything = np.ones(3_000, bool)
    measurement.begin(Batch(target, labels, days), logits, everything)
    parts = [_world(3_000, 10 + index) for index in range(sources)]
    permuted = np.random.default_rng(6).permutation(200)
    parts[-1][0]["user"] = permuted[parts[-1][0]["user"]]
    batch = Batch(
        {name: np.concatenate([part[0][name] for part in parts]) for name in target},
        np.concatenate([part[1] for part in parts]),
        np.zeros(3_000 * sources, np.int64),
    )
    found = np.full(len(batch.labels), logits.mean())
    found += np.random.default_rng(2).normal(0, 0.1, len(found))
    source = np.repeat(np.arange(sources, dtype=np.int32), 3_000)
    measurement.add(batch, found, source)
    measurement.refresh()
    if further:
        measurement.look_further(batch, found, source)
        measurement.refresh()
    return np.array(layer.measured["user"]).T


def test_what_other_sources_say_of_ids_makes_errors_smaller() -> None:
    first, before = _measured(4, further=False)
    second, after = _measured(4, further=True)
    assert (after < 0.8 * before).all()
    np.testing.assert_allclose(second[:3], 1.0, atol=0.3)
    assert abs(second[3]) < 3 * after[3]
    assert second[:3].min() > first[3]


def test_one_source_has_no_others_to_learn_from() -> None:
    np.testing.assert_array_equal(_measured(1, False), _measured(1, True))
