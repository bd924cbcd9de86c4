"""References on amazon: boosted trees on co-purchases, by month, beside a placebo.

    python -m benchmarks.amazon_references [--targets beauty,food] [--months 2014-06]

For each month the trees are fitted on the target's rows of the five months before and
judged on those of the month. Co-purchase features (`benchmarks.copurchases`) come from
matrices frozen before the month of a row: of the target alone; these and those of
target and sources; and the same with the sources' user ids permuted, which is the
placebo. A gain over the target alone counts as far as it exceeds that of the placebo.

Cold users have no purchases in the target before the month. Their trees are fitted on
rows of users whose purchases in the target are hidden in the same way.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import pyarrow as pa
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from benchmarks.copurchases import CoPurchases
from benchmarks.copurchases import Floats
from benchmarks.copurchases import Ints
from models.days import to_day
from pipeline.config.sections import ColdUsers
from pipeline.config.sections import ImportConfig
from pipeline.config.sections import NegativeSampling
from pipeline.datasets.aggregates import Bools
from pipeline.datasets.aggregates import encode_ids
from pipeline.datasets.controls import are_cold
from pipeline.datasets.impressions import FileRows
from pipeline.datasets.impressions import impressions_of
from pipeline.datasets.impressions import read_file

DATA = Path(__file__).parents[1] / "data" / "amazon"
# As configs/amazon*.yaml have them.
SOURCES = {"beauty": ("kitchen", "food", "electronics"), "food": ("kitchen",)}
MONTHS = tuple(f"2014-{month:02d}" for month in range(2, 7))
_TRAINING_MONTHS = 5
# Seeds of the hash that chooses users: those who are judged, those who are fitted on.
_JUDGED, _FITTED = 17, 18


@dataclass(frozen=True)
class Rows:
    """Impressions of the target: codes of user and item, day, click."""

    users: Ints
    items: Ints
    days: Ints
    clicked: Ints


@dataclass(frozen=True)
class Part:
    """Rows of one month, the month's first day, users whose target rows are hidden."""

    first_day: int
    rows: Ints
    hidden: Bools


class World:
    """Target's impressions and purchases of all its domains, with common codes."""

    def __init__(self, target: str, *, seed: int, placebo: bool, share: float) -> None:
        """Reads the files.

        Args:
            target: The target domain.
            seed: Seed of the negatives and of the permutation.
            placebo: Whether the sources' user ids are permuted.
            share: Share of users whose target rows may be hidden.
        """
        settings = ImportConfig(
            data=DATA,
            negatives=NegativeSampling(per_positive=4, seed=seed),
            permute_source_users=seed if placebo else None,
            last_day=datetime.date(2014, 6, 30),
        )
        self.domains = (target, *SOURCES[target])
        files: Mapping[str, FileRows] = {
            name: read_file(
                DATA / f"{name}.parquet", name, settings, is_target=name == target
            )
            for name in self.domains
        }
        found = impressions_of(files[target], target, settings)
        ids = pa.concat_arrays(
            [found.user_ids, *(file.user_ids for file in files.values())]
        )
        users, names = encode_ids(ids)
        items, item_names = encode_ids(
            pa.concat_arrays(
                [found.item_ids, *(file.item_ids for file in files.values())]
            )
        )
        self.shape = (len(names), len(item_names))
        num_rows = len(found.days)
        self.rows = Rows(users[:num_rows], items[:num_rows], found.days, found.clicked)
        self._users, self._items = users[num_rows:], items[num_rows:]
        self._days = np.concatenate([file.days for file in files.values()])
        sizes = [len(file.days) for file in files.values()]
        self._of_target = np.arange(len(self._days)) < sizes[0]
        self.cold = {
            part: are_cold(
                names, ColdUsers(start=settings.last_day, share=share, seed=part)
            )
            for part in (_JUDGED, _FITTED)
        }

    def frozen(self, day: int, hidden: Bools, *, sources: bool) -> CoPurchases:
        """Returns the matrices of the purchases before a day.

        Args:
            day: First day that does not count.
            hidden: Users whose purchases in the target do not count.
            sources: Whether purchases in the sources count.
        """
        kept = np.where(self._of_target, ~hidden[self._users], sources)
        kept &= self._days < day
        return CoPurchases(self._users[kept], self._items[kept], self.shape)


