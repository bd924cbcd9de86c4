"""Paired bootstrap over users: whether one model is better than another.

Both models score the same impressions. Users are drawn with replacement, with all their
impressions, because impressions of one user are not independent; both models are
measured on the same draw, so that a draw's difficulty cancels in the difference. Models
trained with several seeds are paired by seed, and the seeds are drawn too.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from components.evaluation.metrics import COMPARED
from components.evaluation.ranking import Floats
from components.evaluation.ranking import user_codes
from components.evaluation.resampling import Resampled
from components.evaluation.resampling import user_clusters
from models.errors import DataError

# The 2.5 % quantile of 1,000 draws rests on 25 of them.
REPLICATES = 1_000


@dataclass(frozen=True)
class Difference:
    """Difference of a metric between two models, with its interval.

    Attributes:
        value: Difference on all impressions, mean over seeds.
        low: Lower end of the interval.
        high: Upper end of the interval.
    """

    value: float
    low: float
    high: float


def paired_draws(
    users: npt.ArrayLike,
    labels: npt.ArrayLike,
    models: Mapping[str, Sequence[npt.ArrayLike]],
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> dict[str, Floats]:
    """Measures models on the same draws of users and seeds, for any comparison.

    Args:
        users: Ids as in `grouped_auc`, shape (N,); an impression without a user is
            drawn on its own.
        labels: 0 or 1, shape (N,).
        models: Scores by model and training seed, each of shape (N,). A model that does
            not depend on the seed may repeat one array, which is measured once.
        replicates: Number of draws.
        seed: Seed of the draws.

    Returns:
        The metrics `COMPARED` by model, means over the drawn seeds, shape (1 +
        replicates, len(COMPARED)). The first entry is measured on the data themselves;
        NaN means undefined.

    Raises:
        DataError: Lengths differ, or the numbers of seeds do.
    """
    by_number = {len(scores): name for name, scores in models.items()}
    if len(by_number) != 1 or 0 in by_number:
        seeds = " and ".join(f"{n} seeds of {name}" for n, name in by_number.items())
        raise DataError(
            f"received {seeds}; expected the same number of each model, at least one; "
            "train all on the same seeds"
        )
    (num_seeds,) = by_number
    codes = user_codes(users)
    clusters = user_clusters(codes)
    measured = {
        id(column): Resampled(codes, clusters, labels, column)
        for scores in models.values()
        for column in scores
    }
    num_clusters = int(clusters.max(initial=-1)) + 1
    rng = np.random.default_rng(seed)
    draws = {name: np.empty((1 + replicates, len(COMPARED))) for name in models}
    for draw in range(1 + replicates):
        chosen, counts = [*range(num_seeds)], np.ones(num_clusters)
        if draw:
            chosen = rng.integers(num_seeds, size=num_seeds).tolist()
            counts = rng.multinomial(
                num_clusters, np.full(num_clusters, 1 / num_clusters)
            ).astype(np.float64)
        wanted = {id(scores[i]) for scores in models.values() for i in chosen}
        found = {key: measured[key](counts) for key in wanted}
        for name, scores in models.items():
            by_seed = [found[id(scores[i])] for i in chosen]
            draws[name][draw] = np.mean(by_seed, axis=0)[: len(COMPARED)]
    return draws


def interval(draws: Floats, level: float = 0.95) -> Difference:
    """Returns the percentile interval of a metric or a difference.

    Args:
        draws: Value on the data, then on each draw, shape (1 + replicates,); NaN draws
            are left out.
        level: Share of the draws inside the interval.

    Returns:
        NaN if the value is undefined on the data or in every draw.
    """
    defined = draws[1:][~np.isnan(draws[1:])]
    if np.isnan(draws[0]) or not len(defined):
        return Difference(np.nan, np.nan, np.nan)
    tail = (1 - level) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return Difference(float(draws[0]), float(low), float(high))
