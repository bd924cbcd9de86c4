"""What a data set holds, counted from its impressions: what it can show, what not."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.evaluation.mechanical import unusable
from components.references.stored import StoredReferences
from models.artifact_files import split_folder
from models.data.raw_rows import rows_of_days
from models.days import DayRange
from models.features.feature import ITEM_FEATURE
from models.features.feature import USER_FEATURE
from models.features.table import DAY
from models.features.table import LABEL
from pipeline.config.schema import Config
from pipeline.store.reader import Store


@dataclass(frozen=True)
class Count:
    """Impressions and clicks."""

    rows: int
    clicks: int


@dataclass(frozen=True)
class DataFacts:
    """Counts of a data set.

    Shares are of the evaluation impressions.

    Attributes:
        labels: Where labels come from.
        target: The target in the window it is trained on.
        sources: Each source in the same days.
        evaluation: The evaluation impressions.
        users_in_sources: Share whose user has impressions in a source in these days.
        items_in_sources: Share whose item has.
        new_users: Share whose user has no impression of the target in these days.
        new_items: Share whose item has none.
        moving: By feature that moves within the block, its GAUC where labels are
            permuted within users: what a model gets from it without any taste.
    """

    labels: str
    target: Count
    sources: dict[str, Count]
    evaluation: Count
    users_in_sources: float | None
    items_in_sources: float | None
    new_users: float | None
    new_items: float | None
    moving: dict[str, float] = field(default_factory=dict)


def data_facts(
    config: Config, day: int, references: StoredReferences | None
) -> DataFacts:
    """Counts the ingested impressions of a run's window and evaluation days.

    Args:
        config: The configuration.
        day: The run's day D.
        references: The run's references, which know the features that move.
    """
    window = DayRange(day - config.levels.target.window_days, day - 1)
    judged = DayRange(day, day + config.evaluation_days - 1)
    # Newest first, as a later run may have cut the days into other blocks.
    folders = [
        stored.uri
        for stored in reversed(
            Store(config.root, config.metadata).artifacts("Examples")
        )
        if stored.properties.get("role") == "raw"
    ]
    ids = [
        feature.name
        for feature in config.features
        if feature.name in (USER_FEATURE, ITEM_FEATURE)
    ]
    target = _Seen(folders, config.target, window, ids)
    sources = {name: _Seen(folders, name, window, ids) for name in config.sources}
    evaluation = _Seen(folders, config.target, judged, ids)
    shares = {
        name: (
            evaluation.share_in(name, list(sources.values())),
            evaluation.share_in(name, [target]),
        )
        for name in (USER_FEATURE, ITEM_FEATURE)
    }
    gaucs = references.mechanical if references else {}
    (of_users, old_users), (of_items, old_items) = shares.values()
    return DataFacts(
        labels=origin_of_labels(config),
        target=target.count,
        sources={name: found.count for name, found in sources.items()},
        evaluation=evaluation.count,
        users_in_sources=of_users,
        items_in_sources=of_items,
        new_users=None if old_users is None else 1 - old_users,
        new_items=None if old_items is None else 1 - old_items,
        moving={name: gaucs[name] for name in unusable(gaucs)},
    )


def origin_of_labels(config: Config) -> str:
    """Returns where a configuration's labels come from, in words."""
    if config.simulate is not None:
        return "clicks drawn from known probabilities"
    if config.imports is not None and config.imports.negatives is not None:
        return "positives as logged; negatives drawn by the importer"
    return f"`{config.label}` of logged rows, no impressions without an answer"


class _Seen:
    """Counts and ids of a domain in some days.

    Attributes:
        count: Impressions and clicks.
        ids: By feature, each id with its number of impressions.
    """

    def __init__(
        self,
        folders: Sequence[str],
        domain: str,
        days: DayRange,
        features: Sequence[str],
    ) -> None:
        rows = clicks = 0
        tables: dict[str, list[pa.Array]] = {name: [] for name in features}
        wanted = [f"{folder}/{split_folder(domain)}" for folder in folders]
        for batch in _each_day_once(wanted, days, [*features, LABEL, DAY]):
            rows += len(batch)
            clicks += int(pc.sum(pc.list_flatten(batch[LABEL])).as_py() or 0)
            for name, parts in tables.items():
                parts.append(pc.list_flatten(batch[name]))
        self.count = Count(rows, clicks)
        self.ids = {
            name: {
                entry["values"]: entry["counts"]
                for entry in pc.value_counts(pa.chunked_array(parts)).to_pylist()
            }
            for name, parts in tables.items()
            if parts
        }

    def share_in(self, name: str, others: Sequence[_Seen]) -> float | None:
        """Returns the share of impressions whose id is in any of the others."""
        own = self.ids.get(name)
        if not own or not self.count.rows:
            return None
        known = [other.ids.get(name, {}) for other in others]
        found = [n for one, n in own.items() if any(one in ids for ids in known)]
        return sum(found) / self.count.rows


def _each_day_once(
    folders: Sequence[str], days: DayRange, columns: list[str]
) -> Iterator[pa.RecordBatch]:
    """Yields the rows of each day from the first folder that has the day."""
    known: set[int] = set()
    for folder in folders:
        found: set[int] = set()
        for batch in rows_of_days([folder], days, columns):
            day = pc.list_flatten(batch[DAY]).to_numpy()
            fresh = ~np.isin(day, list(known))
            found.update(day[fresh].tolist())
            yield batch.filter(pa.array(fresh))
        known |= found
