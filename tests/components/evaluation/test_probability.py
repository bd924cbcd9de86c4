"""Calibration error and entropy against plain references."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.evaluation.probability import calibration_error
from components.evaluation.probability import entropy


def reference(rows, num_bins):
    """Returns the error of (score, label, weight), tie by tie."""
    total = sum(weight for *_, weight in rows)
    if not total:
        return math.nan
    excess, before = [0.0] * num_bins, 0.0
    for score in sorted({row[0] for row in rows}):
        tied = [row for row in rows if row[0] == score]
        mass = sum(weight for *_, weight in tied)
        place = int(num_bins * (before + mass / 2) / total)
        excess[min(place, num_bins - 1)] += sum(w * (s - y) for s, y, w in tied)
        before += mass
    return sum(map(abs, excess)) / total


_row = st.tuples(
    st.sampled_from([0.0, 0.01, 0.0101, 0.5, 1.0]),
    st.integers(0, 1),
    st.sampled_from([0.0, 0.25, 1.0, 2.0]),
)
_rows = st.lists(_row, max_size=25)


def columns(rows):
    return list(zip(*rows, strict=True)) if rows else [(), (), ()]


def close(value):
    return pytest.approx(value, rel=1e-12, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize(
    ("scores", "labels", "expected"),
    [
        pytest.param([0.5, 0.5], [1, 0], 0.0, id="right on average"),
        pytest.param([0.2, 0.8], [0, 1], 0.2, id="two bins"),
        pytest.param([0.25] * 4, [1, 0, 0, 0], 0.0, id="ties stay together"),
        pytest.param([0.75] * 4, [1, 0, 0, 0], 0.5, id="half too high"),
        pytest.param([0.3], [1], 0.7, id="one row"),
        pytest.param([], [], math.nan, id="no rows"),
    ],
)
def test_small_cases(scores, labels, expected):
    assert calibration_error(scores, labels, num_bins=2) == close(expected)


def test_small_scores_are_told_apart():
    # Ads: bins of equal width would hold all of these in one, and see an average that
    # is right.
    scores, labels = [0.001] * 1000 + [0.009] * 1000, [0] * 1990 + [1] * 10
    assert sum(scores) == pytest.approx(sum(labels))
    assert calibration_error(scores, labels) == pytest.approx(0.001)


@given(rows=_rows, num_bins=st.integers(1, 12))
def test_equals_the_reference(rows, num_bins):
    found = calibration_error(*columns(rows), num_bins=num_bins)
    assert found == close(reference(rows, num_bins))


@given(rows=_rows, seed=st.integers(0, 9))
def test_order_of_rows_does_not_matter(rows, seed):
    shuffled = [rows[i] for i in np.random.default_rng(seed).permutation(len(rows))]
    assert calibration_error(*columns(shuffled)) == close(
        calibration_error(*columns(rows))
    )


@given(rows=_rows)
def test_weight_zero_equals_leaving_out_the_row(rows):
    kept = [row for row in rows if row[2]]
    assert calibration_error(*columns(rows)) == close(calibration_error(*columns(kept)))


@pytest.mark.slow
def test_a_million_rows_against_quantiles():
    rng = np.random.default_rng(1)
    scores = rng.beta(1, 30, 1_000_000)
    labels = rng.random(1_000_000) < scores * 1.1
    order = np.argsort(scores)
    gaps = (scores - labels)[order].reshape(10, -1).mean(axis=1)
    found = calibration_error(scores, labels)
    assert found == pytest.approx(np.abs(gaps).mean(), rel=1e-9)
    assert found == pytest.approx(0.1 * scores.mean(), rel=0.1)


@pytest.mark.parametrize(
    ("rate", "expected"),
    [(0.5, math.log(2)), (0.1, 0.3250829733914482), (0, math.nan), (1, math.nan)],
)
def test_entropy(rate, expected):
    # 0.1: scipy.stats.entropy([0.1, 0.9]).
    assert entropy(rate) == close(expected)
