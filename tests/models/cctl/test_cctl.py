"""Parts of CCTL, and one training on a tiny world."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from models.cctl.agreement import DomainSums
from models.cctl.agreement import agreement
from models.cctl.flow import flow_loss
from models.cctl.flow import group_loss
from models.cctl.flow import shrinkage_factor
from models.cctl.flow import weights_of
from models.cctl.gain_weights import VALUES
from models.cctl.learner import CctlLearner
from models.cctl.losses import weighted_loss
from models.cctl.network import CompanionNetwork
from models.cctl.window import with_ratio_of
from models.data.batches import ExampleReader
from models.data.mixing import cut
from models.data.mixing import join
from models.features.feature import Feature
from models.features.id_space import IdSpace
from models.features.table import FeatureTable
from models.networks.backbone import Backbone
from models.settings import CctlConfig
from models.settings import NetworkConfig
from models.settings import TrainingConfig
from models.training.optimizers import build_optimizer
from models.training.steps import step_of

NETWORK = NetworkConfig(width=3, hidden_units=(4,), cross_layers=1, dropout=0.0)


def _slopes(make_labels: Callable[[Any, Any], Any], rows: int = 40_000) -> Any:
    """Agreement of two sources whose clicks `make_labels` draws from the logits."""
    rng = np.random.default_rng(3)
    logits = rng.normal(-1.0, 0.8, rows).astype(np.float32)
    domain = (np.arange(rows) % 2).astype(np.int32)
    labels = np.asarray(make_labels(logits, domain), np.float32)
    sums = DomainSums(2)
    sums.add_rows(labels, logits, domain)
    for part in np.split(np.arange(rows), 20):
        rate, mean, variance = sums.moments(tf.constant(domain[part]))
        gain, mass = agreement(labels[part], rate, logits[part] - mean, variance)
        sums.add_gains(gain, mass, domain[part])
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
    weights = weights_of(tf.constant(slopes), 0.5, 0.1).numpy()
    assert weights[1] <= 0.5 * weights[0]


def test_agreement_is_independent_of_a_domains_click_rate() -> None:
    slopes, _ = _slopes(lambda logits, domain: _clicks(logits + 1.5 * domain))
    assert slopes[1] == pytest.approx(slopes[0], abs=0.2)


@pytest.mark.parametrize("wrong", ["neither", "click rate", "logit"])
def test_effects_shared_by_a_group_cancel(wrong: str) -> None:
    # Two groups; what the model gives one of them the clicks take away again.
    rng = np.random.default_rng(11)
    group = rng.integers(0, 2, 60_000)
    own = rng.normal(0.0, 0.8, len(group))
    logits = own + 1.0 * group
    labels = _clicks(own - 1.0 - 1.0 * group).astype(np.float32)

    def of_group(values: Any, known: bool) -> Any:
        means = [values[group == g].mean() for g in (0, 1)]
        return np.take(means, group) if known else np.full(len(group), values.mean())

    def slope(rate: Any, mean: Any) -> float:
        surplus = (logits - mean).astype(np.float32)
        variance = np.full(len(group), surplus.var(), np.float32)
        gain, mass = agreement(labels, rate.astype(np.float32), surplus, variance)
        return float(np.sum(gain) / np.sum(mass))

    rate = of_group(labels, wrong != "click rate")
    mean = of_group(logits, wrong != "logit")
    exact = slope(of_group(labels, True), of_group(logits, True))
    assert exact == pytest.approx(1.0, abs=0.1)
    assert slope(rate, mean) > 0.6
    neither = slope(of_group(labels, False), of_group(logits, False))
    assert neither < 0.6


def test_the_group_loss_is_least_at_the_groups_click_rate_and_mean_logit() -> None:
    labels, logits = (
        tf.constant([1.0, 0.0, 0.0, 0.0]),
        tf.constant([1.0, 2.0, 4.0, 5.0]),
    )

    def loss(rate: float, mean: float) -> float:
        odds = tf.fill([4], np.float32(np.log(rate / (1 - rate))))
        return float(group_loss(labels, odds, logits, tf.fill([4], mean)))

    least = loss(0.25, 3.0)
    assert least < min(loss(0.2, 3.0), loss(0.3, 3.0), loss(0.25, 2.9), loss(0.25, 3.1))


def test_the_flow_loss_is_least_at_the_groups_slope() -> None:
    gain, mass = tf.constant([0.2, 0.6]), tf.constant([0.5, 1.5])
    losses = [float(flow_loss(tf.fill([2], s), gain, mass)) for s in (0.3, 0.4, 0.5)]
    assert min(losses) == losses[1]  # 0.8 / 2.0


def test_shrinkage_keeps_reproducible_differences_and_removes_noise() -> None:
    rng = np.random.default_rng(4)
    mass = np.full(20_000, 0.1, np.float32)
    group = rng.integers(0, 2, len(mass)) - 0.5
    gain = mass * (0.4 + 0.8 * group) + 0.3 * rng.normal(size=len(mass))
    slope = np.full(len(mass), 0.4)
    assert shrinkage_factor(group, gain, mass, slope) == pytest.approx(0.76, abs=0.06)
    assert shrinkage_factor(2 * group, gain, mass, slope) < 0.42
    chance = rng.permutation(group)
    assert shrinkage_factor(chance, gain, mass, slope) < 0.1
    assert shrinkage_factor(-group, gain, mass, slope) == 0.0
    assert shrinkage_factor(0 * group, gain, mass, slope) == 0.0


def test_no_gradient_reaches_the_weights_through_the_weighted_loss() -> None:
    weights, logits = tf.Variable([0.3, 0.9]), tf.Variable([0.5, -0.5])
    with tf.GradientTape() as tape:
        loss = weighted_loss(tf.constant([1.0, 0.0]), logits, weights)
    to_weights, to_logits = tape.gradient(loss, [weights, logits])
    assert to_weights is None
    assert np.abs(to_logits.numpy()).min() > 0


def test_gains_are_constants_to_the_flow_network() -> None:
    gain, mass, slope = tf.Variable([0.2]), tf.Variable([1.0]), tf.Variable([0.1])
    with tf.GradientTape() as tape:
        loss = flow_loss(slope, gain, mass)
    to_gain, to_mass, to_slope = tape.gradient(loss, [gain, mass, slope])
    assert to_gain is None
    assert to_mass is None
    assert to_slope.numpy() == pytest.approx(0.1 - 0.2)


def test_a_constant_logit_has_no_variance_and_no_gain() -> None:
    logits = tf.fill([64], -3.0) + tf.constant([0.0, 2e-7] * 32)
    domain, labels = tf.zeros([64], tf.int32), tf.constant([0.0, 1.0] * 32)
    sums = DomainSums(1)
    for _ in range(20):
        sums.add_rows(labels, logits, domain)
        rate, mean, variance = sums.moments(domain)
        assert (variance.numpy() >= 0).all()
        gain, mass = agreement(labels, rate, logits - mean, variance)
        assert np.isfinite(gain).all()
        assert np.isfinite(mass).all()


@pytest.mark.parametrize(
    ("rows", "settings", "ratio"),
    [
        ({"fr": 700, "uk": 100, "de": 10}, {}, 8.0),
        ({"fr": 70, "uk": 10, "de": 40}, {}, 2.0),
        ({"fr": 4, "de": 40}, {}, 0.1),
        ({"fr": 4, "de": 40}, {"repeat_sources": True}, 8.0),
        ({"fr": 0, "de": 40}, {}, 8.0),
        ({"fr": 9, "de": 0}, {}, 8.0),
    ],
)
def test_no_source_row_comes_twice_in_a_pass_unless_asked(
    rows: dict[str, int], settings: dict[str, Any], ratio: float
) -> None:
    found = with_ratio_of(CctlConfig(source_ratio=8, **settings), rows, "de")
    assert found.source_ratio == pytest.approx(ratio)


@pytest.fixture(scope="module")
def features() -> FeatureTable:
    """An id of each side and a number: tracing takes most of the time."""
    return FeatureTable(
        features=(
            Feature(name="user_id", kind="id", vocabulary="user"),
            Feature(name="item_id", kind="id", vocabulary="item"),
            Feature(name="domain", kind="id", vocabulary="domain", side="context"),
            Feature(name="item_impressions", kind="count", buckets=4),
        ),
        vocabularies={
            "user": IdSpace(capacity=8, oov_buckets=2),
            "item": IdSpace(capacity=6, oov_buckets=2),
            "domain": IdSpace(capacity=2, oov_buckets=1),
        },
    )


@pytest.fixture
def world(
    features: FeatureTable,
    make_rows: Callable[..., dict[str, Any]],
    write_shard: Callable[..., Path],
    tmp_path: Path,
) -> tuple[ExampleReader, ExampleReader]:
    """Target and source rows, 160 and 800."""
    for name, rows, domain in (("de", 160, 2), ("fr", 800, 3)):
        columns = {**make_rows(rows, seed=rows), "domain": np.full(rows, domain)}
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
    base = {"source_ratio": 2, "own_vectors": True, "enhancement": 0.0}
    cctl = CctlConfig(**{**base, **settings})
    network = CompanionNetwork(features, NETWORK, cctl, ("fr",), {"fr": 3})
    training = TrainingConfig(batch_size=16, shuffle_rows=64, seed=1)
    return CctlLearner(network, source, training)


def _train(learner: CctlLearner, target: ExampleReader) -> None:
    learner.begin(target, 160)
    for span in target.batches(batch_size=16, shuffle_rows=64, seed=1, span=4):
        assert np.isfinite(learner.train(span)).all()
    learner.end()


def test_lists_of_variables_of_keras_are_complete(features: FeatureTable) -> None:
    network = CompanionNetwork(features, NETWORK, CctlConfig(), ("fr",), {"fr": 3})
    served = {id(variable) for variable in network.mixed.named_variables().values()}
    assert served <= {id(variable) for variable in network.variables}
    assert network.weights == network.variables


def _assert_one(network: CompanionNetwork) -> None:
    pure = network.pure.named_variables()
    for name, variable in network.mixed.named_variables().items():
        np.testing.assert_array_equal(variable, pure[name], err_msg=name)


@pytest.mark.slow
def test_towers_are_equal_after_each_sync_and_the_ratio_holds(
    features: FeatureTable, world: tuple[ExampleReader, ExampleReader]
) -> None:
    target, source = world
    learner = _learner(features, source, sync_steps=3)
    _train(learner, target)
    record = learner.record.numbers()
    # Ten steps of 16 target and 32 source rows, in windows of three and of one.
    assert record["source_rows"] == record["rows"]["fr"] == 320
    assert record["source_passes"] == 1
    assert [window["step"] for window in record["windows"]] == [3, 6, 9, 10]
    assert all(window["gain"] is not None for window in record["windows"])
    assert all(window["error"] > 0 for window in record["windows"])
    assert all(window["distance"] > 0 for window in record["windows"])
    assert 0 < record["weights"]["fr"] <= 1
    _assert_one(learner._network)


@pytest.mark.slow
def test_a_window_of_surely_negative_gain_is_undone(
    features: FeatureTable, world: tuple[ExampleReader, ExampleReader]
) -> None:
    target, source = world
    learner = _learner(features, source, estimator="uniform", sync_steps=5)
    learner.begin(target, 160)
    (rows,) = target.batches(batch_size=160, shuffle_rows=160, seed=0)
    learner._trainer.gain.assign([1_000.0, -900.0, 900.0])
    apart: dict[str, Any] = {}
    sync = learner._towers.sync

    def watched(**how: Any) -> None:
        pure = learner._network.pure.named_variables()
        apart.update({name: variable.numpy() for name, variable in pure.items()})
        apart["undo"] = how["undo"]
        sync(**how)

    learner._towers.sync = watched  # type: ignore[method-assign]
    learner.train(cut(rows, 0, 80))
    assert apart["undo"]
    assert learner.record.windows[0]["undone"]
    for name, variable in learner._network.mixed.named_variables().items():
        np.testing.assert_array_equal(variable, apart[name], err_msg=name)
    pairs = learner._towers._dense_pairs()
    for one, other in pairs:
        np.testing.assert_array_equal(one, other)
    learner.train(cut(rows, 80, 160))
    assert not learner.record.windows[1]["undone"]
    assert "1 of 2 windows were undone" in learner.record.words()[-1]


@pytest.mark.slow
def test_without_weights_the_gain_is_zero(
    features: FeatureTable, world: tuple[ExampleReader, ExampleReader]
) -> None:
    target, source = world
    learner = _learner(features, source, estimator="zero", sync_steps=4)
    _train(learner, target)
    gains = [window["gain"] for window in learner.record.windows]
    np.testing.assert_allclose(gains, 0.0, atol=1e-6)


@pytest.mark.slow
def test_towers_are_equal_again_after_a_target_only_day(
    features: FeatureTable,
    world: tuple[ExampleReader, ExampleReader],
) -> None:
    target, source = world
    learner = _learner(features, source, sync_steps=3)
    learner._source_reader = source.between(0, 1)
    for first, last in ((0, 1), (2, 3)):
        day = target.between(first, last)
        learner.begin(day, 80)
        for span in day.batches(batch_size=16, shuffle_rows=64, seed=1, span=2):
            learner.train(span)
        learner.end()
    assert learner._alone
    _assert_one(learner._network)
    learner._towers.sync()
    _assert_one(learner._network)


@pytest.mark.slow
def test_a_short_day_takes_the_ratio_of_source_rows(
    features: FeatureTable, world: tuple[ExampleReader, ExampleReader]
) -> None:
    target, source = world
    learner = _learner(features, source, estimator="uniform")
    learner.begin(target, 5)
    (rows,) = target.batches(batch_size=160, shuffle_rows=160, seed=0)
    learner.train(cut(rows, 0, 5))
    learner.end()
    assert learner.record.source_rows == 10


@pytest.mark.slow
def test_without_any_weight_no_source_label_is_learned(
    features: FeatureTable, world: tuple[ExampleReader, ExampleReader]
) -> None:
    target, source = world
    (rows,) = target.batches(batch_size=160, shuffle_rows=160, seed=0)
    beside = next(iter(source.batches(batch_size=64, shuffle_rows=160, seed=0)))
    trained = {}
    for clicks in (0.0, 1.0):
        keras.utils.set_random_seed(3)
        learner = _learner(features, source, estimator="zero")
        few = cut(rows, 0, 32)
        losses, weights = learner._trainer.train_span(
            few.rows, few.labels, beside.rows, np.full_like(beside.labels, clicks)
        )
        assert weights.numpy().tolist() == [0.0] * len(weights)
        trained[clicks] = learner._network.serving_form().logits(rows.rows).numpy()
    np.testing.assert_array_equal(trained[0.0], trained[1.0])


@pytest.mark.slow
def test_a_pass_ends_its_last_window(
    features: FeatureTable, world: tuple[ExampleReader, ExampleReader]
) -> None:
    target, source = world
    learner = _learner(features, source, sync_steps=4)
    (rows,) = target.batches(batch_size=160, shuffle_rows=160, seed=0)

    def ends(learner: CctlLearner) -> list[int]:
        learner.begin(target, 96)
        for _ in range(2):
            learner.train(cut(rows, 0, 96))
        learner.end()
        windows = learner.record.windows
        assert all(window["gain"] is not None for window in windows)
        return [window["step"] for window in windows]

    # Passes end after steps 6 and 12.
    assert ends(learner) == [4, 6, 10, 12]
    later = CctlLearner(learner._network, source, learner._training)
    assert ends(later) == [4, 6, 10, 12]


@pytest.mark.slow
def test_each_source_row_counts_once(
    features: FeatureTable, world: tuple[ExampleReader, ExampleReader]
) -> None:
    target, source = world
    learner = _learner(features, source, prior="agreement")
    sums, gain = learner._network.sums, learner._network.gain_weights.sums[VALUES]
    masses = []
    # 800 source rows are looked at first and 320 of them are learned from, in two
    # passes; a quarter of the target's rows are held out.
    for times in (1.0, 1.5):
        learner.begin(target, 160)
        counted, mass = sums.sums.numpy(), gain.numpy()
        for _ in range(2):
            (rows,) = target.batches(batch_size=160, shuffle_rows=160, seed=0)
            learner.train(rows)
        learner.end()
        np.testing.assert_array_equal(sums.sums.numpy(), counted)
        np.testing.assert_array_equal(gain.numpy(), mass)
        masses.append(mass)
        assert counted[0, sums.ROWS] == 800 * times
        # What was counted before counts half, and then all of the target's rows do.
        assert counted[1, sums.ROWS] == (40 if times == 1.0 else 20 + 160)
    assert (masses[1][:, :, 1] > masses[0][:, :, 1] / 2).all()


@pytest.mark.slow
def test_spans_and_windows_cut_a_training_into_the_same_steps(
    features: FeatureTable, world: tuple[ExampleReader, ExampleReader]
) -> None:
    target, source = world
    (rows,) = target.batches(batch_size=160, shuffle_rows=160, seed=0)
    trained = []
    # Spans end after steps 1, 2, 6 and 10, windows after 3, 6, 9 and 10: one window has
    # parts of three spans, one ends with a span, one lies within one.
    for spans in ([0, 160], [0, 16, 32, 96, 160]):
        learner = _learner(features, source, sync_steps=3)
        learner.begin(target, 160)
        losses = [
            learner.train(cut(rows, start, stop))
            for start, stop in itertools.pairwise(spans)
        ]
        learner.end()
        trained.append((np.concatenate(losses), learner))
    np.testing.assert_allclose(trained[0][0], trained[1][0], rtol=1e-4)
    ours, theirs = (learner.record.numbers() for _, learner in trained)
    steps = [window["step"] for window in ours["windows"]]
    assert steps == [window["step"] for window in theirs["windows"]]
    assert ours["weights"]["fr"] == pytest.approx(theirs["weights"]["fr"], rel=1e-4)
    pairs = list(zip(ours["windows"], theirs["windows"], strict=True))
    for a, b in pairs[:-1]:
        assert a["distance"] == pytest.approx(b["distance"], rel=1e-3)


@pytest.mark.slow
def test_a_training_stops_with_the_batch_that_exploded(
    features: FeatureTable, world: tuple[ExampleReader, ExampleReader]
) -> None:
    target, source = world
    learner = _learner(features, source, sync_steps=2)
    learner.begin(target, 160)
    (rows,) = target.batches(batch_size=160, shuffle_rows=160, seed=0)
    labels = rows.labels.copy()
    labels[50] = np.nan
    losses = learner.train(dataclasses.replace(rows, labels=labels))
    learner.end()
    assert len(losses) == 4
    assert np.isfinite(losses[:3]).all()
    assert np.isnan(losses[3])
    assert learner.record.numbers()["rows"] == {"fr": 4 * 32}


def test_a_step_at_weights_of_one_is_a_step_on_the_mixed_impressions(
    features: FeatureTable, world: tuple[ExampleReader, ExampleReader]
) -> None:
    target, source = world
    learner = _learner(features, source, estimator="uniform", own_vectors=False)
    network, trainer = learner._network, learner._trainer
    plain = Backbone(features, NETWORK)
    for name, variable in plain.named_variables().items():
        variable.assign(network.mixed.named_variables()[name])
    (own,) = target.batches(batch_size=160, shuffle_rows=160, seed=0)
    (theirs,) = source.batches(batch_size=800, shuffle_rows=800, seed=0)
    own, theirs = cut(own, 0, 16), cut(theirs, 0, 32)
    own.labels[:4] = 1.0  # so that no gradient is as small as Adam's epsilon
    trainer._mixed_step(
        *(own.rows, tf.constant(own.labels)),
        *(theirs.rows, tf.constant(theirs.labels), tf.ones([32]), 32),
    )
    both = join([own, theirs])
    optimizer = build_optimizer(plain, TrainingConfig())
    step = step_of(plain, optimizer, tf.distribute.get_strategy())
    step(both.rows, tf.constant(both.labels))
    for name, variable in plain.named_variables().items():
        found = network.mixed.named_variables()[name]
        # Adam's epsilon knows the gradients' scale: a mean over 16 and one over 48.
        np.testing.assert_allclose(found, variable, atol=3e-5, err_msg=name)


@pytest.mark.slow
def test_the_learners_source_loss_teaches_neither_flow_nor_reference(
    features: FeatureTable, world: tuple[ExampleReader, ExampleReader]
) -> None:
    target, source = world
    learner = _learner(features, source)
    network = learner._network
    (own,) = target.batches(batch_size=160, shuffle_rows=160, seed=0)
    (theirs,) = source.batches(batch_size=800, shuffle_rows=800, seed=0)
    others = [*network.flow.trainable_variables, *network.reference.trainable_variables]
    with tf.GradientTape() as tape:
        weights = network.row_weights(theirs.rows, network.source_of(theirs.rows))
        whole, _ = learner._trainer.losses_of_mixed(
            *(own.rows, tf.constant(own.labels)),
            *(theirs.rows, theirs.labels, weights, 800),
        )
    gradients = tape.gradient(whole, [*others, *network.mixed.trainable_variables])
    assert all(gradient is None for gradient in gradients[: len(others)])
    assert all(gradient is not None for gradient in gradients[len(others) :])


@pytest.mark.slow
# Together, where they are about parts that do not meet.
@pytest.mark.parametrize(
    "settings",
    [
        {"prior": "agreement"},
        {"sync_steps": 0, "enhancement": 0.1},
        {"balance": "domains"},
    ],
    ids=" ".join,
)
def test_every_setting_trains_and_takes_effect(
    features: FeatureTable,
    world: tuple[ExampleReader, ExampleReader],
    settings: dict[str, Any],
) -> None:
    target, source = world
    learner = _learner(features, source, **{"sync_steps": 3, **settings})
    network = learner._network
    projections = network.inputs_of_sources.enhancements.values()
    before = [one.projection.kernel.numpy() for one in projections]
    _train(learner, target)
    weights = learner.record.numbers()["weights"]["fr"]
    after = [one.projection.kernel.numpy() for one in projections]
    moved = any((a != b).any() for a, b in zip(after, before, strict=True))
    assert moved == ("enhancement" in settings)
    distances = [window["distance"] for window in learner.record.windows]
    if "sync_steps" in settings:
        assert len(distances) == 1  # what is left at the end
    else:
        assert len(distances) == 4
    network_of_prior = learner._network.sums.sums.numpy()
    assert network_of_prior.any() == ("prior" in settings)
    assert 0 <= weights <= 1


@pytest.mark.slow
def test_the_reference_reads_no_ids(
    features: FeatureTable,
    world: tuple[ExampleReader, ExampleReader],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("models.cctl.network.MAX_VALUES", 7)
    target, source = world
    learner = _learner(features, source)
    read = {f.name for f in learner._network.reference.features.features}
    assert not {"user_id", "item_id"} & read
    assert "item_impressions" in read
    before = [v.numpy() for v in learner._network.reference.trainable_variables]
    _train(learner, target)
    after = learner._network.reference.trainable_variables
    assert any((a != b.numpy()).any() for a, b in zip(before, after, strict=True))


@pytest.mark.slow
def test_served_is_the_mixed_tower_at_the_backbones_size(
    features: FeatureTable, world: tuple[ExampleReader, ExampleReader]
) -> None:
    target, source = world
    learner = _learner(features, source, estimator="uniform", own_vectors=False)
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
