"""Cold users and permuted source users: laws of the two choices."""

from __future__ import annotations

import datetime
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from pipeline.config.sections import ColdUsers
from pipeline.datasets.controls import are_cold
from pipeline.datasets.controls import permuted_users

USERS = pa.array([f"u{i % 2000}" for i in range(3000)])


def _cold(share: float = 0.3, seed: int = 0) -> ColdUsers:
    return ColdUsers(start=datetime.date(2014, 6, 1), share=share, seed=seed)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.8])
def test_the_share_of_users_is_cold(share: float) -> None:
    chosen = are_cold(USERS, _cold(share))[:2000]
    error = np.sqrt(share * (1 - share) / 2000)
    assert abs(chosen.mean() - share) < 4 * error


def test_a_user_is_cold_in_every_row_or_in_none() -> None:
    chosen = are_cold(USERS, _cold())
    np.testing.assert_array_equal(chosen[:1000], chosen[2000:])


def test_the_choice_depends_on_id_and_seed_alone() -> None:
    chosen = are_cold(USERS, _cold())
    np.testing.assert_array_equal(are_cold(USERS[500:], _cold()), chosen[500:])
    other = are_cold(USERS, _cold(seed=1))
    # Independent: 0.3 of the cold are cold with another seed, too.
    assert abs(other[chosen].mean() - 0.3) < 0.06


def test_users_keep_their_rows_under_another_id() -> None:
    users = pa.array(["ann", "bob", "ann", "cid", "bob", "ann"])
    found = permuted_users(users, 3, "food").to_pylist()
    assert found[0] == found[2] == found[5]
    assert found[1] == found[4]
    assert sorted(set(found)) == ["ann", "bob", "cid"]
    assert sorted(Counter(found).values()) == [1, 2, 3]


def test_hardly_a_user_keeps_the_own_id_and_sources_differ() -> None:
    users = pa.array([f"u{i}" for i in range(1000)])
    food, kitchen = (
        np.array(permuted_users(users, 3, domain).to_pylist())
        for domain in ("food", "kitchen")
    )
    own = np.array(users.to_pylist())
    assert np.mean(food == own) < 0.01
    assert np.mean(food == kitchen) < 0.01
