"""Co-purchase features of a user and an item, from purchases before a day.

Two items are alike if the same users bought them, two users if they bought the same
items: shrunk cosines of the matrix of users and items, and its truncated singular value
decomposition. Items of several shops lie side by side in the matrix, so with shared
users a purchase in one shop says something of the other's items.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.linalg import svds

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

NAMES = (
    "item cosine: sum",
    "item cosine: largest",
    "item cosine: mean",
    "user cosine: sum",
    "user cosine: largest",
    "svd: product",
    "svd: cosine",
    "purchases of the user",
    "purchases of the item",
)
# Added to the norms of a cosine: two users in common of two are no proof of likeness.
_SHRINKAGE = 5.0
_RANK = 48
_PAIRS_AT_ONCE = 20_000


class CoPurchases:
    """Matrices of the purchases before a day, and features of pairs made from them."""

    def __init__(self, users: Ints, items: Ints, shape: tuple[int, int]) -> None:
        """Counts which users bought which items.

        Args:
            users: User of each purchase, 0 to `shape[0]` - 1.
            items: Item of each, 0 to `shape[1]` - 1.
            shape: Number of users and items.
        """
        ones = np.ones(len(users))
        bought = sparse.csr_matrix((ones, (users, items)), shape=shape)
        bought.data[:] = 1.0
        self._by_user = bought
        self._by_item = bought.T.tocsr()
        self._user_counts = np.asarray(bought.sum(axis=1)).ravel()
        self._item_counts = np.asarray(bought.sum(axis=0)).ravel()
        self._items_alike = _cosines(self._by_item, self._item_counts)
        self._users_alike = _cosines(self._by_user, self._user_counts)
        self._user_factors, self._item_factors = self._factors()

    def features(self, users: Ints, items: Ints) -> Floats:
        """Returns the features of pairs of user and item, shape (N, len(NAMES))."""
        parts = [
            self._features(users[i : i + _PAIRS_AT_ONCE], items[i : i + _PAIRS_AT_ONCE])
            for i in range(0, len(users), _PAIRS_AT_ONCE)
        ]
        return np.concatenate([np.zeros((0, len(NAMES))), *parts])

    def _features(self, users: Ints, items: Ints) -> Floats:
        by_item = self._items_alike[items].multiply(self._by_user[users]).tocsr()
        by_user = self._users_alike[users].multiply(self._by_item[items]).tocsr()
        own, of_item = self._user_counts[users], self._item_counts[items]
        left, right = self._user_factors[users], self._item_factors[items]
        product = np.sum(left * right, axis=1)
        norms = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
        item_sum = np.asarray(by_item.sum(axis=1)).ravel()
        return np.stack(
            [
                item_sum,
                by_item.max(axis=1).toarray().ravel(),
                item_sum / np.maximum(own, 1),
                np.asarray(by_user.sum(axis=1)).ravel(),
                by_user.max(axis=1).toarray().ravel(),
                product,
                product / np.maximum(norms, 1e-12),
                own,
                of_item,
            ],
            axis=1,
        )

    def _factors(self) -> tuple[Floats, Floats]:
        """Returns factors of users and items; popular items and heavy users damped."""
        users = 1 / np.sqrt(self._user_counts + 1)
        items = 1 / np.sqrt(self._item_counts + 1)
        damped = sparse.diags(users) @ self._by_user @ sparse.diags(items)
        rank = min(_RANK, min(damped.shape) - 1)
        left, values, right = svds(damped, k=rank, random_state=0)
        return left * values, right.T


def _cosines(rows: Any, counts: Floats) -> Any:
    """Returns the shrunk cosines of a binary matrix's rows, 0 with themselves."""
    common = (rows @ rows.T).tocoo()
    norms = np.sqrt(counts[common.row] * counts[common.col])
    values = common.data / (norms + _SHRINKAGE)
    values[common.row == common.col] = 0.0
    found = sparse.csr_matrix((values, (common.row, common.col)), shape=common.shape)
    found.eliminate_zeros()
    return found
