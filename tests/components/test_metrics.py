"""Metrics against scikit-learn and NumPy, their laws, and a real TFMA run."""

import math
import pickle
import random
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from components.evaluation.probability import calibration_error
from components.evaluation.ranking import auc
from components.evaluation.ranking import grouped_auc
from components.evaluation.ranking import log_losses
from models.errors import DataError

# (user, score, label, place). User a: of the pairs .9 > .5 and .5 = .5 it wins 1.5 of
# 2. User c: 0 of 1. b and d have one label, two rows have no user.
ROWS = [
    (b"a", 0.9, 1, b"top"),
    (b"a", 0.5, 0, b"top"),
    (b"a", 0.5, 1, b"side"),
    (b"b", 0.2, 0, b"top"),
    (b"b", 0.8, 0, b"side"),
    (b"c", 0.3, 1, b"side"),
    (b"c", 0.6, 0, b"side"),
    (None, 0.4, 1, b"top"),
    (b"", 0.1, 0, b"side"),
    (b"d", 0.7, 1, b"foot"),
]
USERS, SCORES, LABELS, _ = zip(*ROWS, strict=True)


def reference(rows):
    """Returns (GAUC, coverage) of (user, score, label, weight), user by user."""
    rows = [row for row in rows if row[3] > 0]
    total = weighted = qualifying = 0.0
    for user in {row[0] for row in rows}:
        of_user = [row for row in rows if row[0] == user]
        _, scores, labels, weights = zip(*of_user, strict=True)
        total += sum(weights)
        if user and len(set(labels)) == 2:
            value = sklearn.metrics.roc_auc_score(labels, scores, sample_weight=weights)
            weighted += sum(weights) * value
            qualifying += sum(weights)
    gauc = weighted / qualifying if qualifying else math.nan
    return gauc, qualifying / total if total else math.nan


def columns(rows):
    return list(zip(*rows, strict=True)) if rows else [(), (), (), ()]


def gauc_of(rows):
    result = grouped_auc(*columns(rows))
    return result.gauc, result.coverage


def close(expected):
    return pytest.approx(expected, rel=1e-12, abs=1e-12, nan_ok=True)


# Few users and few scores: ties, single-label users and missing users are frequent.
_row = st.tuples(
    st.sampled_from(["u", "v", "w", "", None]),
    st.sampled_from([0.0, 0.1, 0.1000001, 0.5, 1.0]),
    st.integers(0, 1),
    st.sampled_from([0.0, 0.25, 1.0, 2.0, 3.7]),
)
_rows = st.lists(_row, max_size=25)
_unweighted = _rows.map(lambda rows: [(*row[:3], 1.0) for row in rows])


def test_gauc_by_hand():
    result = grouped_auc(USERS, SCORES, LABELS)
    assert result.gauc == (3 * 0.75 + 2 * 0.0) / 5
    assert result.coverage == 5 / 10
    assert (result.num_users, result.num_qualifying) == (4, 2)


@pytest.mark.parametrize(
    ("users", "scores", "labels", "gauc", "coverage"),
    [
        pytest.param("uu", [0.2, 0.1], [1, 0], 1.0, 1.0, id="right order"),
        pytest.param("uu", [0.1, 0.2], [1, 0], 0.0, 1.0, id="wrong order"),
        pytest.param("uuuu", [0.3] * 4, [1, 0, 0, 1], 0.5, 1.0, id="all tied"),
        pytest.param("uuu", [0.3, 0.3, 0.1], [1, 0, 0], 0.75, 1.0, id="one tie"),
        pytest.param("uvuv", [0.9, 0.1, 0.8, 0], [1, 1, 0, 0], 1.0, 1.0, id="apart"),
        pytest.param("uuv", [0.2, 0.1, 0.5], [1, 0, 1], 1.0, 2 / 3, id="one label"),
        pytest.param("uv", [0.2, 0.1], [1, 0], math.nan, 0.0, id="nobody"),
        pytest.param(["", None], [0.2, 0.1], [1, 0], math.nan, 0.0, id="no user"),
        pytest.param([None] * 2, [0.2, 0.1], [1, 0], math.nan, 0.0, id="only null"),
        pytest.param("u", [0.2], [1], math.nan, 0.0, id="single row"),
        pytest.param([], [], [], math.nan, math.nan, id="no rows"),
    ],
)
def test_small_cases(users, scores, labels, gauc, coverage):
    result = grouped_auc(list(users), scores, labels)
    assert (result.gauc, result.coverage) == pytest.approx(
        (gauc, coverage), rel=0, abs=0, nan_ok=True
    )


