"""Estimators of the references: scikit-learn, with its defaults unless tuned.

| reference      | what it reads                                                       |
| -------------- | ------------------------------------------------------------------- |
| `best_feature` | the count or rate that ranks the target's training rows best alone  |
| `logistic`     | one-hot ids and standardised numbers: `LogisticRegression`          |
| `logistic_by_domain` | as `logistic`, and the numbers once more for each domain      |
| `gbdt`         | counts and rates: `HistGradientBoostingClassifier`                  |

Counts enter linear models as `log(1 + count)`; a missing number is the training rows'
mean there, beside a column that says so. Trees take missing numbers as they are. An id
that no training row has adds nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from models.features.feature import DOMAIN_FEATURE
from models.references.rows import Columns
from models.references.rows import Floats
from models.references.rows import Rows
from models.references.settings import GbdtSettings
from models.references.settings import LogisticSettings

# Of one-hot ids: a tenth of lbfgs's iterations to the same optimum.
_SOLVER, _MOST_ITERATIONS = "newton-cg", 1_000
# Beside other work, OpenMP threads wait for each other: ten times slower on two cores.
_THREADS = 1


class Estimator(Protocol):
    """A fitted reference."""

    def predict(self, rows: Rows) -> Floats:
        """Returns click probabilities, shape (N,)."""


@dataclass(frozen=True)
class Constant:
    """One probability for every row: the click rate of the training rows."""

    rate: float

    def predict(self, rows: Rows) -> Floats:
        """Returns the rate for each row."""
        return np.full(len(rows), self.rate)


@dataclass(frozen=True)
class Scaling:
    """Standardised numbers, and where they are missing.

    Attributes:
        columns: Which numbers.
        mean: Of each on the training rows, missing ones left out.
        scale: Standard deviation alike; 1 for a constant.
        flagged: Which numbers were missing in a training row.
    """

    columns: Columns
    mean: Floats
    scale: Floats
    flagged: npt.NDArray[np.bool_]

    @classmethod
    def fit(cls, rows: Rows, columns: Columns) -> Scaling:
        """Measures the training rows."""
        numbers = _transformed(rows, columns)
        missing = np.isnan(numbers)
        known = np.maximum((~missing).sum(axis=0), 1)
        mean = np.nansum(numbers, axis=0) / known
        scale = np.sqrt(np.nansum((numbers - mean) ** 2, axis=0) / known)
        flagged = np.asarray(missing.any(axis=0))
        return cls(columns, mean, np.where(scale > 0, scale, 1.0), flagged)

    def apply(self, rows: Rows) -> tuple[Floats, Floats]:
        """Returns numbers, 0 where missing, and flags of those that may be missing."""
        numbers = (_transformed(rows, self.columns) - self.mean) / self.scale
        missing = np.isnan(numbers)
        return np.where(missing, 0.0, numbers), missing[:, self.flagged].astype(float)


def _transformed(rows: Rows, columns: Columns) -> Floats:
    numbers = rows.numbers(columns.numbers)
    counts = [name in columns.counts for name in columns.numbers]
    numbers[:, counts] = np.log1p(numbers[:, counts])
    return numbers


class BestFeature:
    """The single number that ranks the training rows best, its sign included.

    Its probabilities are those of a logistic regression on it alone, which keeps its
    order or reverses it.

    Attributes:
        name: The feature.
        rises: Whether more of it means more clicks.
    """

    def __init__(self, rows: Rows, columns: Columns) -> None:
        """Fits each number alone and keeps the best."""
        self._scaling = Scaling.fit(rows, columns)
        numbers, _ = self._scaling.apply(rows)
        clicked = rows.labels > 0
        found = []
        for column in range(numbers.shape[1]):
            model = LogisticRegression(solver=_SOLVER)
            model.fit(numbers[:, [column]], clicked)
            falls = model.coef_[0, 0] < 0
            signed = -numbers[:, column] if falls else numbers[:, column]
            found.append((_auc(signed, clicked), column, model))
        _, self._column, self._model = max(found, key=lambda one: one[0])
        self.name = columns.numbers[self._column]
        self.rises = bool(self._model.coef_[0, 0] >= 0)

    def predict(self, rows: Rows) -> Floats:
        """Returns click probabilities, shape (N,)."""
        numbers, _ = self._scaling.apply(rows)
        return _probabilities(self._model, numbers[:, [self._column]])


class Logistic:
    """Logistic regression on one-hot ids and standardised numbers."""

    def __init__(
        self,
        rows: Rows,
        columns: Columns,
        settings: LogisticSettings | None = None,
    ) -> None:
        """Fits the training rows."""
        settings = settings or LogisticSettings()
        self._columns = columns
        self._scaling = Scaling.fit(rows, columns)
        self._ids = {
            name: pc.unique(rows.ids(name).drop_null()) for name in columns.ids
        }
        self._model = LogisticRegression(
            C=settings.inverse_l2, solver=_SOLVER, max_iter=_MOST_ITERATIONS
        )
        self._model.fit(self._design(rows), rows.labels > 0)

    def predict(self, rows: Rows) -> Floats:
        """Returns click probabilities, shape (N,)."""
        return _probabilities(self._model, self._design(rows))

    def _design(self, rows: Rows) -> Any:
        parts = [_one_hot(rows.ids(name), known) for name, known in self._ids.items()]
        return sparse.hstack([*parts, *self._scaling.apply(rows)], format="csr")


class LogisticByDomain(Logistic):
    """Logistic regression in which each domain has weights of the numbers of its own.

    They are added to the common ones, so what domains share is still learned from all.
    """

    def _design(self, rows: Rows) -> Any:
        numbers = np.hstack(self._scaling.apply(rows))
        own = _one_hot(rows.ids(DOMAIN_FEATURE), self._ids[DOMAIN_FEATURE]).tocsc()
        parts = [own[:, [k]].multiply(numbers) for k in range(own.shape[1])]
        return sparse.hstack([super()._design(rows), *parts], format="csr")


class Gbdt:
    """Gradient-boosted trees on counts and rates."""

    def __init__(
        self, rows: Rows, columns: Columns, settings: GbdtSettings | None = None
    ) -> None:
        """Fits the training rows."""
        settings = settings or GbdtSettings()
        self._names = columns.numbers
        self._model = HistGradientBoostingClassifier(
            random_state=0, **settings.model_dump()
        )
        with threadpool_limits(_THREADS):
            self._model.fit(rows.numbers(self._names), rows.labels > 0)

    def predict(self, rows: Rows) -> Floats:
        """Returns click probabilities, shape (N,)."""
        with threadpool_limits(_THREADS):
            return _probabilities(self._model, rows.numbers(self._names))


def _one_hot(ids: pa.Array, known: pa.Array) -> Any:
    """Returns a row per id with a 1 at its place in `known`; others are empty."""
    found = pc.index_in(ids, known)
    rows = np.flatnonzero(found.is_valid().to_numpy(zero_copy_only=False))
    places = found.drop_null().to_numpy()
    ones = np.ones(len(rows))
    return sparse.csr_matrix((ones, (rows, places)), shape=(len(ids), len(known)))


def _probabilities(model: Any, inputs: Any) -> Floats:
    if not inputs.shape[0]:
        return np.zeros(0)
    return np.asarray(model.predict_proba(inputs)[:, 1], np.float64)


def _auc(values: Floats, clicked: npt.NDArray[np.bool_]) -> float:
    """Returns the AUC of values with both labels, ties one half."""
    others = np.sort(values[~clicked])
    low = np.searchsorted(others, values[clicked])
    high = np.searchsorted(others, values[clicked], side="right")
    return float((low + high).mean() / 2 / len(others))