def months_before(month: datetime.date, count: int) -> Iterator[datetime.date]:
    """Yields the first days of the `count` months before `month`."""
    for back in range(count, 0, -1):
        number = month.year * 12 + month.month - 1 - back
        yield datetime.date(number // 12, number % 12 + 1, 1)


def end_of(month: datetime.date) -> datetime.date:
    """Returns the first day of the month after."""
    return (month + datetime.timedelta(31)).replace(day=1)


def parts_of(world: World, month: datetime.date, *, cold: bool) -> list[Part]:
    """Returns the rows that are fitted on, by month, and last those that are judged."""
    nobody = np.zeros(world.shape[0], np.bool_)
    judged = world.cold[_JUDGED] if cold else nobody
    fitted = (world.cold[_FITTED] & ~judged) if cold else nobody
    found = []
    for start in (*months_before(month, _TRAINING_MONTHS), month):
        last = start == month
        first, end = to_day(start), to_day(end_of(start))
        chosen = (world.rows.days >= first) & (world.rows.days < end)
        if cold:
            chosen &= (judged if last else fitted)[world.rows.users]
        hidden = judged if last else judged | fitted
        found.append(Part(first, np.flatnonzero(chosen), hidden))
    return found


def features_of(world: World, parts: Sequence[Part], *, sources: bool) -> list[Floats]:
    """Returns the co-purchase features of each part's rows."""
    found = []
    for part in parts:
        matrices = world.frozen(part.first_day, part.hidden, sources=sources)
        rows = part.rows
        found.append(matrices.features(world.rows.users[rows], world.rows.items[rows]))
    return found


def auc(features: Sequence[Floats], labels: Sequence[Ints]) -> float:
    """Returns the AUC of trees on the last part, fitted on the others."""
    with threadpool_limits(1):
        model = HistGradientBoostingClassifier(
            learning_rate=0.05, max_leaf_nodes=15, min_samples_leaf=50, random_state=0
        )
        model.fit(np.concatenate(features[:-1]), np.concatenate(labels[:-1]))
        scores = model.predict_proba(features[-1])[:, 1]
    return float(roc_auc_score(labels[-1], scores))


def aucs(
    real: World, placebo: World, month: datetime.date, *, cold: bool
) -> dict[str, float]:
    """Returns the AUC of each reference on a month of the target's impressions."""
    parts = parts_of(real, month, cold=cold)
    labels = [real.rows.clicked[part.rows] for part in parts]
    own = features_of(real, parts, sources=False)
    found = {"target": auc(own, labels)}
    for name, world in (("+ sources", real), ("+ placebo", placebo)):
        both = [
            np.hstack(pair)
            for pair in zip(own, features_of(world, parts, sources=True), strict=True)
        ]
        found[name] = auc(both, labels)
    return found


@click.command()
@click.option("--targets", default="beauty,food", show_default=True)
@click.option("--months", default=",".join(MONTHS), show_default=True)
@click.option("--seed", default=17, show_default=True)
@click.option("--warm/--no-warm", default=True)
@click.option("--cold/--no-cold", default=True)
def main(targets: str, months: str, seed: int, warm: bool, cold: bool) -> None:
    """Print the AUC of every reference by month, and one line of JSON."""
    found: dict[str, float] = {}
    for target in targets.split(","):
        real, placebo = (
            World(target, seed=seed, placebo=permuted, share=0.3)
            for permuted in (False, True)
        )
        for is_cold in [False] * warm + [True] * cold:
            for text in months.split(","):
                month = datetime.date.fromisoformat(f"{text}-01")
                line = aucs(real, placebo, month, cold=is_cold)
                name = f"{target} {'cold' if is_cold else 'warm'} {text}"
                shown = "  ".join(f"{key} {value:.4f}" for key, value in line.items())
                click.echo(f"{name}: {shown}")
                found |= {f"{name} {key}": round(v, 4) for key, v in line.items()}
    click.echo(json.dumps(found))


if __name__ == "__main__":
    main()
