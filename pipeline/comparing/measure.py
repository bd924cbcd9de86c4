"""Measurement of models on the same impressions: metrics, differences, gap."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from components.evaluation.differences import Difference
from components.evaluation.differences import crossings
from components.evaluation.differences import holm
from components.evaluation.influence import influences
from components.evaluation.metrics import COMPARED
from components.evaluation.metrics import RESAMPLED
from components.evaluation.model_metrics import metrics_of
from components.evaluation.ranking import grouped_auc
from components.evaluation.ranking import user_codes
from models.errors import DataError
from pipeline.comparing.limits import LEAST_SEEDS
from pipeline.comparing.seeds import AUC
from pipeline.comparing.seeds import GAUC
from pipeline.comparing.seeds import Seeds
from pipeline.comparing.seeds import best
from pipeline.comparing.seeds import gap_share
from pipeline.report.scoring import Scored

# Key of the AUC minus that of the best reference, beside keys of metrics.
_OVER_REFERENCE = "over reference"


@dataclass(frozen=True)
class Measured:
    """Metrics of a model over seeds, and its differences to other models.

    Attributes:
        name: The strategy or variant.
        by_seed: Its `RESAMPLED` metrics of each seed, in the order of the seeds.
        differences: Model minus baseline, by metric; empty for the baseline itself.
        gap_share: `(GAUC - GAUC of the baseline) / (GAUC of the oracle - GAUC of the
            baseline)`; None for the baseline and where no oracle is known.
        behind_best: GAUC minus that of the model with the highest one; None for that
            model itself, and where no model has a GAUC.
        over_reference: AUC minus that of the best reference; None without references.
        wins: Whether AUC is above the baseline's and the best reference's, both told
            apart by Holm's adjusted p-values, over at least `LEAST_SEEDS` seeds.
    """

    name: str
    by_seed: tuple[Mapping[str, float], ...]
    differences: Mapping[str, Difference]
    gap_share: Difference | None = None
    behind_best: Difference | None = None
    over_reference: Difference | None = None
    wins: bool = False

    @property
    def metrics(self) -> dict[str, float]:
        """Means over the seeds."""
        return {
            metric: float(
                np.mean([values.get(metric, math.nan) for values in self.by_seed])
            )
            for metric in RESAMPLED
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
        references: Simple models alike, each with its differences to the baseline.
        best_reference: The one with the highest AUC; empty without any.
        oracle: `COMPARED` of the true click probabilities, where they are known.
    """

    rows: int
    clicks: int
    users: int
    coverage: float
    models: tuple[Measured, ...]
    references: tuple[Measured, ...]
    best_reference: str
    oracle: Mapping[str, float] | None


def measure(
    scored: Mapping[str, Sequence[Scored]],
    baseline: str,
    *,
    oracle: Sequence[npt.ArrayLike] | None = None,
    references: Mapping[str, Sequence[npt.ArrayLike]] | None = None,
) -> Measurement:
    """Measures each model, its differences to the baseline and to the best reference.

    All intervals are paired 95 % intervals with seeds, users and items as random
    effects; p-values are adjusted for all differences together. Seeds may have rows of
    their own, such as other negatives or another month.

    Args:
        scored: Scores by model and then by seed.
        baseline: The model that the others are compared with.
        oracle: The true click probabilities of each seed's rows, shape (N,); one array
            if all seeds have the same rows.
        references: Click probabilities of simple models by name, alike.

    Raises:
        DataError: The models were not scored on the same impressions or seeds.
    """
    simple = references or {}
    rows = _same_rows(scored, simple)
    table = _Table(rows, scored, simple, baseline, oracle)
    counts = [
        grouped_auc(one.users, scores.scores, one.labels)
        for one, scores in zip(rows, scored[baseline], strict=False)
    ]
    sizes = [len(one.labels) for one in rows]
    return Measurement(
        rows=sum(sizes),
        clicks=int(sum(np.sum(one.labels) for one in rows)),
        users=counts[0].num_users if len(rows) == 1 else _distinct(rows),
        coverage=float(np.average([one.coverage for one in counts], weights=sizes)),
        models=tuple(
            table.measured(name, [one.scores for one in by_seed])
            for name, by_seed in scored.items()
        ),
        references=tuple(
            table.measured(name, scores) for name, scores in simple.items()
        ),
        best_reference=table.best_reference or "",
        oracle=None if oracle is None else table.means(oracle),
    )


