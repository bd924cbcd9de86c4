"""Impressions of a shipped file: rows with labels, negatives and aggregates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.days import to_day
from pipeline.config.sections import ImportConfig
from pipeline.datasets.aggregates import Bools
from pipeline.datasets.aggregates import Ints
from pipeline.datasets.aggregates import cutoffs
from pipeline.datasets.aggregates import point_in_time_aggregates
from pipeline.datasets.controls import are_cold
from pipeline.datasets.controls import permuted_users
from pipeline.datasets.negatives import sample_negatives
from pipeline.datasets.recent_items import RecentItems
from pipeline.datasets.source_files import RATING
from pipeline.datasets.source_files import days_of
from pipeline.datasets.source_files import read_source

CLICK = "click"
# The user's items in the row's own domain; those of a domain have its name appended.
RECENT_ITEMS = "recent_items"
_IDS = ["user_id", "item_id"]


class FileRows(NamedTuple):
    """Rows of a domain's file.

    Attributes:
        user_ids: string array of shape (rows,), permuted if that is configured.
        item_ids: string array of shape (rows,).
        days: Days since 1970-01-01, shape (rows,).
        label: Column of the log that has the label: `rating` or `click`.
        labels: Its values, shape (rows,); 1 where every row is a positive.
        clicked: 0 or 1, shape (rows,).
        cold: Whether the user is cold, shape (rows,).
    """

    user_ids: pa.Array
    item_ids: pa.Array
    days: Ints
    label: pa.Field
    labels: pa.Array
    clicked: Ints
    cold: Bools

    def recent_items(self, max_length: int) -> RecentItems:
        """Returns the histories of the domain's users, none of cold ones."""
        clicks = pa.array((self.clicked == 1) & ~self.cold)
        return RecentItems(
            self.user_ids.filter(clicks),
            self.item_ids.filter(clicks),
            self.days[clicks.to_numpy(zero_copy_only=False)],
            max_length,
        )


@dataclass(frozen=True)
class Impressions:
    """Impressions of a domain, from the file and sampled.

    Attributes:
        rows: Columns `user_id`, `item_id` and that of the label.
        days: Days since 1970-01-01, shape (rows,).
        clicked: 0 or 1, shape (rows,).
        from_file: Whether the row is from the file, shape (rows,).
        counted: Whether the row counts in aggregates, shape (rows,).
        logged: Whether the row may be in the log, shape (rows,).
    """

    rows: pa.Table
    days: Ints
    clicked: Ints
    from_file: Bools
    counted: Bools
    logged: Bools

    @property
    def user_ids(self) -> pa.Array:
        """User of each row, string array of shape (rows,)."""
        return self.rows.column("user_id").combine_chunks()

    @property
    def item_ids(self) -> pa.Array:
        """Item of each row, string array of shape (rows,)."""
        return self.rows.column("item_id").combine_chunks()


def read_file(
    path: Path, domain: str, settings: ImportConfig, *, is_target: bool
) -> FileRows:
    """Reads a domain's file.

    Args:
        path: The file.
        domain: Name of the domain.
        settings: Which rows are clicks, which users are cold or permuted.
        is_target: Whether the domain is the target: only its users are cold, only those
            of the other domains are permuted.

    Raises:
        DataError: The file cannot be read or is not of the expected kind.
    """
    table = read_source(path, rated=settings.negatives is None)
    users, items = (table.column(name).combine_chunks() for name in _IDS)
    clicked = np.ones(len(table), np.int64)
    label, labels = pa.field(CLICK, pa.int8()), pa.array(clicked, pa.int8())
    if settings.negatives is None:
        label = table.schema.field(RATING)
        labels = table.column(RATING).combine_chunks()
        clicked = (labels.to_numpy() >= settings.click_at_least).astype(np.int64)
    if settings.permute_source_users is not None and not is_target:
        users = permuted_users(users, settings.permute_source_users, domain)
    cold = np.zeros(len(table), np.bool_)
    if settings.cold_users is not None and is_target:
        cold = are_cold(users, settings.cold_users)
    return FileRows(users, items, days_of(table), label, labels, clicked, cold)


def impressions_of(file: FileRows, domain: str, settings: ImportConfig) -> Impressions:
    """Returns a file's ratings, or its positives with sampled negatives.

    Cold users' rows before the evaluation are dropped first, so that nothing is built
    from them. With negatives, rows are ascending by user, then item: the position of a
    row does not reveal its label, and the log does not depend on the file's order.

    Args:
        file: Rows of the file.
        domain: Name of the domain.
        settings: Sampling of negatives, cold users.
    """
    hidden, start = np.zeros(len(file.days), np.bool_), 0
    if settings.cold_users is not None:
        start = to_day(settings.cold_users.start)
        hidden = file.cold & (file.days < start)
    shown = pa.array(~hidden)
    ids = (file.user_ids.filter(shown), file.item_ids.filter(shown))
    names = [*_IDS, file.label.name]
    rows = pa.table([*ids, file.labels.filter(shown)], names=names)
    days, clicked, cold = file.days[~hidden], file.clicked[~hidden], file.cold[~hidden]
    from_file = np.ones(len(rows), np.bool_)
    if settings.negatives is not None:
        sampled = sample_negatives(
            file.user_ids,
            file.item_ids,
            file.days,
            settings.negatives,
            domain=domain,
            hidden=hidden,
        )
        ids = (sampled.user_ids, sampled.item_ids)
        labels = pa.array(np.zeros(len(sampled.days)), pa.int8())
        rows = pa.concat_tables([rows, pa.table([*ids, labels], names=names)])
        days = np.concatenate([days, sampled.days])
        keys = [(name, "ascending") for name in names]
        order = pc.sort_indices(rows, sort_keys=keys)
        rows, days = rows.take(order).combine_chunks(), days[order.to_numpy()]
        clicked = rows.column(CLICK).to_numpy().astype(np.int64)
        from_file = clicked == 1
        cold_users = pc.unique(file.user_ids.filter(pa.array(file.cold)))
        cold = pc.is_in(rows.column("user_id"), cold_users).to_numpy()
    logged = np.ones(len(days), np.bool_)
    if file.cold.any():
        logged = cold == (days >= start)
    return Impressions(rows, days, clicked, from_file, ~cold, logged)


def with_aggregates(
    impressions: Impressions,
    recent: Mapping[str, RecentItems],
    domain: str,
    settings: ImportConfig,
) -> pa.Table:
    """Returns the log's columns: ids, label, aggregates and recent items.

    Args:
        impressions: Impressions of `domain`.
        recent: Histories of the users of every domain, by name.
        domain: Name of the domain.
        settings: Whether aggregates are frozen for a month or quarter.
    """
    rows, users = impressions.rows, impressions.user_ids
    cutoff = cutoffs(impressions.days, settings.freeze)
    aggregates = point_in_time_aggregates(
        users,
        impressions.item_ids,
        impressions.days,
        impressions.clicked,
        cutoff=cutoff,
        counted=impressions.counted,
    )
    for name in aggregates.column_names:
        rows = rows.append_column(name, aggregates.column(name))
    lists = {name: history.before(users, cutoff) for name, history in recent.items()}
    rows = rows.append_column(RECENT_ITEMS, lists[domain])
    for name, items in lists.items():
        rows = rows.append_column(f"{RECENT_ITEMS}_{name}", items)
    return rows
