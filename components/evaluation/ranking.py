"""GAUC, AUC and log loss as pure functions of columns of scored impressions.

Tested properties: the order of the impressions does not matter, and of the scores only
the order does; weight 2 equals the impression twice, weight 0 its absence; with a
single user GAUC equals AUC; a user with equal labels changes only the coverage.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from models.errors import DataError

# Keras's epsilon, so that training loss and evaluation loss agree. Without it a single
# float32 score of exactly 1 with label 1 makes the mean NaN: 0 * log(0).
_EPSILON = 1e-7

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class GroupedAuc:
    """GAUC of a set of impressions, and the share of them that it covers.

    Attributes:
        gauc: In [0, 1]; NaN if no user qualifies.
        coverage: Share of the impressions that belong to qualifying users, in [0, 1];
            NaN without impressions.
        num_users: Number of users with an impression, qualifying or not.
        num_qualifying: Number of users with both labels.
    """

    gauc: float
    coverage: float
    num_users: int
    num_qualifying: int


def grouped_auc(
    users: npt.ArrayLike,
    scores: npt.ArrayLike,
    labels: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
) -> GroupedAuc:
    """Returns the impression-weighted mean of per-user AUC.

    The AUC of user u is the weighted Mann-Whitney statistic

    `sum_{i in pos(u), j in neg(u)} w_i w_j (1[s_i > s_j] + 1[s_i = s_j] / 2)
    / (W_pos(u) W_neg(u))`

    and its weight in the mean is `W_pos(u) + W_neg(u)`. Users without both labels are
    excluded from the mean. Impressions without a user never qualify but count in the
    coverage. Unweighted results are independent of the order of the impressions to the
    last bit: pairs are counted in half-integers, which float64 represents exactly up to
    2^52, and the mean over users is summed exactly.

    Args:
        users: Ids, shape (N,). Text or bytes, where None or "" is missing; or
            integers, where a negative one is missing.
        scores: Finite numbers, shape (N,).
        labels: 0 or 1, shape (N,).
        weights: Non-negative and finite, shape (N,). Defaults to one each.

    Returns:
        GAUC, coverage and the number of users.

    Raises:
        DataError: If lengths differ or values are invalid.
    """
    per_user = user_aucs(users, scores, labels, weights)
    _, _, weight = check_columns(scores, labels, weights)
    total = math.fsum(weight.tolist())
    coverage = 0.0 if total > 0 else math.nan
    num_users = len(per_user.users)
    both = ~np.isnan(per_user.aucs)
    num_qualifying = int(np.count_nonzero(both))
    if num_qualifying == 0:
        return GroupedAuc(math.nan, coverage, num_users, 0)
    impressions = per_user.impressions[both]
    qualifying = math.fsum(impressions.tolist())
    gauc = math.fsum((impressions * per_user.aucs[both]).tolist()) / qualifying
    return GroupedAuc(gauc, qualifying / total, num_users, num_qualifying)


@dataclass(frozen=True)
class UserAucs:
    """AUC of each user with an impression.

    Attributes:
        users: User codes, see `user_codes`, ascending.
        aucs: AUC of each user; NaN without both labels.
        impressions: Sum of each user's weights.
    """

    users: Codes
    aucs: Floats
    impressions: Floats


def user_aucs(
    users: npt.ArrayLike,
    scores: npt.ArrayLike,
    labels: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
) -> UserAucs:
    """Returns each user's AUC; see `grouped_auc` for the arguments and errors."""
    score, label, weight = check_columns(scores, labels, weights)
    code = user_codes(users)
    _check_length("users", len(code), len(score))
    rows = np.flatnonzero((code >= 0) & (weight > 0))
    if len(rows) == 0:
        return UserAucs(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))

    rows = rows[np.lexsort((score[rows], code[rows]))]
    code, score = code[rows], score[rows]
    label, weight = label[rows], weight[rows]
    # Impressions -> ties (same user and score) -> users, each given by its first index.
    new_user = code[1:] != code[:-1]
    tie_starts = _starts(new_user | (score[1:] != score[:-1]))
    first_rows = _starts(new_user)
    user_starts = np.searchsorted(tie_starts, first_rows)
    positive = np.add.reduceat(weight * label, tie_starts)
    negative = np.add.reduceat(weight * (1 - label), tie_starts)
    below = np.cumsum(negative) - negative  # negatives before the tie, all users
    sizes = np.diff(np.append(user_starts, len(tie_starts)))
    below -= np.repeat(below[user_starts], sizes)  # the same user's only
    won = np.add.reduceat(positive * (below + negative / 2), user_starts)
    user_positive = np.add.reduceat(positive, user_starts)
    user_negative = np.add.reduceat(negative, user_starts)

    aucs = np.full(len(won), math.nan)
    both = (user_positive > 0) & (user_negative > 0)
    aucs[both] = won[both] / (user_positive[both] * user_negative[both])
    return UserAucs(code[first_rows], aucs, user_positive + user_negative)