@pytest.mark.parametrize(
    "users",
    [
        pytest.param(["a", "a", "b", "b", None], id="text"),
        pytest.param([b"a", b"a", b"a\0", b"a\0", b""], id="trailing zero byte"),
        pytest.param([7, 7, 2**40, 2**40, -5], id="integers"),
        pytest.param(np.array(["a", "a", "b", "b", ""]), id="numpy text"),
        pytest.param(["a", "a", "b", "b", float("nan")], id="nan"),
    ],
)
def test_kinds_of_user_ids(users):
    result = grouped_auc(users, [0.2, 0.1, 0.1, 0.2, 0.5], [1, 0, 1, 0, 1])
    assert (result.gauc, result.coverage, result.num_users) == (0.5, 0.8, 2)


@settings(max_examples=200, deadline=None)
@given(rows=_rows)
def test_equals_scikit_learn(rows):
    assert gauc_of(rows) == close(reference(rows))


@settings(deadline=None)
@given(rows=_rows)
def test_auc_equals_scikit_learn(rows):
    everyone = [("everyone", *row[1:]) for row in rows]
    _, scores, labels, weights = columns(rows)
    assert auc(scores, labels, weights) == close(reference(everyone)[0])


@given(rows=_unweighted, seed=st.integers(0, 99))
def test_order_of_rows_does_not_matter_to_the_last_bit(rows, seed):
    shuffled = random.Random(seed).sample(rows, len(rows))
    np.testing.assert_array_equal(gauc_of(shuffled), gauc_of(rows))


@given(rows=_rows, seed=st.integers(0, 99))
def test_order_of_weighted_rows_does_not_matter(rows, seed):
    shuffled = random.Random(seed).sample(rows, len(rows))
    assert gauc_of(shuffled) == close(gauc_of(rows))


@given(rows=_unweighted, times=st.lists(st.integers(0, 3), min_size=25, max_size=25))
def test_weight_is_number_of_copies(rows, times):
    weighted = [
        (*row[:3], float(n)) for row, n in zip(rows, times[: len(rows)], strict=True)
    ]
    copied = [row for row, n in zip(rows, times, strict=False) for _ in range(n)]
    np.testing.assert_array_equal(gauc_of(weighted), gauc_of(copied))


@given(rows=_rows, factor=st.sampled_from([0.001, 7.0]))
def test_scale_of_weights_does_not_matter(rows, factor):
    scaled = [(*row[:3], row[3] * factor) for row in rows]
    assert gauc_of(scaled) == close(gauc_of(rows))


@given(rows=_rows)
def test_only_the_order_of_scores_matters(rows):
    moved = [(user, math.exp(5 * s) - 9, *rest) for user, s, *rest in rows]
    np.testing.assert_array_equal(gauc_of(moved), gauc_of(rows))


@given(rows=_rows)
def test_reversed_scores_give_one_minus_gauc(rows):
    gauc, coverage = gauc_of(rows)
    flipped = [(user, -score, *rest) for user, score, *rest in rows]
    assert gauc_of(flipped) == close((1 - gauc, coverage))


