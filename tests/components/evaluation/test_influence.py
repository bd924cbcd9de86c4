"""Influences against derivatives taken by hand: a little more weight on one row."""

from __future__ import annotations

import numpy as np
import pytest

from components.evaluation.influence import influences
from components.evaluation.metrics import COMPARED
from components.evaluation.ranking import auc
from components.evaluation.ranking import grouped_auc
from components.evaluation.ranking import log_losses

USERS = np.array([0, 0, 1, 1, 1, -1, 2, 2])
LABELS = np.array([1, 0, 1, 0, 0, 1, 1, 1])
SCORES = np.array([0.9, 0.2, 0.3, 0.3, 0.8, 0.6, 0.7, 0.4])


def metrics(weights):
    return np.array(
        [
            auc(SCORES, LABELS, weights),
            grouped_auc(USERS, SCORES, LABELS, weights).gauc,
            np.average(log_losses(SCORES, LABELS), weights=weights),
        ]
    )


def test_values_are_the_metrics():
    assert COMPARED == ("auc", "gauc", "log_loss")
    found = influences(USERS, LABELS, SCORES).values
    np.testing.assert_allclose(found, metrics(np.ones(8)), atol=1e-12)


@pytest.mark.parametrize("row", range(8))
def test_an_influence_is_the_derivative_by_the_rows_weight(row):
    more, less = np.ones(8), np.ones(8)
    more[row] += 1e-5
    less[row] -= 1e-5
    slope = (metrics(more) - metrics(less)) / 2e-5
    found = influences(USERS, LABELS, SCORES).rows[row]
    np.testing.assert_allclose(found, slope, atol=1e-8)


def test_influences_of_all_rows_add_up_to_nothing():
    total = influences(USERS, LABELS, SCORES).rows.sum(axis=0)
    np.testing.assert_allclose(total, 0, atol=1e-12)


def test_what_is_undefined_has_no_influence():
    found = influences(np.array([0, 1]), [1, 1], [0.5, 0.4])
    assert np.isnan(found.values[:2]).all()
    assert (found.rows[:, :2] == 0).all()
    assert found.values[2] == pytest.approx(-np.log([0.5, 0.4]).mean())


def test_without_rows_everything_is_undefined():
    found = influences(np.zeros(0, np.int64), [], [])
    assert np.isnan(found.values).all()
    assert found.rows.shape == (0, 3)
