"""Counts a block's ids with Beam and appends the new ones to yesterday's vocabulary."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc
from tfx import types
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils

from components.artifacts import stamp
from components.vocabulary.collisions import measure_collisions
from components.vocabulary.files import read_vocabulary
from components.vocabulary.files import summarise
from components.vocabulary.files import summarise_hashed
from components.vocabulary.files import write_vocabulary
from components.vocabulary.logic import COUNTS_SCHEMA
from components.vocabulary.logic import Vocabulary as VocabularyContent
from components.vocabulary.logic import count_ids
from components.vocabulary.logic import counted_features
from components.vocabulary.logic import grow
from components.vocabulary.logic import merge_counts
from models import durable_files
from models.artifact_files import VOCABULARY_FILE
from models.artifact_files import split_folder
from models.compat import read_batches
from models.data.arrow_files import pq
from models.errors import DataError
from models.features.id_space import IdSpace
from models.features.table import DAY
from models.features.table import FeatureTable
from models.progress import PROGRESS
from models.vocabulary_files import read_summary

_BATCH_ROWS = 65_536

# Counts of a batch are added to the shard's when there are so many: often enough that
# they never pile up, seldom enough that the adding does not show.
_MERGE_ROWS = 1 << 20


class CountIds(beam.DoFn):
    """Counts one shard's ids, per id space."""

    def __init__(self, columns: dict[str, list[str]]) -> None:
        self._columns = columns

    def process(self, path: str) -> Iterator[tuple[str, pa.Table]]:
        """Yields (space, counts) for the Parquet shard at `path`."""
        names = sorted({DAY, *(n for names in self._columns.values() for n in names)})
        counts: dict[str, list[pa.Table]] = {space: [] for space in self._columns}
        waiting = dict.fromkeys(self._columns, 0)
        for batch in read_batches(pq.ParquetFile(path), _BATCH_ROWS, columns=names):
            table = pa.Table.from_batches([batch])
            for space, columns in self._columns.items():
                counts[space].append(count_ids(table, columns))
                waiting[space] += len(counts[space][-1])
                if waiting[space] > _MERGE_ROWS:
                    counts[space] = [merge_counts(counts[space])]
                    waiting[space] = 0
        for space, parts in counts.items():
            yield space, merge_counts(parts)


class MergeCounts(beam.CombineFn):
    """Adds the shards' counts up."""

    def create_accumulator(self) -> pa.Table:
        """Returns the empty count."""
        return COUNTS_SCHEMA.empty_table()

    def add_input(self, accumulator: pa.Table, counts: pa.Table) -> pa.Table:
        """Returns the sum of both."""
        return merge_counts([accumulator, counts])

    def merge_accumulators(self, accumulators: Iterable[pa.Table]) -> pa.Table:
        """Returns the sum of all."""
        return merge_counts(list(accumulators))

    def extract_output(self, accumulator: pa.Table) -> pa.Table:
        """Returns the counts."""
        return accumulator


def _write_counts(item: tuple[str, pa.Table], folder: str) -> None:
    space, counts = item
    pq.write_table(counts, Path(folder) / f"{space}.counts.parquet")


def logged_values(shards: Iterable[str]) -> Counter[str]:
    """Returns how many values each column holds, as the Parquet footers say."""
    totals: Counter[str] = Counter()
    for path in shards:
        footer = pq.read_metadata(path)
        for group in map(footer.row_group, range(footer.num_row_groups)):
            for column in map(group.column, range(group.num_columns)):
                name = column.path_in_schema.split(".")[0]
                totals[name] += column.num_values - column.statistics.null_count
    return totals


def check_counts(space: str, counts: pa.Table, logged: int) -> None:
    """Raises `DataError` unless every logged id was counted.

    The counts come through the Beam pipeline; the number of ids in the files does not,
    so a runner that loses elements is found out.
    """
    counted = pc.sum(counts.column("impressions")).as_py() or 0
    if counted != logged:
        raise DataError(
            f"vocabulary {space!r}: {counted:,} ids were counted and {logged:,} are in "
            "the Examples; the Beam runner lost or doubled some: use "
            "direct_running_mode=in_memory"
        )


