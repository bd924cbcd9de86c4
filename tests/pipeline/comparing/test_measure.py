"""Models on the same impressions: differences, the reachable gap, the best."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from models.errors import DataError
from pipeline.comparing.measure import measure
from pipeline.report.scoring import Scored

# Two users with both labels and one with clicks alone: 6 of 8 rows.
USERS = np.array([b"a", b"a", b"a", b"b", b"b", b"b", b"c", b"c"], object)
LABELS = np.array([1, 0, 0, 1, 0, 0, 1, 1])
# GAUC by hand: the click above both others in both users; above one; above none.
BEST = [0.9, 0.1, 0.2, 0.9, 0.1, 0.2, 0.5, 0.5]  # (1 + 1) / 2
HALF = [0.9, 0.1, 0.2, 0.1, 0.2, 0.3, 0.5, 0.5]  # (1 + 0) / 2
QUARTER = [0.2, 0.1, 0.3, 0.1, 0.2, 0.3, 0.5, 0.5]  # (1/2 + 0) / 2


def scored(*columns, users=USERS, labels=LABELS):
    return [Scored(users, labels, np.array(column, np.float32)) for column in columns]


def by_name(measurement):
    return {model.name: model for model in measurement.models}


def test_the_rows_are_counted_once():
    found = measure({"plain": scored(HALF)}, "plain")
    assert (found.rows, found.clicks, found.users) == (8, 4, 3)
    assert found.coverage == pytest.approx(6 / 8)
    assert found.oracle is None


def test_metrics_are_kept_by_seed_and_averaged():
    found = measure({"plain": scored(HALF, QUARTER)}, "plain")
    (plain,) = found.models
    assert [one["gauc"] for one in plain.by_seed] == [0.5, 0.25]
    assert plain.metrics["gauc"] == pytest.approx(0.375)
    # sqrt((0.125^2 + 0.125^2) / (2 - 1))
    assert plain.spread["gauc"] == pytest.approx(math.sqrt(2) * 0.125)
    (once,) = measure({"plain": scored(HALF)}, "plain").models
    assert math.isnan(once.spread["gauc"])


def test_the_share_of_the_gap_is_the_way_from_the_baseline_to_the_oracle():
    models = {"plain": scored(QUARTER), "half": scored(HALF), "best": scored(BEST)}
    found = measure(models, "plain", oracle=[BEST])
    names = by_name(found)
    # (0.5 - 0.25) / (1 - 0.25)
    assert names["half"].gap_share.value == pytest.approx(1 / 3)
    assert names["best"].gap_share.value == pytest.approx(1)
    assert (names["best"].gap_share.low, names["best"].gap_share.high) == (1, 1)
    assert names["plain"].gap_share is None
    assert found.oracle["gauc"] == 1
    assert by_name(measure(models, "plain"))["half"].gap_share is None


def test_without_a_reachable_gap_there_is_no_share():
    models = {"plain": scored(HALF), "best": scored(BEST)}
    share = by_name(measure(models, "plain", oracle=[HALF]))["best"]
    assert math.isnan(share.gap_share.value)


def test_other_models_are_compared_with_the_best():
    models = {"plain": scored(QUARTER), "half": scored(HALF), "best": scored(BEST)}
    names = by_name(measure(models, "plain"))
    assert names["best"].behind_best is None
    assert names["half"].behind_best.value == pytest.approx(-0.5)
    assert names["plain"].behind_best.value == pytest.approx(-0.75)
    assert names["plain"].behind_best.high > names["plain"].behind_best.value


def test_models_of_other_rows_are_refused():
    flipped = scored(HALF, labels=1 - LABELS)
    fewer = scored(HALF[:6], users=USERS[:6], labels=LABELS[:6])
    for other in (flipped, fewer):
        with pytest.raises(DataError, match="'odd' was scored on other rows"):
            measure({"plain": scored(HALF), "odd": other}, "plain")


def test_without_a_click_nothing_is_best():
    silent = scored(HALF, labels=np.zeros(8, np.int64))
    found = measure({"plain": silent, "other": silent}, "plain")
    assert [model.behind_best for model in found.models] == [None, None]
    assert math.isnan(found.models[1].differences["gauc"].value)


# === Wins ===


def many(seed, strength, seeds=10, rows=600):
    """Returns rows of 60 users and scores that follow the labels that much."""
    rng = np.random.default_rng(3)
    users = np.array([b"u%d" % one for one in rng.integers(0, 60, rows)], object)
    items = np.array([b"i%d" % one for one in rng.integers(0, 40, rows)], object)
    labels = (rng.random(rows) < 0.3).astype(int)
    noise = np.random.default_rng(seed)
    columns = [
        1 / (1 + np.exp(-strength * labels - noise.normal(size=rows)))
        for _ in range(seeds)
    ]
    return [Scored(users, labels, column, None, items) for column in columns]


def test_a_win_is_above_the_baseline_and_above_the_best_reference():
    models = {"plain": many(1, 0.2), "good": many(2, 1.5), "some": many(3, 0.8)}
    reference = {
        "logistic": [many(4, 1.0, 1)[0].scores],
        "constant": [np.full(600, 0.3)],
    }
    found = measure(models, "plain", references=reference)
    names = by_name(found)
    assert found.best_reference == "logistic"
    assert names["good"].wins
    # Above the baseline alone is no win.
    assert names["some"].differences["auc"].told_apart
    assert not names["some"].wins
    assert not names["plain"].wins
    constant = {model.name: model for model in found.references}["constant"]
    assert constant.metrics["auc"] == 0.5
    assert constant.differences["auc"].value < 0


def test_no_win_is_counted_of_few_seeds_or_without_references():
    few = {"plain": many(1, 0.2, 9), "good": many(2, 3.0, 9)}
    reference = {"constant": [np.full(600, 0.3)]}
    assert not by_name(measure(few, "plain", references=reference))["good"].wins
    all_seeds = {"plain": many(1, 0.2), "good": many(2, 3.0)}
    assert not by_name(measure(all_seeds, "plain"))["good"].wins
    assert by_name(measure(all_seeds, "plain", references=reference))["good"].wins


def test_p_values_are_adjusted_for_all_of_the_table():
    models = {"plain": many(1, 0.2), "a": many(2, 0.6), "b": many(3, 0.4)}
    alone = by_name(measure({n: models[n] for n in ("plain", "a")}, "plain"))["a"]
    both = by_name(measure(models, "plain"))["a"]
    one, other = alone.differences["auc"], both.differences["auc"]
    assert (one.value, one.p_value) == (other.value, other.p_value)
    assert one.p_value < one.adjusted < other.adjusted


def test_one_seed_tells_nothing_apart():
    models = {"plain": many(1, 0.2, 1), "good": many(2, 3.0, 1)}
    found = by_name(measure(models, "plain"))["good"].differences["auc"]
    assert found.low > 0
    assert found.adjusted is None
    assert not found.told_apart


def test_references_of_other_rows_are_refused():
    with pytest.raises(DataError, match="reference 'logistic' has 3 scores"):
        measure({"plain": scored(HALF)}, "plain", references={"logistic": [[0.1] * 3]})


def test_other_numbers_of_seeds_are_refused():
    with pytest.raises(DataError, match="2 seeds of plain and 1"):
        measure({"plain": scored(HALF, BEST), "odd": scored(HALF)}, "plain")


def world(seed, strength, rows=200):
    """Returns one seed's scores on rows of its own."""
    rng = np.random.default_rng(seed)
    users = np.array([b"u%d" % one for one in rng.integers(0, 30, rows)], object)
    labels = (rng.random(rows) < 0.3).astype(int)
    scores = 1 / (1 + np.exp(-strength * labels - rng.normal(size=rows)))
    return Scored(users, labels, scores, None, users)