class _Table:
    """All models of a table on the same rows, with their adjusted differences.

    Attributes:
        best_reference: The reference with the highest AUC; None without any.
    """

    def __init__(
        self,
        rows: Sequence[Scored],
        scored: Mapping[str, Sequence[Scored]],
        references: Mapping[str, Sequence[npt.ArrayLike]],
        baseline: str,
        oracle: Sequence[npt.ArrayLike] | None,
    ) -> None:
        # One set of rows counts for all seeds.
        seeds = len(scored[baseline])
        self._rows = [*rows] * (seeds if len(rows) == 1 else 1)
        items = [one.items for one in rows if one.items is not None]
        grouped = crossings(
            [one.users for one in rows], items if len(items) == len(rows) else None
        )
        self._grouped = grouped * (seeds if len(rows) == 1 else 1)
        self._codes = [user_codes(one.users) for one in rows] * (
            seeds if len(rows) == 1 else 1
        )
        self._baseline = baseline
        self._models = {
            name: self._seeds_of([one.scores for one in by_seed])
            for name, by_seed in scored.items()
        }
        self._references = {
            name: self._seeds_of(scores) for name, scores in references.items()
        }
        self._oracle = None if oracle is None else self._seeds_of(oracle)
        self._best = best(self._models, GAUC)
        self.best_reference = best(self._references, AUC)
        self._judged = self._differences()

    def means(self, columns: Sequence[npt.ArrayLike]) -> dict[str, float]:
        """Returns metrics of scores by seed, their means over seeds."""
        found = self._metrics(columns)
        return {n: float(np.mean([one[n] for one in found])) for n in found[0]}

    def measured(self, name: str, columns: Sequence[npt.ArrayLike]) -> Measured:
        """Returns a model or reference of the table, given its scores by seed."""
        own = {metric: self._judged.get((name, metric)) for metric in COMPARED}
        differences = {metric: one for metric, one in own.items() if one is not None}
        over_reference = self._judged.get((name, _OVER_REFERENCE))
        model, plain = self._models.get(name), self._models[self._baseline]
        share = behind = None
        if model is not None and self._oracle is not None and name != self._baseline:
            share = gap_share(model, plain, self._oracle, self._grouped)
        if model is not None and self._best not in (None, name):
            highest = self._models[str(self._best)]
            behind = (model - highest).interval(GAUC, self._grouped)
        return Measured(
            name=name,
            by_seed=tuple(self._metrics(columns)),
            differences=differences,
            gap_share=share,
            behind_best=behind,
            over_reference=over_reference,
            wins=len(columns) >= LEAST_SEEDS
            and _above(differences.get("auc"))
            and _above(over_reference),
        )

    def _metrics(self, columns: Sequence[npt.ArrayLike]) -> list[dict[str, float]]:
        return [
            _metrics(one.users, one.labels, scores)
            for one, scores in zip(self._rows, columns, strict=False)
        ]

    def _seeds_of(self, columns: Sequence[npt.ArrayLike]) -> Seeds:
        found = [
            influences(codes, one.labels, column)
            for codes, one, column in zip(
                self._codes, self._rows, columns, strict=False
            )
        ]
        return Seeds(
            np.stack([one.values for one in found]), tuple(one.rows for one in found)
        )

    def _differences(self) -> dict[tuple[str, str], Difference]:
        """Returns all differences of the table, by model and metric."""
        plain, found = self._models[self._baseline], {}
        for name, one in {**self._models, **self._references}.items():
            if name == self._baseline:
                continue
            for column, metric in enumerate(COMPARED):
                apart = (one - plain).interval(column, self._grouped)
                found[name, metric] = apart
        if self.best_reference is not None:
            simple = self._references[self.best_reference]
            for name, one in self._models.items():
                above = (one - simple).interval(AUC, self._grouped)
                found[name, _OVER_REFERENCE] = above
        # One training knows nothing of its luck, so nothing is told apart.
        return _adjusted(found) if len(plain.values) > 1 else found


def _above(one: Difference | None) -> bool:
    return one is not None and one.told_apart and one.value > 0


def _adjusted(
    found: Mapping[tuple[str, str], Difference],
) -> dict[tuple[str, str], Difference]:
    """Returns differences with p-values adjusted for all of them together."""
    adjusted = holm({key: one.p_value for key, one in found.items()})
    return {
        key: dataclasses.replace(one, adjusted=adjusted[key])
        for key, one in found.items()
    }


def _same_rows(
    scored: Mapping[str, Sequence[Scored]],
    references: Mapping[str, Sequence[npt.ArrayLike]],
) -> list[Scored]:
    """Returns the rows of each seed, or of all, after checking that models share them.

    Returns:
        One model's scores of each seed; a single one if the rows are the same.
    """
    counts = {len(by_seed): name for name, by_seed in scored.items()}
    if len(counts) > 1 or 0 in counts:
        seeds = " and ".join(f"{n} seeds of {name}" for n, name in counts.items())
        raise DataError(
            f"received {seeds}; expected the same number of each model, at least one; "
            "train all on the same seeds"
        )
    first = [*next(iter(scored.values()))]
    for name, by_seed in scored.items():
        for one, other in zip(by_seed, first, strict=True):
            if not _alike(one, other):
                raise DataError(
                    f"{name!r} was scored on other rows ({len(one.labels):,}) than "
                    f"{next(iter(scored))!r} ({len(other.labels):,}); expected the "
                    "same rows in the same order; remove the `scores` folder and "
                    "compare again"
                )
    for name, scores in references.items():
        for column, other in zip(scores, first, strict=False):
            if len(np.asarray(column)) != len(other.labels):
                raise DataError(
                    f"reference {name!r} has {len(np.asarray(column)):,} scores and "
                    f"the models {len(other.labels):,}; expected one for each row; "
                    "remove the `scores` folder and compare again"
                )
    return first[:1] if all(_alike(one, first[0]) for one in first) else first


def _alike(one: Scored, other: Scored) -> bool:
    """Whether two models were scored on the same rows."""
    return len(one.labels) == len(other.labels) and bool(
        (one.labels == other.labels).all() and (one.users == other.users).all()
    )


def _distinct(rows: Sequence[Scored]) -> int:
    """Returns the number of users of all seeds."""
    return len({user for one in rows for user in one.users.tolist()})


def _metrics(
    users: npt.ArrayLike, labels: npt.ArrayLike, scores: npt.ArrayLike
) -> dict[str, float]:
    found = metrics_of(users, labels, scores)
    return {metric: found[metric] for metric in RESAMPLED}
