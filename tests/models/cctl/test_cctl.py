"""CCTL's parts and one training of them, on a tiny world."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from models.backbone import Backbone
from models.batches import ExampleReader
from models.cctl.agreement import DomainSums
from models.cctl.alignment import Alignment
from models.cctl.enhancement import Enhancement
from models.cctl.flow import flow_loss
from models.cctl.flow import weights_of
from models.cctl.learner import CctlLearner
from models.cctl.learner import weighted_loss
from models.cctl.network import CompanionNetwork
from models.features import FeatureTable
from models.settings import CctlConfig
from models.settings import NetworkConfig
from models.settings import TrainingConfig

NETWORK = NetworkConfig(width=3, hidden_units=(4,), cross_layers=1, dropout=0.0)


def _slopes(make_labels: Callable[[Any, Any], Any], rows: int = 40_000) -> Any:
    """Agreement of two sources whose clicks `make_labels` draws from the logits."""
    rng = np.random.default_rng(3)
    logits = rng.normal(-1.0, 0.8, rows).astype(np.float32)
    domain = (np.arange(rows) % 2).astype(np.int32)
    labels = np.asarray(make_labels(logits, domain), np.float32)
    sums = DomainSums(2)
    for part in np.split(np.arange(rows), 20):
        sums.add(
            tf.constant(labels[part]),
            tf.constant(logits[part]),
            tf.constant(domain[part]),
        )
    return sums.slopes().numpy(), sums.errors().numpy()


def _clicks(logits: Any, seed: int = 5) -> Any:
    share = 1 / (1 + np.exp(-logits))
    return np.random.default_rng(seed).random(len(logits)) < share


def test_agreement_tells_shuffled_clicks_from_real_ones() -> None:
    def labels(logits: Any, domain: Any) -> Any:
        real = _clicks(logits)
        shuffled = real.copy()
        odd = domain == 1
        shuffled[odd] = np.random.default_rng(7).permutation(real[odd])
        return shuffled

    slopes, errors = _slopes(labels)
    assert slopes[0] == pytest.approx(1.0, abs=0.15)
    assert abs(slopes[1]) < 4 * errors[1] < 0.2
    weights = weights_of(tf.constant(slopes), 0.5, 0.1, 0.0).numpy()
    assert weights[1] <= 0.5 * weights[0]


def test_agreement_does_not_ask_how_often_a_domain_is_clicked_on() -> None:
    slopes, _ = _slopes(lambda logits, domain: _clicks(logits + 1.5 * domain))
    assert slopes[1] == pytest.approx(slopes[0], abs=0.2)


def test_the_flow_loss_is_least_at_the_groups_slope() -> None:
    gain, mass = tf.constant([0.2, 0.6]), tf.constant([0.5, 1.5])
    losses = [float(flow_loss(tf.fill([2], s), gain, mass)) for s in (0.3, 0.4, 0.5)]
    assert min(losses) == losses[1]  # 0.8 / 2.0


def test_no_gradient_reaches_the_weights_through_the_weighted_loss() -> None:
    weights, logits = tf.Variable([0.3, 0.9]), tf.Variable([0.5, -0.5])
    with tf.GradientTape() as tape:
        loss = weighted_loss(tf.constant([1.0, 0.0]), logits, weights)
    to_weights, to_logits = tape.gradient(loss, [weights, logits])
    assert to_weights is None
    assert np.abs(to_logits.numpy()).min() > 0


def test_gains_are_constants_to_the_flow_network() -> None:
    gain, slope = tf.Variable([0.2]), tf.Variable([0.1])
    with tf.GradientTape() as tape:
        loss = flow_loss(slope, gain, tf.constant([1.0]))
    to_gain, to_slope = tape.gradient(loss, [gain, slope])
    assert to_gain is None
    assert to_slope.numpy() == pytest.approx(0.1 - 0.2)


def test_alignment_starts_as_the_identity_and_moves_its_own_source_alone() -> None:
    alignment = Alignment(("fr", "uk"), {"item_id": 2}, maps=True)
    vectors = {"item_id": tf.constant([[1.0, 2.0], [3.0, 4.0]])}
    source = tf.constant([0, 1])
    np.testing.assert_array_equal(
        alignment(vectors, source)["item_id"], vectors["item_id"]
    )
    alignment.maps["uk/item_id"].assign([[1.0, 0.0], [0.0, 1.0]])
    np.testing.assert_array_equal(
        alignment(vectors, source)["item_id"], [[1.0, 2.0], [6.0, 8.0]]
    )


def test_the_contrast_is_less_where_domains_lie_apart() -> None:
    enhancement = Enhancement()
    domain = tf.constant([0, 0, 1, 1])
    mixed = tf.constant([[1.0, 0.0], [0.0, 1.0], [1.0, 0.1], [0.1, 1.0]])
    enhancement(mixed, domain)
    enhancement.projection.kernel.assign(np.eye(2, 16, dtype=np.float32))
    apart = tf.constant([[1.0, 0.0], [1.0, 0.1], [-1.0, 0.0], [-1.0, 0.1]])
    assert float(enhancement(apart, domain)) < float(enhancement(mixed, domain))


@pytest.fixture
def world(
    features: FeatureTable,
    make_rows: Callable[..., dict[str, Any]],
    write_shard: Callable[..., Path],
    tmp_path: Path,
) -> tuple[ExampleReader, ExampleReader]:
    """Target and source rows, 160 and 800."""
    for name, rows in (("de", 160), ("fr", 800)):
        columns = make_rows(rows, seed=rows)
        columns["label"] = columns["item_id"] % 2
        columns["day"] = np.arange(rows) % 4
        write_shard(columns, f"{name}/part-0")
    target, source = (
        ExampleReader((str(tmp_path / name / "*"),), features, 0, 9)
        for name in ("de", "fr")
    )
    return target, source


def _learner(
    features: FeatureTable, source: ExampleReader, **settings: Any
) -> CctlLearner:
    tf.keras.utils.set_random_seed(1)
    cctl = CctlConfig(source_ratio=2, enhancement=0.0, **settings)
    network = CompanionNetwork(features, NETWORK, cctl, ("fr",), {"fr": 3})
    training = TrainingConfig(batch_size=16, shuffle_rows=64, seed=1)
    return CctlLearner(network, source, training)


def _train(learner: CctlLearner, target: ExampleReader) -> None:
    learner.prepare(target)
    for span in learner.spans(target, 0):
        assert np.isfinite(learner.train(span)).all()
    learner.finish()


@pytest.mark.slow
def test_towers_are_one_after_each_sync_and_the_ratio_holds(
    features: FeatureTable, world: tuple[ExampleReader, ExampleReader]
) -> None:
    target, source = world
    learner = _learner(features, source, sync_steps=3)
    _train(learner, target)
    record = learner.record.to_json()
    # Ten steps of 16 target and 32 source rows; syncs before steps 3, 6 and 9.
    assert record["source_rows"] == record["rows"]["fr"] == 320
    assert record["source_passes"] == 1
    assert [window["step"] for window in record["windows"]] == [3, 6, 9]
    assert all(window["distance"] > 0 for window in record["windows"])
    assert 0 < record["weights"]["fr"] < 1
    network = learner._network
    pure = network.pure.named_variables()
    apart = {
        name
        for name, variable in network.mixed.named_variables().items()
        if not np.array_equal(variable, pure[name])
    }
    assert apart
    learner._sync()
    for name, variable in network.mixed.named_variables().items():
        np.testing.assert_array_equal(variable, pure[name], err_msg=name)


@pytest.mark.slow
def test_served_is_the_mixed_tower_at_the_backbones_size(
    features: FeatureTable, world: tuple[ExampleReader, ExampleReader]
) -> None:
    target, source = world
    learner = _learner(features, source, estimator="uniform")
    _train(learner, target)
    assert learner.record.means() == {"fr": 1.0}
    network = learner._network
    (batch,) = target.batches(batch_size=160, shuffle_rows=160, seed=0)
    form = network.serving_form()
    np.testing.assert_allclose(form.logits(batch.rows), network(batch.rows), atol=1e-6)
    alone = Backbone(features, NETWORK).serving_form()
    assert sorted(tuple(v.shape) for v in form.variables) == sorted(
        tuple(v.shape) for v in alone.variables
    )
