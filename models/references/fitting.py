"""All references of a window: which there are, what each was fitted on."""

from __future__ import annotations

import functools
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass

from models.features.feature import DOMAIN_FEATURE
from models.progress import PROGRESS
from models.references.estimators import BestFeature
from models.references.estimators import Constant
from models.references.estimators import Estimator
from models.references.estimators import Gbdt
from models.references.estimators import Logistic
from models.references.estimators import LogisticByDomain
from models.references.names import CONSTANT
from models.references.names import WITH_SOURCES
from models.references.rows import Columns
from models.references.rows import Floats
from models.references.rows import Rows
from models.references.rows import concatenated
from models.references.settings import ReferenceSettings


@dataclass(frozen=True)
class Reference:
    """A fitted reference and its probabilities on the evaluation rows.

    Attributes:
        name: `constant`, `best_feature`, `logistic`, `gbdt`, the last two also with
            `WITH_SOURCES`; `logistic_by_domain` with `WITH_SOURCES` alone.
        scores: Click probabilities of the evaluation rows, shape (N,).
        fitted_rows: Impressions that it was fitted on.
        window_rows: Impressions of its window; more than those where it is a sample.
        note: What to know of it, such as the best feature's name; may be empty.
    """

    name: str
    scores: Floats
    fitted_rows: int
    window_rows: int
    note: str = ""


def fit_references(
    target: Rows,
    sources: Sequence[Rows],
    evaluation: Rows,
    columns: Columns,
    settings: ReferenceSettings | None = None,
) -> list[Reference]:
    """Fits every reference and scores the evaluation rows.

    Rows without both labels can teach none of the models, which is then the constant. A
    table without a count or rate has no `best_feature` and no `gbdt`.

    Args:
        target: The target's rows of the window.
        sources: Each source's.
        evaluation: The target's rows to score.
        columns: Which features are read.
        settings: Settings of the references; scikit-learn's by default.
    """
    own = (settings or ReferenceSettings()).by_name()
    rate = float(target.labels.mean()) if len(target) else 0.5
    constant = Constant(rate)
    found = [_scored(CONSTANT, constant, target, evaluation)]
    if columns.numbers:
        best = _fit(BestFeature, target, columns, constant)
        note = ""
        if isinstance(best, BestFeature):
            note = f"{best.name}, {'more' if best.rises else 'less'} is better"
        found.append(_scored("best_feature", best, target, evaluation, note))
    makers: dict[str, Callable[..., Estimator]] = {"logistic": Logistic}
    if columns.numbers:
        makers["gbdt"] = Gbdt
    windows = {"": target, WITH_SOURCES: concatenated([target, *sources])}
    if not any(len(rows) for rows in sources):
        del windows[WITH_SOURCES]
    planned = [
        (f"{kind}{suffix}", make, rows)
        for kind, make in makers.items()
        for suffix, rows in windows.items()
    ]
    if WITH_SOURCES in windows and columns.numbers and DOMAIN_FEATURE in columns.ids:
        name = f"logistic_by_domain{WITH_SOURCES}"
        planned.append((name, LogisticByDomain, windows[WITH_SOURCES]))
    for name, make, rows in planned:
        PROGRESS.info(f"{name} · {len(rows):,} rows")
        maker = functools.partial(make, settings=own[name])
        estimator = _fit(maker, rows, columns, constant)
        found.append(_scored(name, estimator, rows, evaluation))
    return found


def _fit(
    make: Callable[[Rows, Columns], Estimator],
    rows: Rows,
    columns: Columns,
    constant: Constant,
) -> Estimator:
    both = len(rows) and 0 < rows.labels.sum() < len(rows)
    return make(rows, columns) if both else constant


def _scored(
    name: str, estimator: Estimator, rows: Rows, evaluation: Rows, note: str = ""
) -> Reference:
    scores = estimator.predict(evaluation)
    return Reference(name, scores, len(rows), rows.seen, note)