@given(rows=_rows, label=st.integers(0, 1), user=st.sampled_from(["new", None]))
def test_users_with_one_label_and_rows_without_user_only_lower_coverage(
    rows, label, user
):
    gauc, coverage = gauc_of(rows)
    more = gauc_of([*rows, (user, 0.3, label, 1.0)])
    assert more[0] == close(gauc)
    if coverage > 0:
        assert more[1] < coverage
    else:
        assert more[1] == 0


@pytest.mark.slow
def test_a_million_rows_against_ranks():
    rng = np.random.default_rng(7)
    num_rows = 1_000_000
    users = rng.zipf(1.3, num_rows) % 50_000
    scores = np.round(rng.random(num_rows), 3)  # ties in every larger user
    labels = (rng.random(num_rows) < 0.3 * scores).astype(np.int64)

    # Mann-Whitney by average ranks, with pandas.
    table = pd.DataFrame({"user": users, "score": scores, "label": labels})
    ranks = table.groupby("user")["score"].rank(method="average")
    table["positive_rank"] = ranks * labels
    by_user = table.groupby("user").agg(
        n=("label", "size"), p=("label", "sum"), ranks=("positive_rank", "sum")
    )
    both = by_user[(by_user.p > 0) & (by_user.p < by_user.n)]
    won = both.ranks - both.p * (both.p + 1) / 2
    aucs = won / (both.p * (both.n - both.p))

    result = grouped_auc(users, scores, labels)
    assert result.gauc == close(np.average(aucs, weights=both.n))
    assert result.coverage == close(both.n.sum() / num_rows)
    assert (result.num_users, result.num_qualifying) == (len(by_user), len(both))
    assert auc(scores, labels) == close(sklearn.metrics.roc_auc_score(labels, scores))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scores": [0.1, math.nan]}, "score nan in 1 of 2 evaluated impressions"),
        ({"scores": [math.inf, math.inf]}, "score inf in 2 of 2 evaluated impressions"),
        ({"labels": [1, 0.5]}, r"label 0.5 in 1 of 2 .*; expected 0 or 1"),
        ({"labels": [1]}, "labels has 1 entries and scores has 2"),
        ({"weights": [1, -2]}, r"weight -2.0 in 1 of 2 evaluated impressions"),
        ({"users": ["u"]}, "users has 1 entries and scores has 2"),
        ({"users": [0.5, 0.5]}, "user ids have type double"),
    ],
)
def test_refuses(changes, message):
    arguments = {"users": ["u", "u"], "scores": [0.1, 0.2], "labels": [0, 1]} | changes
    with pytest.raises(DataError, match=message):
        grouped_auc(**arguments)


def test_log_losses_equal_scikit_learn_and_stay_finite():
    expected = sklearn.metrics.log_loss(LABELS, SCORES)
    assert log_losses(SCORES, LABELS).mean() == close(expected)
    saturated = log_losses(np.array([1, 0, 1, 0], np.float32), [1, 0, 0, 1])
    assert saturated == pytest.approx([1e-7, 1e-7, 16.118, 16.118], rel=1e-4)


# === The TFMA metric ===


@pytest.fixture(scope="module")
def tfma():
    import tensorflow_model_analysis

    return tensorflow_model_analysis


@pytest.fixture(scope="module")
def make_combiner():
    """Returns a function that makes a combiner of all metrics, as TFMA runs them."""
    from components.evaluator.adapter import RegisteredMetrics
    from components.evaluator.replicates import Replicates

    classes = {
        "metrics": RegisteredMetrics,
        "replicates": lambda: Replicates(num_draws=20),
    }

    def make(metric="metrics", *, weighted=False):
        return Combiner(classes[metric]().computations(example_weighted=weighted))

    return make


class Combiner:
    """A metric's combiner with the derived values behind it."""

    def __init__(self, computations):
        combined, *self._derived = computations
        for name in (
            "create_accumulator",
            "add_input",
            "merge_accumulators",
            "compact",
        ):
            setattr(self, name, getattr(combined.combiner, name))
        self._combiner = combined.combiner

    def extract_output(self, accumulator):
        output = self._combiner.extract_output(accumulator)
        for derived in self._derived:
            output = derived.result(output)
        return output


