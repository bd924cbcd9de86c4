"""Metrics of resampled users against repeated impressions; the draws themselves."""

import numpy as np
import pytest

from components.evaluation.metrics import RESAMPLED
from components.evaluation.probability import entropy
from components.evaluation.ranking import auc
from components.evaluation.ranking import grouped_auc
from components.evaluation.ranking import log_losses
from components.evaluation.resampling import Resampled
from components.evaluation.resampling import poisson_counts
from components.evaluation.resampling import user_clusters
from components.evaluation.resampling import user_keys

CODES = np.array([1, 1, 4, 4, 4, -1, 2, 2, -1])
LABELS = np.array([1, 0, 1, 0, 0, 1, 1, 1, 0])
SCORES = np.array([0.9, 0.2, 0.8, 0.3, 0.3, 0.6, 0.7, 0.4, 0.6])
WEIGHTS = np.array([1, 2, 0.5, 1, 1, 3, 0, 1, 1])


def repeated(counts):
    """Returns `RESAMPLED` of the rows copied as often as drawn, by plain formulas."""
    copies = counts[user_clusters(CODES)]
    rows = np.repeat(np.arange(len(CODES)), copies)
    if not len(rows):
        return np.full(len(RESAMPLED), np.nan)
    nth = np.concatenate([np.arange(count) for count in copies])
    # A user that is drawn twice is two users.
    users = np.where(CODES[rows] < 0, -1, CODES[rows] * 100 + nth)
    scores, labels, weights = SCORES[rows], LABELS[rows], WEIGHTS[rows]
    rate = np.average(labels, weights=weights)
    loss = np.average(log_losses(scores, labels), weights=weights)
    clicks = (weights * labels).sum()
    return np.array(
        [
            auc(scores, labels, weights),
            grouped_auc(users, scores, labels, weights).gauc,
            loss,
            loss / entropy(rate),
            (weights * scores).sum() / clicks if clicks else np.nan,
        ]
    )


def test_clusters_are_users_and_rows_without_one():
    assert user_clusters(CODES).tolist() == [0, 0, 2, 2, 2, 3, 1, 1, 4]


@pytest.mark.parametrize(
    "counts",
    [
        [1, 1, 1, 1, 1],
        [2, 0, 1, 3, 0],
        [0, 0, 5, 0, 0],
        [0, 1, 0, 0, 0],
        [0, 0, 0, 0, 2],
        [0, 0, 0, 0, 0],
    ],
    ids=str,
)
def test_a_draw_is_its_rows_repeated(counts):
    counts = np.array(counts)
    resampled = Resampled(CODES, user_clusters(CODES), LABELS, SCORES, WEIGHTS)
    np.testing.assert_allclose(
        resampled(counts.astype(float)), repeated(counts), rtol=1e-12
    )


def test_counts_are_poisson_and_belong_to_user_and_draw_alone():
    keys = user_keys(f"u{i}".encode() for i in range(20_000))
    first, second = poisson_counts(keys, 0), poisson_counts(keys, 1)
    for counts in (first, second):
        # Mean 1, variance 1, 1/e not drawn: within five standard errors.
        assert counts.mean() == pytest.approx(1, abs=5 / 20_000**0.5)
        assert counts.var() == pytest.approx(1, abs=10 / 20_000**0.5)
        assert (counts == 0).mean() == pytest.approx(np.exp(-1), abs=0.02)
    assert np.corrcoef(first, second)[0, 1] == pytest.approx(0, abs=0.04)
    some = np.array([5, 19_999, 7])
    assert poisson_counts(keys[some], 1).tolist() == second[some].tolist()


def test_keys_are_the_same_on_every_machine():
    # printf u1 | b2sum -l 64, read as a little-endian number.
    assert user_keys([b"u1"]).tolist() == [0xD56A4E3F684D9992]
    assert user_keys([]).shape == (0,)


@pytest.mark.slow
def test_intervals_by_user_are_as_wide_as_the_metric_varies():
    # 300 users with tastes of their own: over fresh sets of users the AUC varies by
    # 0.010. Redrawing users says 0.012 here, redrawing rows 0.006.
    def world(seed):
        rng = np.random.default_rng(seed)
        users = np.repeat(np.arange(300), 20)
        taste = rng.normal(0, 2, 300)[users]
        labels = (rng.random(6000) < 1 / (1 + np.exp(-taste))).astype(int)
        return users, labels, taste + rng.normal(0, 2, 6000) * (users % 2)

    truth = np.std([auc(s, y) for _, y, s in map(world, range(100))])
    users, labels, scores = world(1)
    clusters = user_clusters(users)
    keys = user_keys(f"u{u}".encode() for u in range(300))
    resampled = Resampled(users, clusters, labels, scores)
    found = np.std([resampled(poisson_counts(keys, d))[0] for d in range(200)])
    assert found == pytest.approx(truth, rel=0.35)
