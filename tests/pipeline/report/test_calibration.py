"""Deciles of the predictions: predicted and actual click rates."""

import numpy as np
import pytest

from pipeline.report.calibration import deciles
from pipeline.report.calibration import wilson


def test_rows_are_cut_into_equal_parts_by_score():
    scores = np.array([0.9, 0.1, 0.3, 0.7], np.float32)
    labels = np.array([1, 0, 1, 1], np.int64)
    low, high = deciles(scores, labels, count=2)
    assert (low.rows, low.actual) == (2, 0.5)
    assert low.predicted == pytest.approx(0.2)
    assert (high.rows, high.actual) == (2, 1.0)
    assert high.predicted == pytest.approx(0.8)


def test_fewer_rows_than_parts_make_a_part_each_and_none_makes_none():
    assert [d.rows for d in deciles(np.ones(3, np.float32), np.ones(3, int))] == [1] * 3
    assert deciles(np.zeros(0, np.float32), np.zeros(0, int)) == []


def test_parts_add_up_to_all_rows():
    random = np.random.default_rng(5)
    scores = random.random(1003).astype(np.float32)
    labels = (random.random(1003) < scores).astype(np.int64)
    found = deciles(scores, labels)
    assert sum(d.rows for d in found) == 1003
    assert sum(d.actual * d.rows for d in found) == pytest.approx(labels.sum())
    assert [d.predicted for d in found] == sorted(d.predicted for d in found)
    assert all(d.low <= d.actual <= d.high for d in found)


def test_the_interval_solves_its_equation():
    # Its ends are the p with |share - p| = z sqrt(p (1 - p) / n).
    for clicks, rows in ((5, 10), (1, 1000), (40, 50)):
        for end in wilson(clicks, rows):
            distance = abs(clicks / rows - end)
            assert distance == pytest.approx(
                1.959964 * np.sqrt(end * (1 - end) / rows), rel=1e-6
            )
    assert wilson(0, 10)[0] == pytest.approx(0.0)