def auc(
    scores: npt.ArrayLike,
    labels: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
) -> float:
    """Returns the exact AUC of all impressions, NaN without both labels.

    The statistic of `grouped_auc` with all impressions from one user; see there for the
    arguments and errors.
    """
    everyone = np.zeros(len(np.asarray(scores)), np.int64)
    return grouped_auc(everyone, scores, labels, weights).gauc


def log_losses(scores: npt.ArrayLike, labels: npt.ArrayLike) -> Floats:
    """Returns the cross entropy of each impression in nats, same shape as `scores`.

    `-log(p)` for label 1 and `-log(1 - p)` for label 0, where p is the score clipped to
    [1e-7, 1 - 1e-7].

    Args:
        scores: Probabilities.
        labels: 0 or 1, same shape.
    """
    score = np.clip(np.asarray(scores, np.float64), _EPSILON, 1 - _EPSILON)
    return np.where(np.asarray(labels) > 0, -np.log(score), -np.log1p(-score))


def check_columns(
    scores: npt.ArrayLike, labels: npt.ArrayLike, weights: npt.ArrayLike | None
) -> tuple[Floats, Floats, Floats]:
    """Returns scores, labels and weights (default 1) as validated float arrays.

    Raises:
        DataError: If lengths differ or values are invalid.
    """
    score = np.asarray(scores, np.float64)
    label = np.asarray(labels, np.float64)
    weight = np.ones(len(score)) if weights is None else np.asarray(weights, np.float64)
    _check_length("labels", len(label), len(score))
    _check_length("weights", len(weight), len(score))
    _check_values(
        "score",
        score,
        np.isfinite(score),
        "a finite number",
        "the model has diverged or reads features it was not trained on; look at its "
        "training loss and export it again",
    )
    _check_values(
        "label",
        label,
        (label == 0) | (label == 1),
        "0 or 1",
        "map the logged outcome to 0 or 1 when the log is read",
    )
    _check_values(
        "weight",
        weight,
        np.isfinite(weight) & (weight >= 0),
        "a finite number that is not negative",
        "correct the column of example weights",
    )
    return score, label, weight


def _check_length(name: str, length: int, expected: int) -> None:
    if length != expected:
        raise DataError(
            f"{name} has {length:,} entries and scores has {expected:,}; expected one "
            "entry per impression in each; pass columns of the same impressions"
        )


def _check_values(
    name: str, values: Floats, good: npt.NDArray[np.bool_], expected: str, fix: str
) -> None:
    bad = np.flatnonzero(~good)
    if len(bad):
        raise DataError(
            f"{name} {values[bad[0]]} in {len(bad):,} of {len(values):,} evaluated "
            f"impressions; expected {expected}; {fix}"
        )


def user_codes(users: npt.ArrayLike) -> Codes:
    """Returns an integer code per user, -1 without a user."""
    values = np.asarray(users)
    if values.dtype.kind in "iu":
        return np.maximum(values.astype(np.int64), -1)
    # Arrow, not np.unique: fixed-width NumPy strings drop trailing zero bytes.
    ids: Any = pa.array(np.asarray(users, object), from_pandas=True)
    if pa.types.is_null(ids.type):
        return np.full(len(ids), -1, np.int64)
    if not (pa.types.is_string(ids.type) or pa.types.is_binary(ids.type)):
        raise DataError(
            f"user ids have type {ids.type}; expected text, bytes or integers; "
            "convert the column"
        )
    encoded = ids.dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    nobody = [
        code for code, user in enumerate(encoded.dictionary.to_pylist()) if not user
    ]
    return np.where(np.isin(codes, nobody), -1, codes).astype(np.int64)


def _starts(changes: npt.NDArray[np.bool_]) -> Codes:
    """Returns the starts of runs, given whether entry i + 1 differs from entry i."""
    return np.concatenate([[0], np.flatnonzero(changes) + 1]).astype(np.int64)