def inputs_of(user, score, label, weight=1.0):
    """Returns one impression as TFMA passes it to a combiner."""
    from tensorflow_model_analysis.metrics import metric_types

    return metric_types.StandardMetricInputs(
        labels=np.array([label]),
        predictions=np.array([score]),
        example_weights=np.array([weight]),
        features={"user_id": None if user is None else np.array([user], object)},
    )


@pytest.mark.slow
def test_a_models_metrics_share_the_gathered_rows():
    from components.evaluator.adapter import RegisteredMetrics
    from components.evaluator.replicates import Replicates

    first, second = RegisteredMetrics().computations(), Replicates().computations()
    assert first[0] == second[0]
    (key,) = first[0].keys
    assert key.name.startswith("_")  # private: TFMA writes no rows


def gather(combiner, rows):
    accumulator = combiner.create_accumulator()
    for row in rows:
        accumulator = combiner.add_input(accumulator, inputs_of(*row))
    return accumulator


def values_of(combiner, accumulator):
    output = combiner.extract_output(accumulator)
    return SimpleNamespace(**{key.name: value for key, value in output.items()})


@pytest.mark.slow
@pytest.mark.parametrize("weighted", [False, True])
def test_combiner_is_the_function(make_combiner, weighted):
    rows = [
        (user, *rest, 1.0 + i % 3)
        for i, (user, *rest) in enumerate(r[:3] for r in ROWS)
    ]
    combiner = make_combiner(weighted=weighted)
    values = values_of(combiner, gather(combiner, rows))
    expected = rows if weighted else [(*row[:3], 1.0) for row in rows]
    assert (values.gauc, values.gauc_coverage) == close(reference(expected))
    everyone = [("everyone", *row[1:]) for row in expected]
    assert values.auc == close(reference(everyone)[0])


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(rows=_rows, bundle_size=st.integers(1, 9), seed=st.integers(0, 99))
def test_bundles_and_merge_order_do_not_matter(make_combiner, rows, bundle_size, seed):
    combiner = make_combiner(weighted=True)
    whole = combiner.extract_output(gather(combiner, rows))
    parts = combiner.extract_output(in_bundles(combiner, rows, bundle_size, seed))
    for key, value in whole.items():
        assert parts[key] == close(value)


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(rows=_unweighted, bundle_size=st.integers(1, 9), seed=st.integers(0, 99))
def test_bundles_do_not_matter_to_the_last_bit(make_combiner, rows, bundle_size, seed):
    combiner = make_combiner()
    whole = vars(values_of(combiner, gather(combiner, rows)))
    parts = vars(values_of(combiner, in_bundles(combiner, rows, bundle_size, seed)))
    # Its bins are not summed exactly.
    del whole["calibration_error"], parts["calibration_error"]
    np.testing.assert_equal(parts, whole)


def in_bundles(combiner, rows, bundle_size, seed):
    """Returns rows merged in random bundles and order, through Beam's coder."""
    rng = random.Random(seed)
    shuffled = rng.sample(rows, len(rows))
    bundles = [
        gather(combiner, shuffled[i : i + bundle_size])
        for i in range(0, len(rows), bundle_size)
    ] or [combiner.create_accumulator()]
    while len(bundles) > 1:  # a random tree
        some = [bundles.pop(rng.randrange(len(bundles))) for _ in range(2)]
        merged = combiner.compact(combiner.merge_accumulators(some))
        bundles.append(pickle.loads(pickle.dumps(merged)))
    return combiner.merge_accumulators(bundles)


