"""Is one model better than another? A paired bootstrap over users.

Both models score the same rows. Users are drawn with replacement, with all their rows,
because the rows of one user are no independent evidence; both models are measured on
the same draw, so what makes a draw easy or hard falls out of the difference. Models
that were trained on several seeds are paired seed by seed, and the seeds are drawn too.
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
    """A number with its interval: how much a model's metric is above another's.

    Attributes:
        value: On all rows, mean over seeds.
        low: Lower end of the interval.
        high: Upper end.
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
    """Measures models on the same draws of users and seeds, for any contrast of them.

    Args:
        users: Ids, shape (N,), as `grouped_auc` takes them; a row without a user is
            drawn on its own.
        labels: 0 or 1, shape (N,).
        models: Scores by model and training seed, each of shape (N,). A model that no
            seed changes may have the same array several times; it is measured once.
        replicates: Number of draws.
        seed: Seed of the draws.

    Returns:
        By model its `COMPARED`, means over the drawn seeds, shape (1 + replicates,
        len(COMPARED)); the first row is the data as they are, and NaN is undefined.

    Raises:
        DataError: The columns do not fit together, or the seeds do not.
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
    """Returns the percentile interval of a number, given its value on all rows first.

    Args:
        draws: Shape (1 + replicates,); draws that are NaN are left out.
        level: Share of the draws inside the interval.

    Returns:
        All three NaN if the number is undefined on all rows or in every draw.
    """
    defined = draws[1:][~np.isnan(draws[1:])]
    if np.isnan(draws[0]) or not len(defined):
        return Difference(np.nan, np.nan, np.nan)
    tail = (1 - level) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return Difference(float(draws[0]), float(low), float(high))