def _hashed(
    folder: Path, space: str, counts: pa.Table, settings: IdSpace, last_day: int
) -> dict[str, Any]:
    """Measures a hashed space's collisions and returns its summary."""
    found = measure_collisions(counts, settings.capacity)
    # Readers find the files of every space; this one has no ids to list.
    write_vocabulary(folder, space, VocabularyContent.empty())
    PROGRESS.info(
        f"{space}: {found.ids:,} ids hashed into {settings.capacity:,} rows, "
        f"{found.rate:.1%} of them share a row"
    )
    return summarise_hashed(found, settings, last_day)


def _grown(
    folder: Path,
    before: VocabularyContent,
    parent: dict[str, Any] | None,
    space: str,
    counts: pa.Table,
    settings: IdSpace,
    last_day: int,
) -> dict[str, Any]:
    """Grows an append-only space, writes it and returns its summary."""
    growth = grow(before, counts, settings)
    written = write_vocabulary(folder, space, growth.vocabulary)
    summary = summarise(growth, settings, last_day, written, parent)
    full = f", {growth.refused:,} refused, raise its capacity"
    PROGRESS.info(
        f"{space}: {summary['ids']:,} ids (+{summary['new']:,}), "
        f"{summary['fill']:.0%} full{full if growth.refused else ''}"
    )
    return summary


class Executor(base_beam_executor.BaseBeamExecutor):
    """Executor of `Vocabulary`."""

    def Do(  # noqa: N802 (TFX's name)
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the vocabulary as of the block's last day.

        Raises:
            DataError: The Beam runner lost or doubled ids, or the vocabulary of the
                block before is damaged.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        examples = artifact_utils.get_single_instance(input_dict["examples"])
        output = artifact_utils.get_single_instance(output_dict["vocabulary"])
        previous = input_dict.get("previous") or []
        features = FeatureTable.from_json(exec_properties["features"])
        folder = Path(output.uri)
        folder.mkdir(parents=True, exist_ok=True)
        spaces = sorted(features.vocabularies)
        columns = {space: counted_features(features, space) for space in spaces}
        every_split = split_folder("*")
        shards = [
            str(path)
            for path in sorted(Path(examples.uri).glob(f"{every_split}/*.parquet"))
        ]
        with self._make_beam_pipeline() as pipeline:
            _ = (
                pipeline
                | "Shards" >> beam.Create(shards)
                | "SpreadShards" >> beam.Reshuffle()
                | "CountIds" >> beam.ParDo(CountIds(columns))
                | "MergeCounts" >> beam.CombinePerKey(MergeCounts())
                | "WriteCounts" >> beam.Map(_write_counts, str(folder))
            )
        parent = previous[0].uri if previous else None
        parents = read_summary(parent) if parent else {}
        logged = logged_values(shards)
        summary = {}
        for space in spaces:
            counts_path = folder / f"{space}.counts.parquet"
            counts = pq.read_table(counts_path)
            counts_path.unlink()
            check_counts(space, counts, sum(logged[name] for name in columns[space]))
            settings = features.vocabularies[space]
            last_day = examples.get_int_custom_property("last_day")
            summary[space] = (
                _hashed(folder, space, counts, settings, last_day)
                if settings.hashed
                else _grown(
                    folder,
                    read_vocabulary(parent, space)
                    if parent
                    else VocabularyContent.empty(),
                    parents.get(space),
                    space,
                    counts,
                    settings,
                    last_day,
                )
            )
        text = json.dumps(summary, indent=1, sort_keys=True)
        durable_files.write_text(folder / VOCABULARY_FILE, text)
        stamp(
            output,
            first_day=examples.get_int_custom_property("first_day"),
            last_day=examples.get_int_custom_property("last_day"),
            fingerprint=exec_properties["fingerprint"],
            num_rows=examples.get_int_custom_property("num_rows"),
        )