def renamed(one, name):
    """Returns the rows as those of users whom no other seed has."""
    users = np.array([name + user for user in one.users], object)
    return one._replace(users=users, items=users)


def test_seeds_with_rows_of_their_own_are_measured_on_them():
    models = {
        name: [world(seed, strength, 150 + seed) for seed in (1, 2, 3)]
        for name, strength in (("plain", 0.1), ("good", 1.0))
    }
    reference = {"logistic": [one.scores for one in models["good"]]}
    found = measure(models, "plain", references=reference, oracle=reference["logistic"])
    assert found.rows == 151 + 152 + 153
    assert found.clicks == sum(one.labels.sum() for one in models["plain"])
    expected = np.mean([roc_auc_score(o.labels, o.scores) for o in models["good"]])
    assert by_name(found)["good"].metrics["auc"] == pytest.approx(expected)
    assert found.oracle["auc"] == pytest.approx(expected)
    assert by_name(found)["good"].over_reference.value == 0
    assert by_name(found)["good"].gap_share.value == pytest.approx(1)


def test_users_of_one_seed_alone_add_no_variance_to_the_seeds():
    models = {
        name: [renamed(world(s, strength), b"%d/" % s) for s in range(6)]
        for name, strength in (("plain", 0.1), ("good", 0.5))
    }
    apart = by_name(measure(models, "plain"))["good"].differences["auc"]
    by_seed = [
        roc_auc_score(good.labels, good.scores) - roc_auc_score(one.labels, one.scores)
        for good, one in zip(models["good"], models["plain"], strict=True)
    ]
    low, high = stats.t.interval(
        0.95, 5, loc=np.mean(by_seed), scale=stats.sem(by_seed)
    )
    assert (apart.low, apart.high) == pytest.approx((low, high))


def test_the_same_users_in_all_seeds_widen_the_interval():
    def good(seed):
        """Follows the labels of the first few users alone."""
        one = world(seed, 0.1, 400)
        few = np.array([int(user[1:]) < 4 for user in one.users])
        return one._replace(scores=np.where(few & (one.labels == 1), 1.0, one.scores))

    def width(rename):
        made = [(world(s, 0.1, 400), good(s)) for s in range(6)]
        names = [b"%d/" % s if rename else b"" for s in range(6)]
        models = {
            name: [renamed(pair[i], n) for pair, n in zip(made, names, strict=True)]
            for i, name in enumerate(("plain", "good"))
        }
        found = by_name(measure(models, "plain"))["good"].differences["auc"]
        return found.high - found.low

    assert width(rename=False) > 1.5 * width(rename=True)


def test_models_on_other_rows_of_one_seed_are_refused():
    plain = [world(1, 0.1), world(2, 0.1)]
    with pytest.raises(DataError, match="'odd' was scored on other rows"):
        measure({"plain": plain, "odd": [plain[0], world(3, 0.1)]}, "plain")
