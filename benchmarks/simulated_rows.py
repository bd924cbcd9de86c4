"""Simulated impressions in encoded form, without logs, ingest or TFX.

The world is that of `crossctr simulate`, the features are those of
`configs/feeds_ads.yaml`, encoded as the pipeline does, except that a vocabulary holds
every user or item of the world. A check that trains dozens of models thus spends its
time on training.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path
from typing import Any
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benchmarks.encoded_numbers import NumberEncoder
from models.data.arrow_files import pq
from models.features.feature import Feature
from models.features.id_space import IdSpace
from models.features.kind import FIRST_OOV_ROW
from models.features.table import FeatureTable
from pipeline.datasets.simulation.population import CATEGORIES
from pipeline.datasets.simulation.population import DEVICES
from pipeline.datasets.simulation.population import MAX_INTERESTS
from pipeline.datasets.simulation.population import SEGMENTS
from pipeline.datasets.simulation.settings import DomainPlan
from pipeline.datasets.simulation.truth import HOURS
from pipeline.datasets.simulation.truth import SLOTS
from pipeline.datasets.simulation.world import DomainWorld

Columns = dict[str, npt.NDArray[Any]]
# Rows of the domain table.
_DOMAINS = 8
_FIRST = FIRST_OOV_ROW + 1
_BUCKETS = 16
_NUMBERS = {"refreshes": "count", "item_age_days": "count", "score": "rate"}


@dataclass(frozen=True)
class Rows:
    """Encoded impressions.

    Attributes:
        columns: Values by feature, and `label` and `day`.
        probability: True click probability of each impression.
        accident: Whether the impression's label is an accidental click.
    """

    columns: Columns
    probability: npt.NDArray[np.float32]
    accident: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.probability)

    def where(self, chosen: npt.NDArray[Any]) -> Rows:
        """Returns the chosen impressions."""
        return Rows(
            {name: values[chosen] for name, values in self.columns.items()},
            self.probability[chosen],
            self.accident[chosen],
        )

    def relabelled(self, labels: npt.NDArray[Any], domain: int | None = None) -> Rows:
        """Returns the impressions with other labels, and as another domain's."""
        columns = {**self.columns, "label": labels}
        if domain is not None:
            columns["domain"] = np.full(len(self), _FIRST + domain)
        return replace(self, columns=columns)


def draw(
    plans: Sequence[DomainPlan], seed: int, days: int
) -> tuple[FeatureTable, dict[str, Rows]]:
    """Draws the impressions of every domain; returns their feature table, too."""
    worlds = {plan.name: DomainWorld(plan, seed, days) for plan in plans}
    known = {
        space: np.unique(np.concatenate([ids(world) for world in worlds.values()]))
        for space, ids in _IDS.items()
    }
    numbers = NumberEncoder(_NUMBERS, _BUCKETS)
    rows = {
        plan.name: _encode(worlds[plan.name], position, days, known, numbers)
        for position, plan in enumerate(plans)
    }
    return _features(known), rows


_IDS: dict[str, Callable[[DomainWorld], npt.NDArray[np.int64]]] = {
    "user": lambda world: world.users.ids,
    "item": lambda world: world.items.ids,
}


def write(rows: Rows, path: Path) -> None:
    """Writes impressions as one shard of transformed Examples."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table(
        {
            name: pa.array(list(values)) if values.ndim > 1 else _lists(values)
            for name, values in sorted(rows.columns.items())
        }
    )
    pq.write_table(table, path, row_group_size=65_536)


def _lists(values: npt.NDArray[Any]) -> pa.Array:
    offsets = np.arange(len(values) + 1, dtype=np.int64)
    kind = np.float32 if values.dtype == np.float32 else np.int64
    flat = pa.array(values.astype(kind, copy=False))
    return pa.LargeListArray.from_arrays(pa.array(offsets), flat)


def _encode(
    world: DomainWorld,
    position: int,
    days: int,
    known: dict[str, npt.NDArray[np.int64]],
    numbers: NumberEncoder,
) -> Rows:
    parts = [(day, rows) for day in range(days) for rows in world.day(day)]

    def column(name: str) -> npt.NDArray[Any]:
        return np.concatenate([getattr(rows, name) for _, rows in parts])

    day = np.concatenate([np.full(len(rows), day) for day, rows in parts])
    user, item = column("user"), column("item")
    users, items, codes = world.users, world.items, world.codes
    # Lists of fewer interests are padded with 0.
    place = np.arange(MAX_INTERESTS)
    interests = np.where(
        place < users.num_interests[:, None],
        codes["category"][users.interests] + _FIRST,
        0,
    )
    columns = {
        "user_id": np.searchsorted(known["user"], users.ids[user]) + _FIRST,
        "item_id": np.searchsorted(known["item"], items.ids[item]) + _FIRST,
        "domain": np.full(len(user), _FIRST + position),
        "segment": codes["segment"][users.segment[user]] + _FIRST,
        "category": codes["category"][items.category[item]] + _FIRST,
        "interests": interests[user],
        "slot": column("slot").astype(np.int64) + position * SLOTS + _FIRST,
        "hour": column("hour").astype(np.int64) + _FIRST,
        "device": codes["device"][users.device[user]] + _FIRST,
        "label": column("click"),
        "day": day,
    }
    encoded = {name: values.astype(np.int64) for name, values in columns.items()}
    logged = {
        "refreshes": users.refreshes[user],
        "item_age_days": np.maximum(day - items.arrival[item], 0),
        "score": items.score[item],
    }
    encoded |= numbers.encode(logged)
    return Rows(encoded, column("probability"), column("accident"))


def _features(known: dict[str, npt.NDArray[np.int64]]) -> FeatureTable:
    sizes = {
        "user": len(known["user"]),
        "item": len(known["item"]),
        "category": CATEGORIES,
        "segment": SEGMENTS,
        "device": DEVICES,
        "slot": SLOTS * _DOMAINS,
        "hour": HOURS,
        "domain": _DOMAINS,
    }
    names = {"user": "user_id", "item": "item_id"}
    sides: dict[str, Literal["user", "item"]] = {
        "user": "user",
        "segment": "user",
        "item": "item",
        "category": "item",
    }
    return FeatureTable(
        features=(
            *(
                Feature(
                    name=names.get(space, space),
                    kind="id",
                    vocabulary=space,
                    side=sides.get(space, "context"),
                )
                for space in sizes
            ),
            Feature(
                name="interests",
                kind="ids",
                vocabulary="category",
                max_length=MAX_INTERESTS,
                side="user",
            ),
            Feature(name="refreshes", kind="count", buckets=_BUCKETS, side="user"),
            Feature(name="item_age_days", kind="count", buckets=_BUCKETS),
            Feature(name="score", kind="rate", buckets=_BUCKETS),
        ),
        vocabularies={
            space: IdSpace(capacity=size, oov_buckets=1)
            for space, size in sizes.items()
        },
    )
