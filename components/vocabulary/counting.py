"""Counting of a block's ids on Beam workers, and the check that none was lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path

import apache_beam as beam
import pyarrow as pa

from components.vocabulary.buckets import split_by_bucket
from components.vocabulary.count_files import Key
from components.vocabulary.logic import COUNTS_SCHEMA
from components.vocabulary.logic import count_ids
from components.vocabulary.logic import counted_features
from components.vocabulary.logic import counted_lists
from components.vocabulary.logic import merge_counts
from models.artifact_files import split_of
from models.compat import read_batches
from models.data.arrow_files import pq
from models.errors import DataError
from models.features.table import DAY
from models.features.table import FeatureTable

_BATCH_ROWS = 65_536

# So many counts of batches are added up and handed on: often enough that they never
# pile up, seldom enough that the adding does not show.
_MERGE_ROWS = 1 << 20
_MERGE_PARTS = 16


# Ids in lists are counted under a name of their own, which no space can have: they make
# the vocabulary grow, and the domain has not shown them.
LISTS = ":lists"


def columns_of(features: FeatureTable) -> dict[str, list[str]]:
    """Returns the columns whose ids are counted, by the name they are counted under."""
    columns = {}
    for space in sorted(features.vocabularies):
        columns[space] = counted_features(features, space)
        if lists := counted_lists(features, space):
            columns[f"{space}{LISTS}"] = lists
    return columns


class CountIds(beam.DoFn):
    """Counts one shard's ids, per id space and bucket."""

    def __init__(self, columns: dict[str, list[str]], buckets: int) -> None:
        self._columns = columns
        self._buckets = buckets

    def process(self, path: str) -> Iterator[tuple[Key, pa.Table]]:
        """Yields ((space, domain, bucket), counts) for the Parquet shard at `path`.

        A key may come several times: what is counted is handed on before it piles up.
        """
        domain = split_of(Path(path).parent.name)
        names = sorted({DAY, *(n for names in self._columns.values() for n in names)})
        counts: dict[str, list[pa.Table]] = {space: [] for space in self._columns}
        waiting = dict.fromkeys(self._columns, 0)
        for batch in read_batches(pq.ParquetFile(path), _BATCH_ROWS, columns=names):
            table = pa.Table.from_batches([batch])
            for space, columns in self._columns.items():
                counts[space].append(count_ids(table, columns))
                waiting[space] += len(counts[space][-1])
                if waiting[space] > _MERGE_ROWS:
                    yield from self._split(space, domain, counts[space])
                    counts[space], waiting[space] = [], 0
        for space, parts in counts.items():
            yield from self._split(space, domain, parts)

    def _split(
        self, space: str, domain: str, parts: list[pa.Table]
    ) -> Iterator[tuple[Key, pa.Table]]:
        for bucket, table in split_by_bucket(merge_counts(parts), self._buckets):
            yield (space, domain, bucket), table


class MergeCounts(beam.CombineFn):
    """Adds the shards' counts up."""

    def create_accumulator(self) -> pa.Table:
        """Returns the empty count."""
        return COUNTS_SCHEMA.empty_table()

    def add_input(self, accumulator: pa.Table, counts: pa.Table) -> pa.Table:
        """Returns their sum, or both one after the other while these are few."""
        return _together([accumulator, counts])

    def merge_accumulators(self, accumulators: Iterable[pa.Table]) -> pa.Table:
        """Returns the sum of all, or all one after the other while these are few."""
        return _together(list(accumulators))

    def extract_output(self, accumulator: pa.Table) -> pa.Table:
        """Returns the counts."""
        return merge_counts([accumulator])


def _together(parts: list[pa.Table]) -> pa.Table:
    """Returns counts one after the other, added up once there are many parts.

    Adding up costs as much as all that was added before, so it is not done for each.
    """
    table = pa.concat_tables(parts)
    return (
        merge_counts([table]) if table.column("id").num_chunks > _MERGE_PARTS else table
    )


def logged_ids(
    shards: Iterable[str], columns: Mapping[str, Sequence[str]]
) -> dict[str, int]:
    """Returns how many ids are logged, as the Parquet footers say.

    Args:
        shards: Paths of the raw Examples.
        columns: The columns of each name that ids are counted under.

    Returns:
        By name.
    """
    values: Counter[str] = Counter()
    for path in shards:
        footer = pq.read_metadata(path)
        for group in map(footer.row_group, range(footer.num_row_groups)):
            for column in map(group.column, range(group.num_columns)):
                name = column.path_in_schema.split(".")[0]
                values[name] += column.num_values - column.statistics.null_count
    return {
        name: sum(values[column] for column in counted)
        for name, counted in columns.items()
    }


def check_counts(space: str, counted: int, logged: int) -> None:
    """Raises `DataError` unless every logged id was counted.

    The counts come through the Beam pipeline; the number of ids in the files does not,
    so a runner that loses elements is found out.
    """
    if counted != logged:
        raise DataError(
            f"vocabulary {space!r}: {counted:,} ids were counted and {logged:,} are in "
            "the Examples; the Beam runner lost or doubled some; set "
            "`--direct_running_mode=in_memory` in beam_args"
        )
