"""Influence of each impression on AUC, GAUC and log loss: the metrics' derivatives.

With example weights `w_i`, all 1, the influence of row i on a metric M is
`dM / dw_i`. A bootstrap that redraws rows in clusters changes M by the sum of
`(draws - 1) * influence` to first order, so variances follow from sums of influences
over clusters and need no draws (the infinitesimal jackknife).

References:
    Efron, Nonparametric standard errors and confidence intervals, 1981 (the
    infinitesimal jackknife); DeLong et al., Biometrics 1988 (the same for AUC).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from components.evaluation.metrics import COMPARED
from components.evaluation.ranking import Codes
from components.evaluation.ranking import Floats
from components.evaluation.ranking import check_columns
from components.evaluation.ranking import log_losses


@dataclass(frozen=True)
class Influences:
    """Metrics of one model's scores, and what each row contributes.

    Attributes:
        values: `COMPARED`, shape (len(COMPARED),); NaN is undefined.
        rows: Influences, shape (N, len(COMPARED)); each column sums to 0.
    """

    values: Floats
    rows: Floats


def influences(
    codes: Codes, labels: npt.ArrayLike, scores: npt.ArrayLike
) -> Influences:
    """Returns a model's metrics with the influence of each row.

    Args:
        codes: `user_codes`, negative without a user, shape (N,).
        labels: 0 or 1, shape (N,).
        scores: Click probabilities, shape (N,).

    Raises:
        DataError: The columns do not fit together or hold other values.
    """
    score, label, _ = check_columns(scores, labels, None)
    clicked = label > 0
    losses = log_losses(score, label)
    loss = float(losses.mean()) if len(losses) else np.nan
    columns = {
        "auc": _auc(clicked, score),
        "gauc": _gauc(codes, clicked, score),
        "log_loss": (loss, (losses - loss) / max(len(losses), 1)),
    }
    values, rows = zip(*(columns[name] for name in COMPARED), strict=True)
    return Influences(np.array(values), np.stack(rows, axis=1))


def _auc(clicked: npt.NDArray[np.bool_], score: Floats) -> tuple[float, Floats]:
    everyone = np.zeros(len(score), np.int64)
    value, wins, sizes = _user_wins(everyone, clicked, score)
    if not len(value) or np.isnan(value[0]):
        return np.nan, np.zeros(len(score))
    return float(value[0]), (wins - value[0]) / sizes


def _gauc(
    codes: Codes, clicked: npt.NDArray[np.bool_], score: Floats
) -> tuple[float, Floats]:
    rows = np.zeros(len(score))
    known = np.flatnonzero(codes >= 0)
    users = np.unique(codes[known], return_inverse=True)[1].astype(np.int64)
    aucs, wins, sizes = _user_wins(users, clicked[known], score[known])
    both = ~np.isnan(aucs[users]) if len(users) else np.zeros(0, np.bool_)
    known, users = known[both], users[both]
    if not len(known):
        return np.nan, rows
    impressions = np.bincount(users, minlength=len(aucs))
    value = float(aucs[users].mean())
    # A user's weight in the mean is its rows, so a row moves weight and AUC both.
    moved = impressions[users] * (wins[both] - aucs[users]) / sizes[both]
    rows[known] = (aucs[users] - value + moved) / len(known)
    return value, rows


def _user_wins(
    users: Codes, clicked: npt.NDArray[np.bool_], score: Floats
) -> tuple[Floats, Floats, Floats]:
    """Compares each row with the rows of its user that have the other label.

    Returns:
        AUC by user, NaN without both labels; by row the share of comparisons in which
        the click scores higher, ties one half; by row the user's rows of its label.
    """
    count = int(users.max(initial=-1)) + 1
    ranks = np.unique(score, return_inverse=True)[1].astype(np.int64)
    width = int(ranks.max(initial=0)) + 1
    keys = users * width + ranks
    sizes = np.stack(
        [np.bincount(users[clicked == kind], minlength=count) for kind in (False, True)]
    )
    above = np.empty(len(score))
    for kind in (False, True):
        own, other = clicked == kind, np.sort(keys[clicked != kind])
        start = np.searchsorted(other, users[own] * width)
        below = np.searchsorted(other, keys[own]) - start
        upto = np.searchsorted(other, keys[own], side="right") - start
        above[own] = (below + upto) / 2
    own_size = sizes[clicked.astype(np.int64), users].astype(np.float64)
    other_size = sizes[1 - clicked.astype(np.int64), users]
    shares = np.divide(
        above, other_size, out=np.full(len(score), np.nan), where=other_size > 0
    )
    wins = np.where(clicked, shares, 1 - shares)
    total = np.bincount(users, np.where(clicked, wins, 0.0), count)
    aucs = np.full(count, np.nan)
    np.divide(total, sizes[1], out=aucs, where=(sizes > 0).all(axis=0))
    return aucs, wins, own_size
