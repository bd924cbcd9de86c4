"""Intervals of differences against plain references, resampling and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from components.evaluation.differences import Difference
from components.evaluation.differences import crossing
from components.evaluation.differences import difference
from components.evaluation.differences import holm
from components.evaluation.influence import influences
from components.evaluation.metrics import COMPARED
from components.evaluation.ranking import auc
from components.evaluation.ranking import user_codes


def all_compared(users, items, labels, ours, theirs):
    """Returns the differences of two models, each a list of scores by seed."""
    codes, grouped = user_codes(users), crossing(users, items)
    pairs = [
        (influences(codes, labels, one), influences(codes, labels, other))
        for one, other in zip(ours, theirs, strict=True)
    ]
    values = np.stack([one.values - other.values for one, other in pairs])
    rows = np.stack([one.rows - other.rows for one, other in pairs])
    return {
        metric: difference(values[:, column], rows[:, :, column], grouped)
        for column, metric in enumerate(COMPARED)
    }


def compared(*models):
    return all_compared(*models)["auc"]


# === Seeds ===


def test_seeds_with_rows_of_their_own_are_a_t_test():
    values = [0.011, 0.004, -0.002, 0.015, 0.007]
    found = difference(values)
    test = stats.ttest_1samp(values, 0)
    low, high = test.confidence_interval()
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.p_value == pytest.approx(test.pvalue)


def test_one_seed_alone_has_no_interval():
    found = difference([0.01])
    assert (found.value, found.low, found.high) == (0.01, -math.inf, math.inf)
    assert found.p_value is None


def test_a_seed_without_the_metric_leaves_it_undefined():
    assert math.isnan(difference([0.1, math.nan]).value)


# === Users and items ===


def world(seed, rows=400, users=60, items=40):
    rng = np.random.default_rng(seed)
    user, item = rng.integers(0, users, rows), rng.integers(0, items, rows)
    taste = rng.normal(size=rows)
    labels = (rng.random(rows) < 1 / (1 + np.exp(-taste))).astype(int)
    return rng, user, item, taste, labels


def probabilities(logits):
    return 1 / (1 + np.exp(-logits))


def test_the_interval_over_users_is_that_of_drawn_users():
    rng, user, _, taste, labels = world(1)
    ours = probabilities(taste + rng.normal(size=60)[user])
    theirs = probabilities(taste + rng.normal(size=400))
    rows_of = [np.flatnonzero(user == one) for one in range(60)]
    drawn = []
    for _ in range(1_000):
        rows = np.concatenate([rows_of[one] for one in rng.integers(0, 60, 60)])
        drawn.append(auc(ours[rows], labels[rows]) - auc(theirs[rows], labels[rows]))
    found = compared(user, None, labels, [ours], [theirs])
    half = (found.high - found.low) / 2
    assert half == pytest.approx(1.96 * np.std(drawn), rel=0.12)


def test_items_that_differ_widen_the_interval():
    rng, user, _, taste, labels = world(2)
    item = rng.integers(0, 8, 400)
    ours = probabilities(taste + rng.normal(size=8)[item])
    theirs = probabilities(taste)
    alone = compared(user, None, labels, [ours], [theirs])
    crossed = compared(user, item, labels, [ours], [theirs])
    assert crossed.value == alone.value
    assert crossed.high - crossed.low > 1.3 * (alone.high - alone.low)


def test_items_that_are_the_users_change_nothing():
    rng, user, _, taste, labels = world(3)
    pair = [probabilities(taste)], [probabilities(taste + rng.normal(size=400))]
    alone = compared(user, None, labels, *pair)
    assert compared(user, user, labels, *pair) == alone


def test_rows_without_a_user_are_drawn_each_for_itself():
    known = crossing([b"a", b"a", None, b""], [b"x", b"y", b"x", b"x"])
    assert known.users[0] == known.users[1]
    assert len(set(known.users.tolist())) == 3
    assert known.items is not None
    assert len(set(known.items.tolist())) == 2


def test_equal_models_differ_by_nothing():
    _, user, item, taste, labels = world(4)
    scores = [probabilities(taste)] * 3
    found = compared(user, item, labels, scores, scores)
    assert (found.value, found.low, found.high, found.p_value) == (0, 0, 0, 1)


def test_the_luck_of_a_training_is_counted_once():
    # Models that differ by training noise alone: ten trainings narrow the interval.
    rng, user, item, taste, labels = world(5)

    def trained(count):
        return [probabilities(taste + rng.normal(size=400)) for _ in range(count)]

    one = compared(user, item, labels, trained(1), trained(1))
    ten = compared(user, item, labels, trained(10), trained(10))
    assert ten.high - ten.low < (one.high - one.low) / 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seed_sd", "user_sd", "item_sd", "noise"),
    [(0.4, 0.0, 0.0, 0.3), (0.3, 0.6, 0.6, 0.3)],
    ids=["seeds", "seeds, users and items"],
)
def test_a_model_against_its_like_is_seldom_called_different(
    seed_sd, user_sd, item_sd, noise
):
    called = np.zeros(len(COMPARED))
    for trial in range(200):
        rng, user, item, taste, labels = world(1_000 + trial, rows=600)

        def model():
            skill = user_sd * rng.normal(size=60)[user]  # noqa: B023
            skill += item_sd * rng.normal(size=40)[item]  # noqa: B023
            return [
                probabilities(
                    (1 + skill + seed_sd * rng.normal()) * taste  # noqa: B023
                    + noise * rng.normal(size=600)  # noqa: B023
                )
                for _ in range(10)
            ]

        ours, theirs = model(), model()
        found = all_compared(user, item, labels, ours, theirs)
        called += [found[metric].p_value < 0.05 for metric in COMPARED]
    assert (called <= 0.06 * 200).all(), called


def test_a_real_difference_is_found():
    rng, user, item, taste, labels = world(6)
    ours = [probabilities(taste + 0.3 * rng.normal(size=400)) for _ in range(10)]
    theirs = [probabilities(taste + 2 * rng.normal(size=400)) for _ in range(10)]
    assert compared(user, item, labels, ours, theirs).low > 0


# === The table ===


def test_holm_multiplies_by_the_comparisons_left():
    adjusted = holm({"a": 0.01, "b": 0.04, "c": 0.03, "none": None, "d": 0.5})
    assert adjusted["a"] == pytest.approx(0.04)
    assert adjusted["c"] == pytest.approx(0.09)
    assert adjusted["b"] == pytest.approx(0.09)
    assert adjusted["d"] == 0.5
    assert adjusted["none"] is None


def test_only_an_adjusted_p_value_tells_apart():
    assert not Difference(0.1, 0.05, 0.15, p_value=0.001).told_apart
    assert not Difference(0.1, 0.05, 0.15, p_value=0.01, adjusted=0.06).told_apart
    assert Difference(0.1, 0.05, 0.15, p_value=0.01, adjusted=0.04).told_apart
