"""References on xmarket by quarters: linear models, with and without other markets.

    python -m benchmarks.xmarket_references [--targets mx,de] [--draws 300]

Each quarter from 2017-01 to 2020-09 is judged by models that were fitted on the ten
years before it. Features of all rows are as of the first day of their quarter
(`import.freeze: quarter`), so that none moves within an evaluation.

| reference   | fitted on                                                              |
| ----------- | ---------------------------------------------------------------------- |
| `target`    | the target                                                             |
| `all`       | all markets                                                            |
| `allx`      | all markets, weights of the numbers by market                          |
| `elsewhere` | the target, with the item's count and rate in the other markets        |

AUC and log loss are those of all rows of all quarters together; intervals of
differences to `target` redraw users and quarters.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
import pyarrow as pa

from models.days import to_day
from models.features.table import DAY
from models.features.table import LABEL
from models.references.estimators import Estimator
from models.references.estimators import Logistic
from models.references.estimators import LogisticByDomain
from models.references.rows import Columns
from models.references.rows import Floats
from models.references.rows import Rows
from models.references.rows import concatenated
from pipeline.config.sections import ImportConfig
from pipeline.datasets.aggregates import Ints
from pipeline.datasets.aggregates import cutoffs
from pipeline.datasets.aggregates import point_in_time_aggregates
from pipeline.datasets.impressions import Impressions
from pipeline.datasets.impressions import impressions_of
from pipeline.datasets.impressions import read_file

DATA = Path(__file__).parents[1] / "data" / "xmarket"
LARGE = ("ca", "uk", "fr", "mx", "de")
ALL = (*LARGE, "jp", "in")
_FIRST, _END = datetime.date(2017, 1, 1), datetime.date(2020, 10, 1)
_TRAINING_DAYS = 3652
_SETTINGS = ImportConfig(
    data=DATA, freeze="quarter", last_day=_END - datetime.timedelta(1)
)
_COUNTS = ("item_impressions", "item_age_days", "user_impressions", "user_age_days")
_RATES = ("item_click_rate", "user_click_rate")
COLUMNS = Columns(
    ("user_id", "item_id", "domain"), (*_COUNTS, *_RATES), frozenset(_COUNTS)
)
_ELSEWHERE = {
    "elsewhere_impressions": "item_impressions",
    "elsewhere_click_rate": "item_click_rate",
}
WITH_ELSEWHERE = Columns(
    COLUMNS.ids,
    (*COLUMNS.numbers, *_ELSEWHERE),
    COLUMNS.counts | {"elsewhere_impressions"},
)


def quarters() -> list[tuple[int, int]]:
    """Returns first day and end of each evaluated quarter."""
    months = range(_FIRST.year * 12, _END.year * 12 + _END.month, 3)
    starts = [to_day(datetime.date(m // 12, m % 12 + 1, 1)) for m in months]
    return list(zip(starts[:-1], starts[1:], strict=True))


def markets(names: Sequence[str]) -> dict[str, Impressions]:
    """Reads the impressions of markets."""
    return {
        name: impressions_of(
            read_file(DATA / f"{name}.parquet", name, _SETTINGS, is_target=False),
            name,
            _SETTINGS,
        )
        for name in names
    }


def rows_of(name: str, found: Mapping[str, Impressions]) -> Rows:
    """Returns the rows of a market, with the items' aggregates elsewhere."""
    own = found[name]
    others = [one for other, one in found.items() if other != name]
    # Of the own rows none counts, and the others' own aggregates are cut off.
    elsewhere = _aggregates([own, *others], first_counted=len(own.days))
    columns: dict[str, pa.Array] = {
        "user_id": own.user_ids.cast(pa.large_binary()),
        "item_id": own.item_ids.cast(pa.large_binary()),
        "domain": pa.array([name.encode()] * len(own.days), pa.large_binary()),
        LABEL: pa.array(own.clicked),
        DAY: pa.array(own.days),
    }
    aggregates = _aggregates([own], first_counted=0)
    for feature in COLUMNS.numbers:
        columns[feature] = _numbers(aggregates, feature)
    for feature, source in _ELSEWHERE.items():
        columns[feature] = _numbers(elsewhere.slice(0, len(own.days)), source)
    return Rows(pa.table(columns), len(own.days))


def _aggregates(parts: Sequence[Impressions], *, first_counted: int) -> pa.Table:
    """Returns the frozen aggregates of all parts' rows; earlier rows do not count."""
    days = np.concatenate([one.days for one in parts])
    return point_in_time_aggregates(
        pa.concat_arrays([one.user_ids for one in parts]),
        pa.concat_arrays([one.item_ids for one in parts]),
        days,
        np.concatenate([one.clicked for one in parts]),
        cutoff=cutoffs(days, _SETTINGS.freeze),
        counted=np.arange(len(days)) >= first_counted,
    )