@pytest.mark.slow
def test_one_user_over_fifty_bundles(make_combiner):
    rng = np.random.default_rng(3)
    rows = [
        (b"u", round(score, 1), int(rng.random() < score)) for score in rng.random(500)
    ]
    _, scores, labels = zip(*rows, strict=True)

    def value(metric):
        combiner = make_combiner(metric)
        bundles = [gather(combiner, rows[i::50]) for i in range(50)]
        return values_of(combiner, combiner.merge_accumulators(bundles))

    found = value("metrics")
    assert found.gauc == close(sklearn.metrics.roc_auc_score(labels, scores))
    assert found.gauc == found.auc
    assert found.gauc_coverage == 1.0
    assert found.log_loss == close(log_losses(scores, labels).mean())
    assert found.calibration_error == close(calibration_error(scores, labels))
    # Redrawing one user says nothing of how far the metrics vary.
    assert np.isnan(value("replicates").replicates).all()


@pytest.mark.slow
def test_replicates_do_not_depend_on_bundles_and_pair_models(make_combiner):
    rows = [(f"u{i % 12}".encode(), (i % 7) / 10, int(i % 5 == 0)) for i in range(60)]
    combiner = make_combiner("replicates")
    whole = values_of(combiner, gather(combiner, rows)).replicates
    parts = values_of(combiner, in_bundles(combiner, rows, 4, 5)).replicates
    assert whole.shape == (20, 5)
    np.testing.assert_allclose(parts, whole, rtol=1e-12)
    # A model whose scores are all 0.1 higher is on the same draws: the predicted
    # clicks differ by a tenth of the drawn rows.
    higher = [(user, score + 0.1, label) for user, score, label in rows]
    above = values_of(combiner, gather(combiner, higher)).replicates
    np.testing.assert_allclose(above[:, :2], whole[:, :2], rtol=1e-12)
    assert (above[:, 4] > whole[:, 4]).all()


@pytest.mark.slow
def test_gauc_of_few_users_has_no_interval(make_combiner):
    rows = [(f"u{i}".encode(), i / 12, int(i % 2)) for i in range(12)]
    rows += [(b"u0", 0.5, 1), (b"u1", 0.5, 0)]
    combiner = make_combiner("replicates")
    draws = values_of(combiner, gather(combiner, rows)).replicates
    assert np.isnan(draws[:, 1]).all()  # two users have both labels
    assert not np.isnan(draws[:, 0]).all()


@pytest.mark.slow
def test_merging_leaves_the_parts_alone(make_combiner):
    combiner = make_combiner()
    parts = [gather(combiner, [row[:3] for row in ROWS[:4]]) for _ in range(2)]
    before = pickle.dumps(parts)
    combiner.merge_accumulators(parts)
    assert pickle.dumps(parts) == before


@pytest.mark.slow
def test_combiner_refuses_several_users_and_bad_scores(make_combiner):
    combiner = make_combiner()
    element = inputs_of(b"u", 0.5, 1)
    element["features"] = {"user_id": np.array([b"u", b"v"], object)}
    with pytest.raises(DataError, match="'user_id' has 2 values in one imp"):
        combiner.add_input(combiner.create_accumulator(), element)
    with pytest.raises(DataError, match="score nan in 1 of 1"):
        combiner.extract_output(gather(combiner, [(b"u", math.nan, 1)]))


@pytest.mark.slow
def test_empty_slice_and_absent_feature(make_combiner):
    combiner = make_combiner()
    values = vars(values_of(combiner, combiner.create_accumulator()))
    assert values.pop("click_count") == 0.0
    assert np.isnan(list(values.values())).all()
    empty = make_combiner("replicates")
    (draws,) = empty.extract_output(empty.create_accumulator()).values()
    assert np.isnan(draws).all()
    element = inputs_of(b"u", 0.5, 1)
    element["features"] = {}
    rows = combiner.add_input(combiner.create_accumulator(), element)
    assert values_of(combiner, rows).gauc_coverage == 0.0


# === A real evaluation ===


