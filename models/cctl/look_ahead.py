"""Look-ahead: what the target's impressions alone change in other impressions' logits.

The derivative of the companion's gain on the target by the weight of a source
impression is `(y - p) D`: `D` is the change of the source impression's logit by a step
on the target, as the kernel of a step is symmetric. Here the step is one Newton step on
a linear layer with a weight per id, and per pair of an id and a value of the other
side, which has the power of all the target's impressions at once (our choice).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Rows = Mapping[str, npt.NDArray[Any]]
# Bounds of a term's prior variance, in squared log-odds: without the lower one a term
# whose estimate is 0 by chance would be left out.
_VARIANCES = (0.05, 1.0)


class _Term(NamedTuple):
    """A weight per key; keys are sorted."""

    feature: str | None
    keys: npt.NDArray[np.int64]
    weights: Floats


class IdLookAhead:
    """Step on the weights of an id feature's values, taken on the target's impressions.

    Args:
        feature: The id feature.
        others: Features of the other side with the numbers of their table rows; each
            makes pairs with the ids.
    """

    def __init__(self, feature: str, others: Mapping[str, int]) -> None:
        self.feature = feature
        self._others = dict(others)
        self._terms: list[_Term] = []

    @property
    def known(self) -> npt.NDArray[np.int64]:
        """Table rows of the ids that the target has, sorted."""
        return self._terms[0].keys

    def fit(self, rows: Rows, labels: Floats, probabilities: Floats) -> Floats:
        """Takes the step on the target's impressions.

        The prior variance of a term's weights is estimated by moments (empirical
        Bayes), within bounds.

        Args:
            rows: Encoded features by column, (N,) each.
            labels: 0 or 1, (N,).
            probabilities: Click probabilities without ids, (N,).

        Returns:
            The change of each impression's logit by a step on all others, (N,).
        """
        self._terms = []
        residuals = labels - probabilities
        masses = probabilities * (1 - probabilities)
        left_out = np.zeros(len(labels))
        for other in (None, *self._others):
            keys, index = np.unique(self._keys(rows, other), return_inverse=True)
            slope, mass = np.bincount(index, residuals), np.bincount(index, masses)
            variance = np.sum(slope**2 - mass) / max(float(np.sum(mass**2)), 1e-12)
            ridge = 1 / float(np.clip(variance, *_VARIANCES))
            self._terms.append(_Term(other, keys, slope / (mass + ridge)))
            left_out += (slope[index] - residuals) / (mass[index] - masses + ridge)
        return left_out

    def changes(self, rows: Rows) -> Floats:
        """Returns the changes of other impressions' logits, (N,); 0 for unknown ids."""
        total = np.zeros(len(rows[self.feature]))
        for term in self._terms:
            place, found = positions(term.keys, self._keys(rows, term.feature))
            total += np.where(found, term.weights[place], 0.0)
        return total

    def _keys(self, rows: Rows, other: str | None) -> npt.NDArray[np.int64]:
        ids = rows[self.feature].astype(np.int64)
        return ids if other is None else ids * self._others[other] + rows[other]


def positions(
    known: npt.NDArray[np.int64], values: npt.NDArray[Any]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Returns the positions of values among sorted ones, and which are among them."""
    place = np.minimum(np.searchsorted(known, values), len(known) - 1)
    return place, known[place] == values
