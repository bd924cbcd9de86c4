"""The guard of GAUC on users whose labels mean nothing, and on features alike."""

from __future__ import annotations

import numpy as np
import pytest

from components.evaluation.mechanical import guard_sentence
from components.evaluation.mechanical import mechanical_gaucs
from components.evaluation.mechanical import unusable

USERS, DAYS = 60, 8


@pytest.fixture(scope="module")
def rows():
    """Users with a row a day and random labels; half of all rows are clicks."""
    rng = np.random.default_rng(0)
    users = np.repeat(np.arange(USERS), DAYS)
    days = np.tile(np.arange(DAYS), USERS)
    labels = rng.integers(0, 2, USERS * DAYS)
    return users, days, labels


def running(labels, before=0, clicks=0.0):
    """Returns each row's click rate of the user's earlier rows."""
    rows = labels.reshape(USERS, DAYS)
    earlier = np.cumsum(rows, axis=1) - rows
    counted = earlier + clicks, np.arange(DAYS) + before
    return (counted[0] / np.maximum(counted[1], 1e-9)).ravel()


def gauc_of(rows, values, **options):
    users, days, labels = rows
    return mechanical_gaucs(users, days, labels, {"x": values}, **options)["x"]


@pytest.mark.parametrize(("before", "clicks"), [(5, 3.0), (20, 16.0)])
def test_a_running_rate_of_the_user_moves_against_the_label(rows, before, clicks):
    found = gauc_of(rows, running(rows[2], before, clicks))
    # Without any taste in the labels, by hand: permuted, and the rate counted anew.
    rng, users = np.random.default_rng(1), rows[0]
    by_hand = []
    for _ in range(200):
        drawn = rng.permuted(rows[2].reshape(USERS, DAYS), axis=1)
        rate = running(drawn.ravel(), before, clicks).reshape(USERS, DAYS)
        for values, labels in zip(rate, drawn, strict=True):
            if 0 < labels.sum() < DAYS:
                pairs = values[labels == 1][:, None] - values[labels == 0]
                by_hand.append(((pairs > 0) + (pairs == 0) / 2).mean())
    assert found == pytest.approx(np.mean(by_hand), abs=0.02)
    assert found < 0.45
    assert users is rows[0]


def test_a_rate_that_is_unknown_at_first_moves_as_well(rows):
    values = running(rows[2])
    values[::DAYS] = np.nan
    assert gauc_of(rows, values) < 0.45


def test_a_count_of_clicks_moves(rows):
    clicks = rows[2].reshape(USERS, DAYS)
    values = (np.cumsum(clicks, axis=1) - clicks).ravel().astype(float)
    assert gauc_of(rows, values) < 0.48


@pytest.mark.parametrize(
    "values",
    [
        np.repeat(np.random.default_rng(2).random(USERS), DAYS),
        np.random.default_rng(3).random(USERS * DAYS),
        np.tile(np.arange(DAYS, dtype=float), USERS),
        np.full(USERS * DAYS, np.nan),
    ],
    ids=["frozen", "of the item", "impressions so far", "missing"],
)
def test_what_labels_do_not_move_is_no_mechanism(rows, values):
    assert gauc_of(rows, values) == pytest.approx(0.5, abs=0.02)


def test_rows_of_one_day_see_the_same_value(rows):
    # A nightly count: one value for all rows of a day.
    users, days, labels = rows
    daily = days // 4
    shares = labels.reshape(USERS, 2, 4).sum(axis=2)
    values = np.repeat(
        np.stack([np.full(USERS, 0.5), (5 + shares[:, 0]) / 14], axis=1), 4, axis=1
    )
    found = mechanical_gaucs(users, daily, labels, {"x": values.ravel()})
    assert found["x"] < 0.5


def test_without_a_user_with_both_labels_nothing_is_known():
    users, days, labels = np.arange(4), np.zeros(4, np.int64), np.array([0, 1, 0, 1])
    found = mechanical_gaucs(users, days, labels, {"x": np.arange(4.0)})
    assert np.isnan(found["x"])
    assert unusable(found) == []


def test_the_sentence_names_the_features():
    gaucs = {"a": 0.28, "b": 0.5, "c": 0.551, "d": 0.45}
    assert unusable(gaucs) == ["a", "c"]
    assert guard_sentence(["a"]) == "GAUC not usable: a moves within the block"
    assert guard_sentence(["a", "c"]) == "GAUC not usable: a, c move within the block"
    assert guard_sentence([]) == ""
