"""Paired bootstrap against plain references."""

from __future__ import annotations

import numpy as np
import pytest

from components.evaluation.bootstrap import interval
from components.evaluation.bootstrap import paired_draws
from components.evaluation.metrics import COMPARED
from components.evaluation.ranking import auc
from components.evaluation.ranking import grouped_auc
from components.evaluation.ranking import log_losses
from models.errors import DataError

USERS = np.array(["a", "a", "b", "b", "b", "", "c", "c"])
LABELS = np.array([1, 0, 1, 0, 0, 1, 1, 1])
GOOD = np.array([0.9, 0.2, 0.8, 0.3, 0.3, 0.6, 0.7, 0.4])
POOR = np.array([0.4, 0.6, 0.5, 0.5, 0.2, 0.3, 0.1, 0.9])


def metrics(users, labels, scores):
    return {
        "auc": auc(scores, labels),
        "gauc": grouped_auc(users, scores, labels).gauc,
        "log_loss": log_losses(scores, labels).mean(),
    }


def differences(users, labels, scores, baseline, **options):
    """Returns by metric how far two models are apart, with its interval."""
    draws = paired_draws(users, labels, {"ours": scores, "theirs": baseline}, **options)
    apart = draws["ours"] - draws["theirs"]
    return {name: interval(apart[:, i]) for i, name in enumerate(COMPARED)}


def test_the_value_is_the_difference_on_all_rows():
    found = differences(USERS, LABELS, [GOOD], [POOR], replicates=20)
    ours, theirs = metrics(USERS, LABELS, GOOD), metrics(USERS, LABELS, POOR)
    for name in COMPARED:
        assert found[name].value == pytest.approx(ours[name] - theirs[name], abs=1e-12)
        assert found[name].low <= found[name].high


def test_a_draw_repeats_the_impressions_of_drawn_users():
    # The same draws made by hand: rows of every drawn user, as often as it was drawn.
    rng = np.random.default_rng(3)
    clusters = np.array([0, 0, 1, 1, 1, 3, 2, 2])
    drawn = []
    for _ in range(200):
        rng.integers(1, size=1)
        counts = rng.multinomial(4, [0.25] * 4)
        rows = np.repeat(np.arange(8), counts[clusters])
        # A user that is drawn twice is two users.
        copies = np.concatenate([np.arange(count) for count in counts[clusters]])
        users = [
            f"{USERS[r]}{c}" if USERS[r] else ""
            for r, c in zip(rows, copies, strict=True)
        ]
        ours = metrics(users, LABELS[rows], GOOD[rows])
        theirs = metrics(users, LABELS[rows], POOR[rows])
        drawn.append([ours[name] - theirs[name] for name in COMPARED])
    found = differences(USERS, LABELS, [GOOD], [POOR], replicates=200, seed=3)
    for column, name in enumerate(COMPARED):
        values = np.array(drawn)[:, column]
        low, high = np.nanquantile(values, [0.025, 0.975])
        assert found[name].low == pytest.approx(low, abs=1e-12)
        assert found[name].high == pytest.approx(high, abs=1e-12)


def test_equal_models_differ_by_nothing():
    found = differences(USERS, LABELS, [GOOD, POOR], [GOOD, POOR], replicates=50)
    assert {(d.value, d.low, d.high) for d in found.values()} == {(0.0, 0.0, 0.0)}


def test_the_order_of_the_rows_does_not_matter_to_the_value():
    order = np.random.default_rng(1).permutation(8)
    plain = differences(USERS, LABELS, [GOOD], [POOR], replicates=5)
    mixed = differences(
        USERS[order], LABELS[order], [GOOD[order]], [POOR[order]], replicates=5
    )
    for name in COMPARED:
        assert mixed[name].value == pytest.approx(plain[name].value, abs=1e-12)


def test_seeds_that_disagree_widen_the_interval():
    rng = np.random.default_rng(5)
    users = np.arange(600) // 3
    labels = (np.arange(600) % 3 == 0).astype(int)
    base = rng.random(600)
    better, worse = base + 0.3 * labels, base - 0.3 * labels
    alike = differences(users, labels, [better, better], [base, base])
    apart = differences(users, labels, [better, worse], [base, base])
    assert alike["gauc"].low > 0.1
    assert apart["gauc"].low < -0.1 < 0.1 < apart["gauc"].high
    assert abs(apart["gauc"].value) < 0.1


def test_intervals_have_about_their_nominal_coverage():
    # Scores of two equally good models: the true difference is zero.
    covered = 0
    for trial in range(60):
        rng = np.random.default_rng(trial)
        users = np.arange(300) // 5
        labels = rng.integers(0, 2, 300)
        ours, theirs = (labels + rng.normal(0, 2, 300) for _ in range(2))
        found = differences(users, labels, [ours], [theirs], replicates=200)
        covered += found["gauc"].low <= 0 <= found["gauc"].high
    assert covered >= 52


def test_an_undefined_metric_is_nan():
    found = differences([1, 2], [1, 1], [[0.5, 0.6]], [[0.4, 0.3]], replicates=5)
    assert np.isnan(found["auc"].value)
    assert np.isnan(found["gauc"].low)
    assert not np.isnan(found["log_loss"].value)


def test_other_numbers_of_seeds_are_refused():
    with pytest.raises(DataError, match="2 seeds of ours and 1"):
        differences(USERS, LABELS, [GOOD, POOR], [GOOD])


def test_models_drawn_together_equal_pairwise_draws():
    models = {"good": [GOOD, POOR], "poor": [POOR, POOR], "same": [GOOD] * 2}
    together = paired_draws(USERS, LABELS, models, replicates=50, seed=2)
    for name in ("good", "same"):
        pair = {kind: models[kind] for kind in (name, "poor")}
        alone = paired_draws(USERS, LABELS, pair, replicates=50, seed=2)
        for kind, draws in alone.items():
            np.testing.assert_array_equal(together[kind], draws)


def test_an_interval_leaves_out_what_is_undefined():
    drawn = np.array([2.0, 1.0, np.nan, 3.0])
    found = interval(drawn, level=1.0)
    assert (found.value, found.low, found.high) == (2.0, 1.0, 3.0)
    assert np.isnan(interval(np.array([np.nan, 1.0])).value)
    assert np.isnan(interval(np.array([1.0, np.nan])).value)