@pytest.fixture(scope="module")
def saved_models(tmp_path_factory):
    """Saves two models: `score` says the feature score, `flat` says 0.5 to everyone."""
    import tensorflow as tf

    class Model(tf.Module):
        def __init__(self, slope):
            super().__init__()
            self.slope = tf.Variable(slope)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")])
        def serve(self, examples):
            spec = {"score": tf.io.FixedLenFeature([], tf.float32)}
            score = tf.io.parse_example(examples, spec)["score"]
            return {"ctr": self.slope * score + (1 - self.slope) / 2}

    folder = tmp_path_factory.mktemp("models")
    paths = {"score": str(folder / "score"), "flat": str(folder / "flat")}
    for name, slope in (("score", 1.0), ("flat", 0.0)):
        model = Model(slope)
        tf.saved_model.save(
            model, paths[name], signatures={"serving_default": model.serve}
        )
    return paths


def write_examples(path, rows):
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(path)) as writer:
        for user, score, label, place in rows:
            feature = {
                "score": tf.train.Feature(float_list=tf.train.FloatList(value=[score])),
                "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
                "place": tf.train.Feature(bytes_list=tf.train.BytesList(value=[place])),
            }
            if user is not None:
                feature["user_id"] = tf.train.Feature(
                    bytes_list=tf.train.BytesList(value=[user])
                )
            example = tf.train.Example(features=tf.train.Features(feature=feature))
            writer.write(example.SerializeToString())


@pytest.fixture
def evaluate(tfma, saved_models, tmp_path):
    """Returns a function that evaluates as TFX's Evaluator does."""
    from components.evaluator.config import evaluation_config

    def run(rows, models, slice_by=(), num_draws=0):
        with_baseline = len(models) > 1
        config = evaluation_config(
            with_baseline=with_baseline, slices=slice_by, num_draws=num_draws
        )
        config = tfma.utils.update_eval_config_with_defaults(
            config, has_baseline=with_baseline, rubber_stamp=True
        )
        tfma.utils.verify_eval_config(config)
        shared = [
            tfma.default_eval_shared_model(
                eval_saved_model_path=saved_models[model],
                model_name=spec.name,
                eval_config=config,
            )
            for spec, model in zip(config.model_specs, models, strict=True)
        ]
        examples = tmp_path / "examples.tfrecord"
        write_examples(examples, rows)
        output = str(tmp_path / "evaluation")
        tfma.run_model_analysis(
            eval_shared_model=shared if with_baseline else shared[0],
            eval_config=config,
            data_location=str(examples),
            output_path=output,
        )
        return output

    return run


# By hand from `ROWS`; calibration: scores sum to 5.0 and labels to 5.
EXPECTED = {
    "auc": sklearn.metrics.roc_auc_score(LABELS, SCORES),
    "gauc": 0.45,
    "gauc_coverage": 0.5,
    "log_loss": sklearn.metrics.log_loss(LABELS, SCORES),
    "calibration": 1.0,
    "normalized_entropy": sklearn.metrics.log_loss(LABELS, SCORES) / math.log(2),
    # Ten rows, ten bins: the two scores of 0.5 share one, in which they are right.
    "calibration_error": sum(
        abs(s - y) for s, y in zip(SCORES, LABELS, strict=True) if s != 0.5
    )
    / 10,
    "click_count": 5.0,
    "example_count": 10.0,
}
FLAT = {
    "auc": 0.5,
    "gauc": 0.5,
    "gauc_coverage": 0.5,
    "log_loss": math.log(2),
    "normalized_entropy": 1.0,
    "calibration": 1.0,
    "calibration_error": 0.0,
    "click_count": 5.0,
    "example_count": 10.0,
}


