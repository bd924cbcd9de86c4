"""Derivative of the companion's gain by the weights of groups of impressions.

Sums over a group of impressions: `A = sum (y - m)(D - u)`, the derivative of the gain
by the weight of the group, centred by label and by change; `Q = sum m (1 - m)(D -
u)^2`; and `V`, the variance of `A`. The *slope* `A / Q` is the log-odds of a click that
a unit of `D` predicts, at any click rate; its standard error is `sqrt(V) / Q`. Sums of
windows and of days add up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from models.cctl.look_ahead import Floats
from models.cctl.look_ahead import positions

# Table rows of ids fall into this many buckets by remainder: more have too few
# impressions each (our choice).
ID_BUCKETS = 4
# Ids of a feature fall into this many clusters, whose impressions may err together: a
# few dozen make a usable variance (our choice).
CLUSTERS = 64
# An id's sums are divided by 1 + this times its mass `n m (1 - m)`: without it a few
# heavy users outweigh all others (our choice).
_SATURATION = 0.2
NUMBER, LABELS, CHANGES, PRODUCTS, SQUARES = range(5)


class Moments:
    """Sums of labels and changes by cell of a domain.

    Args:
        domains: Number of domains.
        cells: Number of cells: values of a feature, or ids that the target has.
    """

    def __init__(self, domains: int, cells: int) -> None:
        self.sums = np.zeros((domains, cells, 5))

    def add(
        self,
        domain: npt.NDArray[Any],
        cell: npt.NDArray[Any],
        labels: Floats,
        changes: Floats,
    ) -> None:
        """Adds impressions; all arguments are (N,)."""
        domains, cells, _ = self.sums.shape
        place = domain.astype(np.int64) * cells + cell
        values = (None, labels, changes, labels * changes, changes**2)
        for index, value in enumerate(values):
            counted = np.bincount(place, value, domains * cells)
            self.sums[:, :, index] += counted.reshape(domains, cells)


def in_clusters(cell: npt.NDArray[Any], ids: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Returns cells divided by the cluster of an id; all are (N,)."""
    return cell.astype(np.int64) * CLUSTERS + ids % CLUSTERS


def sums_by_value(moments: Moments, clusters: Sequence[Moments] = ()) -> Floats:
    """Returns `A`, `Q` and `V` of each cell, centred within it; (domains, cells, 3).

    Centring within the cell takes out the click rates of the feature's values. What
    clicks owe to their user and item, beyond values, makes the impressions of one id
    err together: `V` adds, for each id feature, what its clusters vary by beyond
    single impressions.

    Args:
        moments: Moments by cell.
        clusters: For each id feature, moments by cell and cluster, see `in_clusters`.
    """
    number, labels, changes, products, squares = np.moveaxis(moments.sums, 2, 0)
    count = np.maximum(number, 1.0)
    rate, mean = labels / count, changes / count
    derivative = products - rate * changes
    mass = np.clip(rate * (1 - rate), 0.0, None)
    mass = mass * np.maximum(squares - mean * changes, 0.0)
    slope = derivative / np.maximum(mass, 1e-12)
    variance = mass.copy()
    for one in clusters:
        by_cluster = one.sums.reshape(*number.shape, CLUSTERS, 5)
        of_cell = rate[..., np.newaxis]
        own, share = _centred(by_cluster, of_cell, mean[..., np.newaxis])
        share *= of_cell * (1 - of_cell)
        spread = np.sum((own - slope[..., np.newaxis] * share) ** 2, axis=-1)
        used = np.sum(by_cluster[..., NUMBER] > 0, axis=-1)
        spread *= used / np.maximum(used - 1, 1)
        variance += np.maximum(spread - mass, 0.0)
    return np.stack([derivative, mass, variance], axis=2)


def _centred(sums: Floats, rate: Floats, mean: Floats) -> tuple[Floats, Floats]:
    """Returns `A`, and the sum of `(D - u)^2`, of parts of a group.

    Args:
        sums: Moments on the last axis.
        rate: Click rate of the group.
        mean: Its mean change `u`.
    """
    number, labels, changes, products, squares = np.moveaxis(sums, -1, 0)
    derivative = products - rate * changes - mean * labels + number * rate * mean
    return derivative, squares - 2 * mean * changes + number * mean**2


def sums_by_bucket(
    moments: Moments, ids: npt.NDArray[np.int64], variances: Floats | None = None
) -> Floats:
    """Returns `A`, `Q` and `V` by bucket of ids, the last of all ids.

    Labels and changes are centred by domain. An id's impressions share the error of its
    `D`, so `V` is the sum of squares by id (cluster-robust).

    Args:
        moments: Moments by id.
        ids: Table rows of the cells' ids.
        variances: Variance of a label by domain, where labels are residuals; `m (1 -
            m)` by default.

    Returns:
        Array (domains, ID_BUCKETS + 1, 3).
    """
    sums = moments.sums  # (K, N, 5)
    number = sums[:, :, NUMBER]
    total = np.maximum(number.sum(1, keepdims=True), 1.0)
    rate = sums[:, :, LABELS].sum(1, keepdims=True) / total
    mean = sums[:, :, CHANGES].sum(1, keepdims=True) / total
    derivative, mass = _centred(sums, rate, mean)
    variance = rate * (1 - rate) if variances is None else variances[:, np.newaxis]
    mass = variance * mass
    share = 1 / (1 + _SATURATION * variance * number)
    derivative, mass = share * derivative, share * mass
    buckets = ids % ID_BUCKETS
    found = np.zeros((len(sums), ID_BUCKETS + 1, 3))
    for bucket in range(ID_BUCKETS + 1):
        chosen = np.ones(len(ids), bool) if bucket == ID_BUCKETS else buckets == bucket
        a, q = derivative[:, chosen], mass[:, chosen]
        slope = a.sum(1) / np.maximum(q.sum(1), 1e-12)
        spread = np.sum((a - slope[:, np.newaxis] * q) ** 2, axis=1)
        found[:, bucket] = np.stack([a.sum(1), q.sum(1), spread], axis=1)
    return found


def add_by_id(
    moments: Moments,
    known: npt.NDArray[np.int64],
    ids: npt.NDArray[Any],
    domain: npt.NDArray[Any],
    labels: Floats,
    changes: Floats,
) -> None:
    """Adds impressions to moments by id; those of ids unknown to the target say none.

    Args:
        moments: Moments, a cell per id; changed in place.
        known: Table rows of the cells' ids, sorted.
        ids: Table rows of the impressions' ids, (N,).
        domain: Their domains, (N,).
        labels: Their labels, or residuals, (N,).
        changes: The changes of their logits, (N,).
    """
    place, found = positions(known, ids)
    moments.add(domain[found], place[found], labels[found], changes[found])


def slopes(sums: Floats) -> tuple[Floats, Floats]:
    """Returns slopes and squared standard errors; without impressions 0 and infinity.

    Args:
        sums: `A`, `Q` and `V` on the last axis.
    """
    derivative, mass, variance = np.moveaxis(sums, -1, 0)
    known = mass > 1e-9
    safe = np.where(known, mass, 1.0)
    return (
        np.where(known, derivative / safe, 0.0),
        np.where(known, variance / safe**2, np.inf),
    )
