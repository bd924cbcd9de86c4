"""Measurement of models on the same impressions: metrics, differences, gap."""

from __future__ import annotations

import math
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from components.evaluation.bootstrap import REPLICATES
from components.evaluation.bootstrap import Difference
from components.evaluation.bootstrap import interval
from components.evaluation.bootstrap import paired_draws
from components.evaluation.metrics import COMPARED
from components.evaluation.ranking import Floats
from components.evaluation.ranking import auc
from components.evaluation.ranking import grouped_auc
from components.evaluation.ranking import log_losses
from models.errors import DataError
from pipeline.report.scoring import Scored

_GAUC = COMPARED.index("gauc")
# No strategy can have this name.
_ORACLE = ""


@dataclass(frozen=True)
class Measured:
    """Metrics of a model over seeds, and its differences to other models.

    Attributes:
        name: The strategy or variant.
        by_seed: Its `COMPARED` of each seed, in the order of the seeds.
        differences: Model minus baseline, by metric; empty for the baseline itself.
        gap_share: `(GAUC - GAUC of the baseline) / (GAUC of the oracle - GAUC of the
            baseline)`; None for the baseline and where no oracle is known.
        behind_best: GAUC minus that of the model with the highest one; None for that
            model itself, and where no model has a GAUC.
    """

    name: str
    by_seed: tuple[Mapping[str, float], ...]
    differences: Mapping[str, Difference]
    gap_share: Difference | None = None
    behind_best: Difference | None = None

    @property
    def metrics(self) -> dict[str, float]:
        """Means over the seeds."""
        return {
            metric: float(np.mean([values[metric] for values in self.by_seed]))
            for metric in COMPARED
        }

    @property
    def spread(self) -> dict[str, float]:
        """Standard deviations over the seeds; NaN with a single one."""
        if len(self.by_seed) < 2:
            return dict.fromkeys(COMPARED, math.nan)
        return {
            metric: float(np.std([values[metric] for values in self.by_seed], ddof=1))
            for metric in COMPARED
        }


@dataclass(frozen=True)
class Measurement:
    """Models on the same impressions.

    Attributes:
        rows: Number of impressions.
        clicks: Those with label 1.
        users: Number of users.
        coverage: Share of impressions that GAUC covers.
        models: In the order in which they were given.
        oracle: `COMPARED` of the true click probabilities, where they are known.
    """

    rows: int
    clicks: int
    users: int
    coverage: float
    models: tuple[Measured, ...]
    oracle: Mapping[str, float] | None


def measure(
    scored: Mapping[str, Sequence[Scored]],
    baseline: str,
    *,
    oracle: npt.ArrayLike | None = None,
    replicates: int = REPLICATES,
) -> Measurement:
    """Measures each model, its difference to `baseline` and to the best one.

    All intervals are paired 95 % intervals over users and seeds, from the same draws.

    Args:
        scored: Scores by model and then by seed.
        baseline: The model that the others are compared with.
        oracle: The true click probabilities, shape (N,).
        replicates: Bootstrap draws.

    Raises:
        DataError: The models were not scored on the same impressions or seeds.
    """
    users, labels = _rows_of(scored)
    models: dict[str, list[npt.ArrayLike]] = {
        name: [one.scores for one in by_seed] for name, by_seed in scored.items()
    }
    contestants = dict(models)
    if oracle is not None:
        contestants[_ORACLE] = [oracle] * len(models[baseline])
    draws = paired_draws(users, labels, contestants, replicates=replicates)
    best = _best(draws, list(models))
    grouped = grouped_auc(users, models[baseline][0], labels)
    return Measurement(
        rows=len(labels),
        clicks=int(np.sum(labels)),
        users=grouped.num_users,
        coverage=grouped.coverage,
        models=tuple(
            Measured(
                name=name,
                by_seed=tuple(_metrics(users, labels, one) for one in by_seed),
                differences={}
                if name == baseline
                else _differences(draws[name], draws[baseline]),
                gap_share=None
                if name == baseline or oracle is None
                else gap_share(draws[name], draws[baseline], draws[_ORACLE]),
                behind_best=None
                if best in (None, name)
                else interval((draws[name] - draws[str(best)])[:, _GAUC]),
            )
            for name, by_seed in models.items()
        ),
        oracle=None if oracle is None else _metrics(users, labels, oracle),
    )


def gap_share(ours: Floats, baseline: Floats, oracle: Floats) -> Difference:
    """Returns the share of the reachable gap in GAUC that a model closes.

    `(GAUC - GAUC of the baseline) / (GAUC of the oracle - GAUC of the baseline)`: 0 is
    the baseline, 1 the oracle. Draws in which the oracle is not above the baseline are
    left out; if it is not above on the data themselves, the share is NaN.

    Args:
        ours: Draws of the model, see `paired_draws`.
        baseline: Draws of the baseline.
        oracle: Draws of the oracle.
    """
    gap = (oracle - baseline)[:, _GAUC]
    reachable = np.where(gap > 0, gap, np.nan)
    return interval((ours - baseline)[:, _GAUC] / reachable)


def _rows_of(
    scored: Mapping[str, Sequence[Scored]],
) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.int64]]:
    """Returns users and labels, after checking that all models share them."""
    first = next(iter(scored.values()))[0]
    for name, by_seed in scored.items():
        for one in by_seed:
            same = len(one.labels) == len(first.labels) and (
                (one.labels == first.labels).all() and (one.users == first.users).all()
            )
            if not same:
                raise DataError(
                    f"{name!r} was scored on other rows ({len(one.labels):,}) than "
                    f"{next(iter(scored))!r} ({len(first.labels):,}); expected the "
                    "same rows in the same order; remove the `scores` folder and "
                    "compare again"
                )
    return first.users, first.labels


def _metrics(
    users: npt.ArrayLike, labels: npt.ArrayLike, scores: npt.ArrayLike
) -> dict[str, float]:
    return {
        "auc": auc(scores, labels),
        "gauc": grouped_auc(users, scores, labels).gauc,
        "log_loss": float(log_losses(scores, labels).mean()),
    }


def _differences(ours: Floats, theirs: Floats) -> dict[str, Difference]:
    return {
        metric: interval((ours - theirs)[:, column])
        for column, metric in enumerate(COMPARED)
    }


def _best(draws: Mapping[str, Floats], names: Sequence[str]) -> str | None:
    """Returns the model with the highest GAUC; None if none is defined."""
    known = {name: draws[name][0, _GAUC] for name in names}
    known = {name: value for name, value in known.items() if not math.isnan(value)}
    return max(known, key=lambda name: known[name]) if known else None
