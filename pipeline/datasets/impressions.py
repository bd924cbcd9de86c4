"""Impressions of a shipped file: rows with labels, negatives and aggregates."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config.sections import NegativeSampling
from pipeline.datasets.aggregates import Ints
from pipeline.datasets.aggregates import point_in_time_aggregates
from pipeline.datasets.negatives import sample_negatives
from pipeline.datasets.source_files import RATING
from pipeline.datasets.source_files import days_of
from pipeline.datasets.source_files import read_source

_IDS = ["user_id", "item_id"]


@dataclass(frozen=True)
class Impressions:
    """Impressions of a domain, from the file and sampled.

    Attributes:
        rows: Columns `user_id`, `item_id` and that of the label: `rating`, or `click`
            (1 or 0).
        days: Days since 1970-01-01, shape (rows,).
        clicked: 0 or 1, shape (rows,).
        from_file: Whether the row is from the file, shape (rows,).
        missing_days: Day of each negative that could not be sampled.
    """

    rows: pa.Table
    days: Ints
    clicked: Ints
    from_file: npt.NDArray[np.bool_]
    missing_days: Ints


def read_impressions(
    path: Path,
    domain: str,
    click_at_least: int | None,
    negatives: NegativeSampling | None,
) -> Impressions:
    """Returns a file's ratings unchanged, or its positives with sampled negatives.

    Args:
        path: The domain's file.
        domain: Name of the domain.
        click_at_least: Smallest rating that counts as a click; None for positives.
        negatives: How negatives are sampled; None for ratings.

    Raises:
        DataError: The file cannot be read or is not of the expected kind.
    """
    if negatives is not None:
        return _with_negatives(
            read_source(path, rated=False), domain=domain, sampling=negatives
        )
    table = read_source(path, rated=True)
    days = days_of(table)
    clicked = table.column(RATING).to_numpy() >= click_at_least
    return Impressions(
        table.select([*_IDS, RATING]),
        days,
        clicked.astype(np.int64),
        np.ones(len(days), np.bool_),
        days[:0],
    )


def _with_negatives(
    positives: pa.Table, *, domain: str, sampling: NegativeSampling
) -> Impressions:
    """Returns positives and negatives, ascending by user, then item.

    In this order the position of a row does not reveal its label, and the log does not
    depend on the order of the file.
    """
    days = days_of(positives)
    users, items = (positives.column(name).combine_chunks() for name in _IDS)
    sampled = sample_negatives(users, items, days, sampling, domain=domain)
    clicked = np.repeat([1, 0], [len(days), len(sampled.days)]).astype(np.int64)
    rows = pa.table(
        {
            "user_id": pa.concat_arrays([users, sampled.user_ids]),
            "item_id": pa.concat_arrays([items, sampled.item_ids]),
            "click": pa.array(clicked, pa.int8()),
        }
    )
    order = pc.sort_indices(
        rows, sort_keys=[(name, "ascending") for name in rows.column_names]
    )
    clicked = clicked[order.to_numpy()]
    return Impressions(
        rows.take(order),
        np.concatenate([days, sampled.days])[order.to_numpy()],
        clicked,
        clicked == 1,
        sampled.missing_days,
    )


def with_aggregates(impressions: Impressions, recent_items: int) -> pa.Table:
    """Returns the log's columns: ids, label column and point-in-time aggregates."""
    rows = impressions.rows
    aggregates = point_in_time_aggregates(
        rows.column("user_id").combine_chunks(),
        rows.column("item_id").combine_chunks(),
        impressions.days,
        impressions.clicked,
        max_length=recent_items,
    )
    for name in aggregates.column_names:
        rows = rows.append_column(name, aggregates.column(name))
    return rows
