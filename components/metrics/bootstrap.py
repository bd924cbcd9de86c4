"""Is one model better than another? A paired bootstrap over users.

Both models score the same rows. Users are drawn with replacement, with all their rows,
because the rows of one user are no independent evidence; both models are measured on
the same draw, so what makes a draw easy or hard falls out of the difference. Models
that were trained on several seeds are paired seed by seed, and the seeds are drawn too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from components.metrics.logic import Floats
from components.metrics.logic import user_codes
from components.metrics.resampling import Resampled
from components.metrics.resampling import user_clusters
from models.errors import DataError

# The first of `resampling.METRICS`.
METRICS = ("auc", "gauc", "log_loss")
# The 2.5 % quantile of 1,000 draws rests on 25 of them.
REPLICATES = 1_000


@dataclass(frozen=True)
class Difference:
    """How much a model's metric is above another's.

    Attributes:
        value: Mean over seeds of the difference on all rows.
        low: Lower end of the interval.
        high: Upper end.
    """

    value: float
    low: float
    high: float


def paired_bootstrap(
    users: npt.ArrayLike,
    labels: npt.ArrayLike,
    scores: Sequence[npt.ArrayLike],
    baseline: Sequence[npt.ArrayLike],
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, Difference]:
    """Returns the difference of each of `METRICS` with its percentile interval.

    Draws on which a metric is undefined, such as those without a click, are left out;
    if it is undefined on all rows, all three numbers are NaN.

    Args:
        users: Ids, shape (N,), as `grouped_auc` takes them; a row without a user is
            drawn on its own.
        labels: 0 or 1, shape (N,).
        scores: The model's scores by training seed, each of shape (N,).
        baseline: The other model's, on the same seeds and rows.
        replicates: Number of draws.
        seed: Seed of the draws.
        level: Share of the draws inside the interval.

    Raises:
        DataError: The columns do not fit together, or the seeds do not.
    """
    if len(scores) != len(baseline) or not scores:
        raise DataError(
            f"{len(scores)} seeds of the model and {len(baseline)} of the one it is "
            "compared with; expected the same number, at least one; train both on "
            "the same seeds"
        )
    codes = user_codes(users)
    clusters = user_clusters(codes)
    pairs = [
        tuple(Resampled(codes, clusters, labels, column) for column in pair)
        for pair in zip(scores, baseline, strict=True)
    ]
    num_clusters = int(clusters.max(initial=-1)) + 1
    rng = np.random.default_rng(seed)
    # The first row is the data as they are.
    draws = np.empty((1 + replicates, len(METRICS)))
    for draw in range(1 + replicates):
        chosen, counts = [*range(len(pairs))], np.ones(num_clusters)
        if draw:
            chosen = rng.integers(len(pairs), size=len(pairs)).tolist()
            counts = rng.multinomial(
                num_clusters, np.full(num_clusters, 1 / num_clusters)
            ).astype(np.float64)
        by_seed = {i: pairs[i][0](counts) - pairs[i][1](counts) for i in {*chosen}}
        draws[draw] = np.mean([by_seed[i] for i in chosen], axis=0)[: len(METRICS)]
    tail = (1 - level) / 2
    return {
        metric: _difference(draws[:, column], tail)
        for column, metric in enumerate(METRICS)
    }


def _difference(draws: Floats, tail: float) -> Difference:
    defined = draws[1:][~np.isnan(draws[1:])]
    if np.isnan(draws[0]) or not len(defined):
        return Difference(np.nan, np.nan, np.nan)
    low, high = np.quantile(defined, [tail, 1 - tail])
    return Difference(float(draws[0]), float(low), float(high))