@pytest.mark.slow
def test_evaluation_of_a_first_model_by_slice(evaluate):
    from components.evaluator.reading import read_judgements

    output = evaluate(ROWS, ["score"], slice_by=["place"])
    everything, *slices = read_judgements(output)
    assert (everything.live, everything.label) == (None, "all rows")
    assert everything.candidate == pytest.approx(EXPECTED, rel=1e-6)
    sliced = {
        part.value: (part.candidate["gauc"], part.candidate["gauc_coverage"])
        for part in slices
    }
    assert {part.dimension for part in slices} == {"place"}
    assert sliced == {
        "top": (1.0, 0.5),  # user a; b and the row without user do not qualify
        "side": (0.0, 0.4),  # user c; a has only its click here
        "foot": (pytest.approx(math.nan, nan_ok=True), 0.0),  # nobody
    }
    assert math.isnan(slices[0].candidate["normalized_entropy"])  # one click in `foot`


@pytest.mark.slow
def test_evaluation_against_the_live_model(evaluate):
    from components.evaluator.reading import read_judgements

    (everything,) = read_judgements(evaluate(ROWS, ["score", "flat"]))
    assert everything.candidate == pytest.approx(EXPECTED, rel=1e-6)
    assert everything.live == pytest.approx(FLAT, rel=1e-6, abs=1e-9)


@pytest.mark.slow
def test_intervals_of_candidate_and_change_come_back_by_slice(evaluate):
    from components.evaluator.reading import read_judgements

    rows = [
        (user and user + bytes([copy]), *rest)
        for copy in range(9)
        for user, *rest in ROWS
    ]
    output = evaluate(rows, ["score", "flat"], ["place"], num_draws=50)
    everything, *slices = read_judgements(output)
    assert [part.value for part in slices] == ["foot", "side", "top"]
    for part in (everything, slices[1]):
        auc_of = part.intervals["auc"]
        assert auc_of.low < auc_of.value == part.candidate["auc"] < auc_of.high
        # Flat scores are 0.5 in every draw, so the change moves as the candidate does.
        change = part.changes["auc"]
        assert change.value == pytest.approx(part.candidate["auc"] - 0.5)
        assert change.low == pytest.approx(auc_of.low - 0.5)
        assert change.high == pytest.approx(auc_of.high - 0.5)
    assert math.isnan(slices[0].intervals["gauc"].low)  # nobody qualifies


@pytest.mark.slow
def test_undefined_metrics_come_back_as_nan(evaluate):
    from components.evaluator.reading import read_judgements

    rows = [(None, 1.0, 1, b"top"), (None, 0.5, 1, b"top")]
    (everything,) = read_judgements(evaluate(rows, ["score"]))
    metrics = everything.candidate
    assert not everything.live
    assert math.isnan(metrics["gauc"])
    assert math.isnan(metrics["auc"])
    assert metrics["gauc_coverage"] == 0.0
    assert math.isnan(metrics["normalized_entropy"])
    assert metrics["calibration_error"] == pytest.approx(0.25)
    assert metrics["calibration"] == pytest.approx(0.75)
    # A score of exactly 1 for a click; TFMA's own cross entropy is NaN here.
    assert metrics["log_loss"] == pytest.approx(math.log(2) / 2, rel=1e-6)


@pytest.mark.slow
def test_config_names_and_no_thresholds(tfma):
    from tensorflow_model_analysis.proto.config_pb2 import SlicingSpec

    from components.evaluator.config import evaluation_config

    first = evaluation_config(with_baseline=False)
    assert [spec.name for spec in first.model_specs] == [""]
    later = evaluation_config(with_baseline=True)
    assert [(s.name, s.is_baseline) for s in later.model_specs] == [
        ("candidate", False),
        ("baseline", True),
    ]
    assert list(later.slicing_specs) == [SlicingSpec()]
    assert not tfma.metrics.metric_thresholds_from_metrics_specs(
        later.metrics_specs, eval_config=later
    )


@pytest.mark.slow
def test_reading_says_what_is_missing(tmp_path):
    from components.evaluator.reading import read_judgements

    with pytest.raises(DataError, match="holds no metrics over all impressions"):
        read_judgements(str(tmp_path))
