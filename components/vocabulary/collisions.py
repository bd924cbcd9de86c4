"""Number of ids of a hashed space that share a table row: counted, not estimated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from components.vocabulary.buckets import BucketedCounts
from components.vocabulary.buckets import Ints
from components.vocabulary.logic import merge_counts
from models.features.kind import FIRST_OOV_ROW


@dataclass(frozen=True)
class Collisions:
    """Ids that share table rows in one block of days.

    Attributes:
        ids: Distinct ids.
        rows_used: Distinct rows they fall on.
        shared_ids: Ids whose row is also another id's.
        impressions: Impressions of all ids.
        shared_impressions: Impressions of the ids that share a row.
    """

    ids: int
    rows_used: int
    shared_ids: int
    impressions: int
    shared_impressions: int

    @property
    def rate(self) -> float:
        """Share of ids that share their row; 0 without ids."""
        return self.shared_ids / self.ids if self.ids else 0.0


def hash_rows(ids: pa.Array, capacity: int) -> Ints:
    """Returns the row of each id, as the preprocessing function hashes it; (N,)."""
    # Imported late: the command line reads `Collisions` and needs no TensorFlow, whose
    # import takes seconds and writes to standard error.
    import tensorflow as tf

    if len(ids) == 0:
        return np.empty(0, np.int64)
    values = tf.constant(ids.to_numpy(zero_copy_only=False))
    buckets: Ints = tf.strings.to_hash_bucket_fast(values, capacity).numpy()
    return buckets + FIRST_OOV_ROW


def measure_collisions(counts: BucketedCounts, capacity: int) -> Collisions:
    """Counts the ids that share a row.

    Args:
        counts: Impressions by id and day; all domains' are added up.
        capacity: Rows of the hashed space.
    """
    parts = [_hashed_counts(list(tables.values()), capacity) for tables in counts]
    rows, impressions = map(np.concatenate, zip(*parts, strict=True))
    used, position, ids_on_row = np.unique(
        rows, return_inverse=True, return_counts=True
    )
    shares = ids_on_row[position] > 1
    return Collisions(
        ids=len(rows),
        rows_used=len(used),
        shared_ids=int(shares.sum()),
        impressions=int(impressions.sum()),
        shared_impressions=int(impressions[shares].sum()),
    )


def _hashed_counts(tables: list[pa.Table], capacity: int) -> tuple[Ints, Ints]:
    """Returns the rows of a bucket's distinct ids, and their impressions."""
    of_id = merge_counts(tables).select(["id", "impressions"])
    # Arrow 10 cannot group by large_binary.
    of_id = of_id.set_column(0, "id", of_id.column("id").cast(pa.binary()))
    summed = of_id.group_by("id").aggregate([("impressions", "sum")])
    rows = hash_rows(summed.column("id").combine_chunks(), capacity)
    return rows, summed.column("impressions_sum").to_numpy()