def _numbers(table: pa.Table, name: str) -> pa.Array:
    return pa.array(table.column(name).to_numpy().astype(float))


def between(rows: Rows, first: int, end: int) -> Rows:
    """Returns the rows of the days from `first` on and before `end`."""
    days = rows.integers(DAY)
    table = rows.table.filter(pa.array((days >= first) & (days < end)))
    return Rows(table, len(table))


def scores_of(
    target: str, rows: Mapping[str, Rows]
) -> tuple[Rows, Ints, dict[str, Floats]]:
    """Returns the judged rows, the quarter of each, and every reference's scores."""
    parts, numbers, scores = [], [], dict[str, list[Floats]]()
    for number, (first, end) in enumerate(quarters()):
        judged = between(rows[target], first, end)
        if not len(judged):
            continue
        training = {
            name: between(one, first - _TRAINING_DAYS, first)
            for name, one in rows.items()
        }
        own, everything = training[target], concatenated(list(training.values()))
        fitted: dict[str, Estimator] = {
            "target": Logistic(own, COLUMNS),
            "all": Logistic(everything, COLUMNS),
            "allx": LogisticByDomain(everything, COLUMNS),
            "elsewhere": Logistic(own, WITH_ELSEWHERE),
        }
        for name, estimator in fitted.items():
            scores.setdefault(name, []).append(estimator.predict(judged))
        parts.append(judged)
        numbers.append(np.full(len(judged), number))
    return (
        concatenated(parts),
        np.concatenate(numbers),
        {name: np.concatenate(found) for name, found in scores.items()},
    )


class Redrawn:
    """AUC and log loss of scores, with users and quarters redrawn."""

    def __init__(self, judged: Rows, quarter: Ints, draws: int) -> None:
        """Draws the weights of the rows, the first draw being the rows as they are."""
        rng = np.random.default_rng(17)
        users = judged.ids("user_id").dictionary_encode().indices.to_numpy()
        self._labels = judged.labels > 0
        self._weights = [np.ones(len(judged))]
        for _ in range(draws):
            weights = np.ones(len(judged))
            for codes in (users, quarter):
                kinds = np.unique(codes)
                drawn = rng.choice(kinds, len(kinds))
                weights *= np.bincount(drawn, minlength=codes.max() + 1)[codes]
            self._weights.append(weights)

    def auc(self, scores: Floats) -> Floats:
        """Returns the weighted AUC of each draw; ties count one half."""
        values, place = np.unique(scores, return_inverse=True)
        found = []
        for weights in self._weights:
            clicks = np.bincount(place, weights * self._labels, len(values))
            others = np.bincount(place, weights * ~self._labels, len(values))
            below = np.cumsum(others) - others / 2
            found.append(clicks @ below / (clicks.sum() * others.sum()))
        return np.array(found)

    def log_loss(self, scores: Floats) -> Floats:
        """Returns the weighted log loss of each draw."""
        losses = -np.log(np.where(self._labels, scores, 1 - scores))
        return np.array([np.average(losses, weights=w) for w in self._weights])


@click.command()
@click.option("--targets", default="mx,de,fr,uk,jp,in", show_default=True)
@click.option("--draws", default=300, show_default=True)
def main(targets: str, draws: int) -> None:
    """Print AUC, log loss and differences to `target`, and one line of JSON."""
    summary = {}
    for target in targets.split(","):
        found = markets(LARGE if target in LARGE else ALL)
        rows = {name: rows_of(name, found) for name in found}
        judged, quarter, scores = scores_of(target, rows)
        redrawn = Redrawn(judged, quarter, draws)
        click.echo(
            f"{target}: {len(judged):,} rows, {int(judged.labels.sum()):,} clicks"
        )
        aucs = {name: redrawn.auc(one) for name, one in scores.items()}
        losses = {name: redrawn.log_loss(one) for name, one in scores.items()}
        for name in scores:
            gains = aucs[name] - aucs["target"]
            low, high = np.quantile(gains[1:], (0.025, 0.975))
            click.echo(
                f"  {name:9}  AUC {aucs[name][0]:.4f}  log loss {losses[name][0]:.4f}  "
                f"AUC over target {gains[0]:+.4f} [{low:+.4f}, {high:+.4f}]"
            )
            summary[f"{target} {name}"] = [
                round(float(value), 4)
                for value in (aucs[name][0], losses[name][0], gains[0], low, high)
            ]
    click.echo(json.dumps(summary))


if __name__ == "__main__":
    main()
