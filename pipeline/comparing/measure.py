"""Measurement of models on the same impressions: metrics, differences, gap."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from components.evaluation.differences import Crossing
from components.evaluation.differences import Difference
from components.evaluation.differences import crossing
from components.evaluation.differences import difference
from components.evaluation.differences import holm
from components.evaluation.influence import influences
from components.evaluation.metrics import COMPARED
from components.evaluation.metrics import RESAMPLED
from components.evaluation.model_metrics import metrics_of
from components.evaluation.ranking import Floats
from components.evaluation.ranking import grouped_auc
from components.evaluation.ranking import user_codes
from models.errors import DataError
from pipeline.report.scoring import Scored

_GAUC, _AUC = COMPARED.index("gauc"), COMPARED.index("auc")
# Key of the AUC minus that of the best reference, beside keys of metrics.
_OVER_REFERENCE = "over reference"
# Fewer trainings say too little of the luck of a training to count a win.
LEAST_SEEDS = 10


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


@dataclass(frozen=True)
class _Seeds:
    """Metrics of a model over seeds, with the influence of each row.

    A model that no seed changes has one; it counts as the same on all seeds.

    Attributes:
        values: `COMPARED`, shape (S, len(COMPARED)).
        rows: Influences, shape (S, N, len(COMPARED)).
    """

    values: Floats
    rows: Floats

    def __sub__(self, other: _Seeds) -> _Seeds:
        return _Seeds(self.values - other.values, self.rows - other.rows)

    def interval(self, column: int, grouped: Crossing) -> Difference:
        """Returns the mean over seeds of one metric, with its interval."""
        return difference(self.values[:, column], self.rows[:, :, column], grouped)


def measure(
    scored: Mapping[str, Sequence[Scored]],
    baseline: str,
    *,
    oracle: npt.ArrayLike | None = None,
    references: Mapping[str, npt.ArrayLike] | None = None,
) -> Measurement:
    """Measures each model, its differences to the baseline and to the best reference.

    All intervals are paired 95 % intervals with seeds, users and items as random
    effects; p-values are adjusted for all differences together.

    Args:
        scored: Scores by model and then by seed.
        baseline: The model that the others are compared with.
        oracle: The true click probabilities, shape (N,).
        references: Click probabilities of simple models by name, shape (N,) each.

    Raises:
        DataError: The models were not scored on the same impressions or seeds.
    """
    simple = references or {}
    table = _Table(_same_rows(scored, simple), scored, simple, baseline, oracle)
    users, labels = table.users, table.labels
    counts = grouped_auc(users, scored[baseline][0].scores, labels)
    return Measurement(
        rows=len(labels),
        clicks=int(np.sum(labels)),
        users=counts.num_users,
        coverage=counts.coverage,
        models=tuple(
            table.measured(name, [one.scores for one in by_seed])
            for name, by_seed in scored.items()
        ),
        references=tuple(
            table.measured(name, [scores]) for name, scores in simple.items()
        ),
        best_reference=table.best_reference or "",
        oracle=None if oracle is None else _metrics(users, labels, oracle),
    )


class _Table:
    """All models of a table on the same rows, with their adjusted differences.

    Attributes:
        users: Raw user ids of the rows.
        labels: 0 or 1.
        best_reference: The reference with the highest AUC; None without any.
    """

    def __init__(
        self,
        rows: Scored,
        scored: Mapping[str, Sequence[Scored]],
        references: Mapping[str, npt.ArrayLike],
        baseline: str,
        oracle: npt.ArrayLike | None,
    ) -> None:
        self.users, self.labels = rows.users, rows.labels
        self._codes = user_codes(rows.users)
        self._grouped = crossing(rows.users, rows.items)
        self._baseline = baseline
        self._models = {
            name: self._seeds_of([one.scores for one in by_seed])
            for name, by_seed in scored.items()
        }
        self._references = {
            name: self._seeds_of([scores]) for name, scores in references.items()
        }
        self._oracle = None if oracle is None else self._seeds_of([oracle])
        self._best = _best(self._models, _GAUC)
        self.best_reference = _best(self._references, _AUC)
        self._judged = self._differences()

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
            best = self._models[str(self._best)]
            behind = (model - best).interval(_GAUC, self._grouped)
        return Measured(
            name=name,
            by_seed=tuple(_metrics(self.users, self.labels, one) for one in columns),
            differences=differences,
            gap_share=share,
            behind_best=behind,
            over_reference=over_reference,
            wins=len(columns) >= LEAST_SEEDS
            and _above(differences.get("auc"))
            and _above(over_reference),
        )

    def _seeds_of(self, columns: Sequence[npt.ArrayLike]) -> _Seeds:
        found = [influences(self._codes, self.labels, column) for column in columns]
        return _Seeds(
            np.stack([one.values for one in found]),
            np.stack([one.rows for one in found]),
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
            best = self._references[self.best_reference]
            for name, one in self._models.items():
                above = (one - best).interval(_AUC, self._grouped)
                found[name, _OVER_REFERENCE] = above
        # One training knows nothing of its luck, so nothing is told apart.
        return _adjusted(found) if len(plain.values) > 1 else found


def gap_share(
    ours: _Seeds, baseline: _Seeds, oracle: _Seeds, grouped: Crossing
) -> Difference:
    """Returns the share of the reachable gap in GAUC that a model closes.

    `(GAUC - GAUC of the baseline) / (GAUC of the oracle - GAUC of the baseline)`: 0 is
    the baseline, 1 the oracle; its interval is that of the ratio's linearisation. If
    the oracle is not above the baseline, the share is NaN.

    Args:
        ours: The model.
        baseline: The baseline.
        oracle: The oracle.
        grouped: The rows' groups.
    """
    closed, gap = (one - baseline for one in (ours, oracle))
    reachable = float(gap.values[:, _GAUC].mean())
    if not reachable > 0:
        return Difference(math.nan, math.nan, math.nan)
    share = float(closed.values[:, _GAUC].mean()) / reachable
    left = (closed.values - share * gap.values)[:, _GAUC] / reachable
    rows = (closed.rows - share * gap.rows)[:, :, _GAUC] / reachable
    return difference(share + left, rows, grouped)


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
    scored: Mapping[str, Sequence[Scored]], references: Mapping[str, npt.ArrayLike]
) -> Scored:
    """Returns one model's rows, after checking that all share them, and the seeds."""
    counts = {len(by_seed): name for name, by_seed in scored.items()}
    if len(counts) > 1 or 0 in counts:
        seeds = " and ".join(f"{n} seeds of {name}" for n, name in counts.items())
        raise DataError(
            f"received {seeds}; expected the same number of each model, at least one; "
            "train all on the same seeds"
        )
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
    for name, scores in references.items():
        if len(np.asarray(scores)) != len(first.labels):
            raise DataError(
                f"reference {name!r} has {len(np.asarray(scores)):,} scores and the "
                f"models {len(first.labels):,}; expected one for each row; remove the "
                "`scores` folder and compare again"
            )
    return first


def _metrics(
    users: npt.ArrayLike, labels: npt.ArrayLike, scores: npt.ArrayLike
) -> dict[str, float]:
    found = metrics_of(users, labels, scores)
    return {metric: found[metric] for metric in RESAMPLED}


def _best(models: Mapping[str, _Seeds], column: int) -> str | None:
    """Returns the model with the highest mean; None if none is defined."""
    known = {name: float(one.values[:, column].mean()) for name, one in models.items()}
    known = {name: value for name, value in known.items() if not math.isnan(value)}
    return max(known, key=lambda name: known[name]) if known else None
