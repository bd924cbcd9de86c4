"""Look-ahead: how impressions change the logits of others that share their ids.

The derivative of the companion's gain on the target by the weight of a source
impression is `(y - p) D`: `D` is the change of the source impression's logit by a step
on the target, as the kernel of a step is symmetric. Here the step is one Newton step on
a linear layer with a weight per id, and per pair of an id and a value of the other
side, which has the power of all impressions at once (our choice).

A second step learns from the sources, too, each impression by the weight that the first
one gave it: what they say of the target's ids is less noisy than what its own few
impressions say (our choice). A source's own impressions are left out of its `D`.
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
_CALIBRATION_STEPS = 8


class Residuals(NamedTuple):
    """What a step on ids learns from.

    Attributes:
        rows: Encoded features by column, (N,) each.
        residuals: Labels minus click probabilities without ids, (N,).
        masses: `p (1 - p)`, (N,).
        weights: Weights of the impressions, (N,).
        domain: Index of each impression's domain, the target's last, (N,).
    """

    rows: Rows
    residuals: Floats
    masses: Floats
    weights: Floats
    domain: npt.NDArray[Any]

    @classmethod
    def of(
        cls,
        rows: Rows,
        labels: Floats,
        probabilities: Floats,
        domain: npt.NDArray[Any],
        weights: Floats | None = None,
    ) -> Residuals:
        """Returns the residuals of labels, with weights of 1 by default."""
        by = np.ones(len(labels)) if weights is None else weights.astype(np.float64)
        masses = probabilities * (1 - probabilities)
        return cls(rows, labels - probabilities, masses, by, domain)

    def joined(self, other: Residuals) -> Residuals:
        """Returns these impressions and those of `other`."""
        rows = {
            name: np.concatenate([values, other.rows[name]])
            for name, values in self.rows.items()
        }
        pairs = zip(self[1:], other[1:], strict=True)
        return Residuals(rows, *(np.concatenate(pair) for pair in pairs))


class _Term(NamedTuple):
    """Sums of residuals and masses per domain and key, (K + 1, N); keys are sorted."""

    feature: str | None
    keys: npt.NDArray[np.int64]
    residuals: Floats
    masses: Floats
    ridge: float


class IdLookAhead:
    """Step on the weights of an id feature's values.

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
        """Table rows of the ids that the step learned from, sorted."""
        return self._terms[0].keys

    def fit(self, found: Residuals, domains: int) -> None:
        """Takes the step.

        The prior variance of a term's weights is estimated by moments (empirical
        Bayes), within bounds.

        Args:
            found: The impressions.
            domains: Number of domains.
        """
        self._terms = []
        residuals = found.weights * found.residuals
        masses = found.weights * found.masses
        for other in (None, *self._others):
            keys, index = np.unique(self._keys(found.rows, other), return_inverse=True)
            place = found.domain.astype(np.int64) * len(keys) + index

            def summed(values: Floats, place: Any = place, keys: Any = keys) -> Floats:
                sums = np.bincount(place, values, domains * len(keys))
                return sums.astype(np.float64).reshape(domains, len(keys))

            by_domain, mass = summed(residuals), summed(masses)
            noise = np.sum(found.weights * masses)
            variance = np.sum(by_domain.sum(0) ** 2) - noise
            variance /= max(float(np.sum(mass.sum(0) ** 2)), 1e-12)
            ridge = 1 / float(np.clip(variance, *_VARIANCES))
            self._terms.append(_Term(other, keys, by_domain, mass, ridge))

    def changes(self, rows: Rows, domain: npt.NDArray[Any]) -> Floats:
        """Returns the changes of impressions' logits by all other domains, (N,).

        Args:
            rows: Encoded features by column, (N,) each; unknown ids change by 0.
            domain: Index of each impression's domain, (N,).
        """
        total = np.zeros(len(domain))
        for term in self._terms:
            place, found = self._positions(term, rows)
            change = term.residuals.sum(0)[place] - term.residuals[domain, place]
            mass = term.masses.sum(0)[place] - term.masses[domain, place]
            total += np.where(found, change / (mass + term.ridge), 0.0)
        return total

    def own_changes(self, own: Residuals, without: int | None = None) -> Floats:
        """Returns the changes of impressions that the step learned from, (N,).

        Args:
            own: Impressions of weight 1; each is left out of its own change.
            without: A domain that is left out, too.
        """
        total = np.zeros(len(own.residuals))
        for term in self._terms:
            place, _ = self._positions(term, own.rows)
            residuals, masses = term.residuals.sum(0), term.masses.sum(0)
            if without is not None:
                residuals = residuals - term.residuals[without]
                masses = masses - term.masses[without]
            change = residuals[place] - own.residuals
            total += change / (masses[place] - own.masses + term.ridge)
        return total

    def _positions(
        self, term: _Term, rows: Rows
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        return positions(term.keys, self._keys(rows, term.feature))

    def _keys(self, rows: Rows, other: str | None) -> npt.NDArray[np.int64]:
        ids = rows[self.feature].astype(np.int64)
        return ids if other is None else ids * self._others[other] + rows[other]


def positions(
    known: npt.NDArray[np.int64], values: npt.NDArray[Any]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Returns the positions of values among sorted ones, and which are among them."""
    place = np.minimum(np.searchsorted(known, values), len(known) - 1)
    return place, known[place] == values


def calibrated(logits: Floats, labels: Floats, weights: Floats) -> Floats:
    """Returns click probabilities by an intercept and a slope on the logits, (N,).

    Logits of a model of the target have neither a source's click rate nor its scale.

    Args:
        logits: The logits, (N,).
        labels: 0 or 1, (N,).
        weights: Weights in the fit, (N,).
    """
    inputs = np.stack([np.ones_like(logits), logits])  # (2, N)
    # A weak prior at 0 and 1 keeps few impressions from the ends.
    prior = np.array([1e-3, 1.0])
    line = np.array([0.0, 1.0])
    for _ in range(_CALIBRATION_STEPS):
        probabilities = 1 / (1 + np.exp(-line @ inputs))
        masses = weights * probabilities * (1 - probabilities)
        slope = inputs @ (weights * (labels - probabilities))
        slope -= prior * (line - [0.0, 1.0])
        curvature = (inputs * masses) @ inputs.T + np.diag(prior)  # (2, 2)
        line = line + np.linalg.solve(curvature, slope)
    found: Floats = 1 / (1 + np.exp(-line @ inputs))
    return found
