"""Co-purchase features against their definition, computed densely pair by pair."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.copurchases import NAMES
from benchmarks.copurchases import CoPurchases

# Three users, four items; users 0 and 1 have items 0 and 1 in common.
BOUGHT = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 1, 1]])
SHRINKAGE = 5.0


@pytest.fixture
def matrices():
    users, items = np.nonzero(BOUGHT)
    # A repeated purchase counts once.
    return CoPurchases(np.append(users, 0), np.append(items, 0), BOUGHT.shape)


def _cosine(one, other):
    return one @ other / (np.sqrt(one.sum() * other.sum()) + SHRINKAGE)


@pytest.mark.parametrize("item", range(4))
@pytest.mark.parametrize("user", range(3))
def test_cosines_are_those_of_the_definition(matrices, user, item):
    found = dict(
        zip(NAMES, *matrices.features(np.array([user]), np.array([item])), strict=True)
    )
    alike = [
        _cosine(BOUGHT[:, item], BOUGHT[:, other])
        for other in np.flatnonzero(BOUGHT[user])
        if other != item
    ]
    assert found["item cosine: sum"] == pytest.approx(sum(alike))
    assert found["item cosine: largest"] == pytest.approx(max(alike))
    assert found["item cosine: mean"] == pytest.approx(sum(alike) / BOUGHT[user].sum())
    users = [
        _cosine(BOUGHT[user], BOUGHT[other])
        for other in np.flatnonzero(BOUGHT[:, item])
        if other != user
    ]
    assert found["user cosine: sum"] == pytest.approx(sum(users))
    assert found["user cosine: largest"] == pytest.approx(max(users, default=0))
    assert found["purchases of the user"] == BOUGHT[user].sum()
    assert found["purchases of the item"] == BOUGHT[:, item].sum()


def test_factors_approximate_the_damped_matrix(matrices):
    users, items = np.indices(BOUGHT.shape).reshape(2, -1)
    product = matrices.features(users, items)[:, NAMES.index("svd: product")]
    own, of_item = BOUGHT.sum(axis=1) + 1, BOUGHT.sum(axis=0) + 1
    damped = BOUGHT / np.sqrt(np.outer(own, of_item))
    left, values, right = np.linalg.svd(damped, full_matrices=False)
    best = (left[:, :2] * values[:2]) @ right[:2]
    np.testing.assert_allclose(product.reshape(BOUGHT.shape), best, atol=1e-10)


def test_users_and_items_without_purchases_have_zeros():
    matrices = CoPurchases(np.array([0, 1, 1]), np.array([0, 0, 1]), (3, 3))
    found = matrices.features(np.array([2, 2, 0]), np.array([2, 0, 2]))
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[0], 0, atol=1e-12)
    assert found[1, NAMES.index("purchases of the item")] == 2
