"""Boundaries of quantile buckets, and the statistics' file."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import DataError
from models.features.number_statistics import NumberStatistics
from models.features.number_statistics import choose_boundaries
from models.statistics_files import read_statistics
from models.statistics_files import write_statistics

FROZEN = {
    "price": NumberStatistics(
        boundaries=(0.1, 1 / 3), shares=(0.5, 0.25, 0.25), mean=(1e-9,), values=4
    )
}


@given(
    st.lists(st.integers(-5, 30), min_size=1, max_size=80),
    st.integers(2, 20),
)
def test_shares_are_those_of_the_buckets(values, buckets):
    boundaries, shares = choose_boundaries(sorted(values), buckets)
    assert len(boundaries) < buckets
    assert boundaries == sorted(set(boundaries))
    place = np.searchsorted(boundaries, values, side="right")
    counts = np.bincount(place, minlength=len(shares))
    assert (counts > 0).all()
    np.testing.assert_allclose(shares, counts / len(values))


def test_distinct_values_get_equal_shares():
    boundaries, shares = choose_boundaries(np.arange(1000.0), 8)
    assert boundaries == [125, 250, 375, 500, 625, 750, 875]
    assert shares == [0.125] * 8


def test_a_value_that_most_rows_have_leaves_the_other_buckets_to_the_rest():
    quantiles = np.concatenate([np.zeros(940), np.linspace(0.01, 1, 60)])
    boundaries, shares = choose_boundaries(quantiles, 16)
    assert len(shares) == 16
    assert boundaries[0] == 0.01
    assert shares[0] == 0.94
    assert max(shares[1:]) == pytest.approx(0.004)


def test_few_values_get_a_bucket_each():
    assert choose_boundaries([0, 0, 1, 1, 2, 2], 16)[0] == [1, 2]


def test_statistics_are_read_as_they_were_written(tmp_path):
    write_statistics(tmp_path, FROZEN)
    assert read_statistics(tmp_path) == FROZEN


@pytest.mark.parametrize("damage", ["lost", "cut", "changed", "list"])
def test_damage_is_found(tmp_path, damage):
    write_statistics(tmp_path, FROZEN)
    path = tmp_path / "numbers.json"
    content = json.loads(path.read_text())
    content["statistics"]["price"]["mean"] = [math.pi]
    damaged = {"cut": path.read_text()[:40], "changed": json.dumps(content)}
    path.write_text(damaged.get(damage, "[1]"))
    if damage == "lost":
        path.unlink()
    with pytest.raises(DataError, match=r"numbers\.json is (missing|not)"):
        read_statistics(tmp_path)
