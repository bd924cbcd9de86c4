"""Counting ids and growing a vocabulary: pure functions over Arrow columns.

Laws (tested): a row never moves and is never reused; the order of rows within a day
does not matter; a block of many days grows the same vocabulary as its days one by one;
a full vocabulary leaves new ids to the out-of-vocabulary buckets and counts them;
the number of buckets, of which one is in memory at a time, does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.vocabulary.buckets import BucketedCounts
from components.vocabulary.buckets import Ints
from components.vocabulary.buckets import split_by_bucket
from models.features.id_space import IdSpace
from models.features.table import DAY
from models.features.table import FeatureTable

COUNTS_SCHEMA = pa.schema(
    [("id", pa.large_binary()), ("day", pa.int64()), ("impressions", pa.int64())]
)
PENDING_SCHEMA = pa.schema([("id", pa.large_binary()), ("impressions", pa.int64())])
_ADMISSIONS = pa.schema([("day", pa.int64()), ("id", pa.large_binary())]).empty_table()


@dataclass(frozen=True)
class Vocabulary:
    """One id space at one day.

    Attributes:
        ids: Ids in row order; the first has row `IdSpace.first_id_row`.
        pending: Ids that have not reached `min_count` yet, with their impressions;
            empty once the table is full.
    """

    ids: pa.Array
    pending: pa.Table

    @classmethod
    def empty(cls) -> Vocabulary:
        """Returns the vocabulary before the first day."""
        return cls(pa.array([], pa.large_binary()), PENDING_SCHEMA.empty_table())


@dataclass(frozen=True)
class Growth:
    """Change that one block of days made to a vocabulary.

    Attributes:
        vocabulary: The grown vocabulary.
        new: Ids that got a row, by the day on which they got it.
        refused: Ids that reached `min_count` and found the table full.
        unusable: Ids with a line break, which a vocabulary file cannot hold.
    """

    vocabulary: Vocabulary
    new: dict[int, int]
    refused: int
    unusable: int


def counted_features(features: FeatureTable, space: str) -> list[str]:
    """Returns the features whose ids are shown by impressions of `space`.

    A list repeats ids that were counted when they were shown themselves, so lists only
    count in a space that has no other feature, or if they say so: `counted_lists`.
    """
    of_space = [f for f in features.features if f.vocabulary == space]
    single = [feature.name for feature in of_space if feature.is_single_id]
    return single or [feature.name for feature in of_space]


def counted_lists(features: FeatureTable, space: str) -> list[str]:
    """Returns the lists with `counts: true` of a space that also has single ids.

    Each mention of an id in a list counts like an impression of it, on the day of the
    impression that has the list.
    """
    shown = counted_features(features, space)
    return [
        feature.name
        for feature in features.features
        if feature.vocabulary == space and feature.counts and feature.name not in shown
    ]


def count_ids(examples: pa.Table, names: Sequence[str]) -> pa.Table:
    """Counts the ids of the columns `names` by day.

    Args:
        examples: Raw Examples; list columns, with the column `day`.
        names: Columns of ids.

    Returns:
        Table of `COUNTS_SCHEMA`, one row per id and day.
    """
    parts = []
    days = pc.list_flatten(examples.column(DAY).combine_chunks())
    for name in names:
        lists = examples.column(name).combine_chunks()
        rows = pc.list_parent_indices(lists)
        ids = pc.list_flatten(lists).cast(pa.large_binary())
        impressions = pa.array(np.ones(len(ids), np.int64))
        parts.append(
            pa.table([ids, days.take(rows), impressions], schema=COUNTS_SCHEMA)
        )
    return merge_counts(parts)


def merge_counts(parts: Sequence[pa.Table]) -> pa.Table:
    """Adds tables of `COUNTS_SCHEMA` up; the order of `parts` does not matter."""
    if not parts:
        return COUNTS_SCHEMA.empty_table()
    table = pa.concat_tables(parts)
    # Arrow 10 cannot group by large_binary; binary holds 2 GiB of ids per chunk.
    table = table.set_column(0, "id", table.column("id").cast(pa.binary()))
    summed = table.group_by(["id", "day"]).aggregate([("impressions", "sum")])
    columns = summed.select(["id", "day", "impressions_sum"])
    return columns.rename_columns(COUNTS_SCHEMA.names).cast(COUNTS_SCHEMA)


def positions(wanted: pa.ChunkedArray, ids: pa.Array) -> Ints:
    """Returns the position of each wanted id in `ids`, -1 without one.

    Takes memory by the number of wanted ids, and time by that of both.

    Args:
        wanted: `large_binary`, (M,); an id may occur several times.
        ids: Distinct ids, `large_binary`, (N,).

    Returns:
        (M,).
    """
    coded = wanted.combine_chunks().dictionary_encode()
    found = np.full(len(coded.dictionary), -1, np.int64)
    # The wanted ids are the table that is built, as a vocabulary has many more.
    index = pc.index_in(ids, value_set=coded.dictionary)
    present = np.flatnonzero(index.is_valid().to_numpy(zero_copy_only=False))
    found[index.drop_null().to_numpy()] = present
    of_wanted: Ints = found[coded.indices.to_numpy()]
    return of_wanted


def grow(previous: Vocabulary, counts: BucketedCounts, space: IdSpace) -> Growth:
    """Appends the ids that reached `min_count` to `previous`.

    New ids are ordered by the day on which they reached `min_count`, then by their
    bytes, so the result depends on what was logged when, not on file order, not on how
    the days were cut into blocks and not on the number of buckets.

    Args:
        previous: The vocabulary as of the day before the block.
        counts: Impressions by id and day of the block; all domains' are added up.
        space: Capacity and `min_count`.

    Returns:
        The grown vocabulary and what was added.
    """
    pending = dict(split_by_bucket(previous.pending, counts.buckets))
    admitted, waiting, unusable = [_ADMISSIONS], [PENDING_SCHEMA.empty_table()], 0
    for bucket, parts in enumerate(counts):
        table = merge_counts(list(parts.values()))
        ids = table.column("id")
        unseen = pa.array(positions(ids, previous.ids) < 0)
        usable = pc.invert(pc.match_substring_regex(ids, r"[\r\n]"))
        refused = pc.and_(unseen, pc.invert(usable))
        unusable += len(pc.unique(ids.filter(refused)))
        table = _with_pending(
            pending.pop(bucket, PENDING_SCHEMA.empty_table()),
            table.filter(pc.and_(unseen, usable)),
        )
        if len(table):
            admission, still = _admit(table, space.min_count)
            admitted.append(admission)
            waiting.append(still)
    return _grown(
        previous,
        _sorted(pa.concat_tables(admitted), "day", "id"),
        _sorted(pa.concat_tables(waiting), "id"),
        unusable,
        space,
    )


def _grown(
    previous: Vocabulary,
    admission: pa.Table,
    waiting: pa.Table,
    unusable: int,
    space: IdSpace,
) -> Growth:
    """Returns the growth by the ids of `admission`, in its order."""
    room = max(space.capacity - len(previous.ids), 0)
    new = admission.slice(0, room)
    all_ids = pa.concat_arrays([previous.ids, *new.column("id").chunks])
    if len(all_ids) >= space.capacity:
        # No id that waits can ever enter; keeping only some of them would make the
        # file depend on how the days were cut into blocks.
        waiting = PENDING_SCHEMA.empty_table()
    days, of_day = np.unique(new.column("day").to_numpy(), return_counts=True)
    by_day = dict(zip(days.tolist(), of_day.tolist(), strict=True))
    refused = len(admission) - len(new)
    return Growth(Vocabulary(all_ids, waiting), by_day, refused, unusable)


def _sorted(table: pa.Table, *columns: str) -> pa.Table:
    """Returns the rows in ascending order of `columns`."""
    keys = [(column, "ascending") for column in columns]
    return table.take(pc.sort_indices(table, sort_keys=keys))


def _with_pending(pending: pa.Table, counts: pa.Table) -> pa.Table:
    """Returns the counts of a block after those of the ids that were pending.

    Ordered by id, then by day.
    """
    # What is pending counts as shown before the block's first day.
    before = np.full(len(pending), np.iinfo(np.int64).min)
    past = pa.table(
        [pending.column("id"), pa.array(before), pending.column("impressions")],
        schema=COUNTS_SCHEMA,
    )
    table = pa.concat_tables([past, counts])
    return _sorted(table, "id", "day").combine_chunks()


def _admit(table: pa.Table, min_count: int) -> tuple[pa.Table, pa.Table]:
    """Returns the ids that reach `min_count`, and those that do not.

    Args:
        table: Counts ordered by id, then by day; one at least.
        min_count: Impressions that an id needs.

    Returns:
        The admitted ids with their days, ordered by id; and the others,
        `PENDING_SCHEMA`.
    """
    ids = table.column("id")
    changes = pc.not_equal(ids.slice(1), ids.slice(0, len(ids) - 1))
    starts = np.flatnonzero(np.concatenate([[True], changes.to_numpy()]))
    lengths = np.diff(np.append(starts, len(table)))
    shown = table.column("impressions").to_numpy()
    running = np.cumsum(shown)
    base = np.repeat(running[starts] - shown[starts], lengths)
    total = running - base  # impressions of the row's id up to the row's day
    reached = total >= min_count
    group = np.repeat(np.arange(len(starts)), lengths)
    admitted, first = np.unique(group[reached], return_index=True)
    rows = pa.array(np.flatnonzero(reached)[first])
    admission = pa.table({"day": table.column("day").take(rows), "id": ids.take(rows)})
    still = np.setdiff1d(np.arange(len(starts)), admitted, assume_unique=True)
    last = starts + lengths - 1
    waiting = pa.table(
        [ids.take(pa.array(starts[still])), pa.array(total[last[still]])],
        schema=PENDING_SCHEMA,
    )
    return admission, waiting
