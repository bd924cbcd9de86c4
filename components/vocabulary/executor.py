"""Executor of the vocabularies: adds a block's ids, freezes numbers' statistics."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
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
from components.vocabulary.count_files import Key
from components.vocabulary.count_files import take_counts
from components.vocabulary.count_files import write_counts
from components.vocabulary.files import read_sightings
from components.vocabulary.files import read_vocabulary
from components.vocabulary.files import summarise
from components.vocabulary.files import summarise_hashed
from components.vocabulary.files import write_sightings
from components.vocabulary.files import write_vocabulary
from components.vocabulary.freezing import freeze
from components.vocabulary.logic import COUNTS_SCHEMA
from components.vocabulary.logic import Growth
from components.vocabulary.logic import Vocabulary as VocabularyContent
from components.vocabulary.logic import count_ids
from components.vocabulary.logic import counted_features
from components.vocabulary.logic import counted_lists
from components.vocabulary.logic import grow
from components.vocabulary.logic import merge_counts
from components.vocabulary.sharing import describe_sharing
from components.vocabulary.sharing import example_ids
from components.vocabulary.sharing import see
from components.vocabulary.sharing import shared_ids
from models import durable_files
from models.artifact_files import VOCABULARY_FILE
from models.artifact_files import split_folder
from models.artifact_files import split_of
from models.compat import read_batches
from models.data.arrow_files import pq
from models.days import DayRange
from models.errors import DataError
from models.features.id import SNAPSHOT_SPACES
from models.features.id_space import IdSpace
from models.features.table import DAY
from models.features.table import FeatureTable
from models.progress import PROGRESS
from models.vocabulary_files import read_summary

_BATCH_ROWS = 65_536

# Counts of a batch are added to the shard's when there are so many: often enough that
# they never pile up, seldom enough that the adding does not show.
_MERGE_ROWS = 1 << 20


# Ids in lists are counted under a name of their own, which no space can have: they make
# the vocabulary grow, and the domain has not shown them.
_LISTS = ":lists"


def columns_of(features: FeatureTable) -> dict[str, list[str]]:
    """Returns the columns whose ids are counted, by the name they are counted under."""
    columns = {}
    for space in sorted(features.vocabularies):
        columns[space] = counted_features(features, space)
        if lists := counted_lists(features, space):
            columns[f"{space}{_LISTS}"] = lists
    return columns


class CountIds(beam.DoFn):
    """Counts one shard's ids, per id space."""

    def __init__(self, columns: dict[str, list[str]]) -> None:
        self._columns = columns

    def process(self, path: str) -> Iterator[tuple[Key, pa.Table]]:
        """Yields ((space, domain), counts) for the Parquet shard at `path`."""
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
                    counts[space] = [merge_counts(counts[space])]
                    waiting[space] = 0
        for space, parts in counts.items():
            yield (space, domain), merge_counts(parts)


class MergeCounts(beam.CombineFn):
    """Adds the shards' counts up."""

    def create_accumulator(self) -> pa.Table:
        """Returns the empty count."""
        return COUNTS_SCHEMA.empty_table()

    def add_input(self, accumulator: pa.Table, counts: pa.Table) -> pa.Table:
        """Returns their sum."""
        return merge_counts([accumulator, counts])

    def merge_accumulators(self, accumulators: Iterable[pa.Table]) -> pa.Table:
        """Returns the sum of all."""
        return merge_counts(list(accumulators))

    def extract_output(self, accumulator: pa.Table) -> pa.Table:
        """Returns the counts."""
        return accumulator


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


def check_counts(space: str, counts: Iterable[pa.Table], logged: int) -> None:
    """Raises `DataError` unless every logged id was counted.

    The counts come through the Beam pipeline; the number of ids in the files does not,
    so a runner that loses elements is found out.
    """
    counted = sum(pc.sum(part.column("impressions")).as_py() or 0 for part in counts)
    if counted != logged:
        raise DataError(
            f"vocabulary {space!r}: {counted:,} ids were counted and {logged:,} are in "
            "the Examples; the Beam runner lost or doubled some; set "
            "`--direct_running_mode=in_memory` in beam_args"
        )


@dataclass(frozen=True)
class _Block:
    """Inputs of the vocabularies of a block.

    Attributes:
        folder: Where they are written.
        parent: Where those before the block are; None for the first block.
        parents: What `vocabulary.json` says of them.
        days: The block's days.
        target: The target domain.
        separate: By id space, sources that are stated to share no ids with it.
    """

    folder: Path
    parent: str | None
    parents: Mapping[str, Any]
    days: DayRange
    target: str
    separate: Mapping[str, list[str]]


def _hashed(
    block: _Block, space: str, counts: pa.Table, settings: IdSpace
) -> dict[str, Any]:
    """Measures a hashed space's collisions and returns its summary."""
    found = measure_collisions(counts, settings.capacity)
    # Readers find the files of every space; this one has no ids to list.
    write_vocabulary(block.folder, space, VocabularyContent.empty())
    PROGRESS.info(
        f"{space}: {found.ids:,} ids hashed into {settings.capacity:,} rows, "
        f"{found.rate:.1%} of them share a row"
    )
    return summarise_hashed(found, settings, block.days.last)


def _grown(
    block: _Block,
    space: str,
    counts: Mapping[str, pa.Table],
    in_lists: Mapping[str, pa.Table],
    settings: IdSpace,
) -> dict[str, Any]:
    """Grows an append-only space, writes it and returns its summary."""
    before = (
        read_vocabulary(block.parent, space)
        if block.parent
        else VocabularyContent.empty()
    )
    every = merge_counts([*counts.values(), *in_lists.values()])
    growth = grow(before, every, settings)
    written = write_vocabulary(block.folder, space, growth.vocabulary)
    parent = block.parents.get(space)
    summary = summarise(growth, settings, block.days.last, written, parent)
    line = (
        f"{space}: {summary['ids']:,} ids (+{summary['new']:,}), "
        f"{summary['fill']:.0%} of its capacity"
    )
    warnings: list[str] = []
    if growth.refused:
        warnings.append(
            f"{space}: {growth.refused:,} new ids were refused, because its table is "
            f"full; raise `vocabularies.{space}.capacity`, now {settings.capacity:,}"
        )
    if space in SNAPSHOT_SPACES:
        summary |= _shared(block, space, growth, counts)
        words, odd = describe_sharing(
            space,
            summary["shared"],
            block.target,
            example_ids(counts),
            block.separate.get(space, ()),
        )
        line += f"; {words}" if words else ""
        warnings += odd
    PROGRESS.info(line)
    for warning in warnings:
        PROGRESS.warning(warning)
    return summary


def _shared(
    block: _Block, space: str, growth: Growth, counts: Mapping[str, pa.Table]
) -> dict[str, Any]:
    """Writes the sightings; returns their hash and what the sources know."""
    earlier = read_sightings(block.parent, space) if block.parent else {}
    sightings = see(earlier, growth, counts)
    ids = growth.vocabulary.ids
    return {
        "sightings_hash": write_sightings(block.folder, space, sightings),
        "shared": shared_ids(sightings, ids, counts, block.target, block.days),
    }


class Executor(base_beam_executor.BaseBeamExecutor):
    """Executor of `Vocabulary`."""

    def Do(  # noqa: N802 (TFX's name)
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the vocabulary as of the block's last day, and the statistics.

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
        columns = columns_of(features)
        shards = sorted(
            str(path)
            for path in Path(examples.uri).glob(f"{split_folder('*')}/*.parquet")
        )
        self._count(shards, columns, folder)
        first_day, last_day = (
            examples.get_int_custom_property(name) for name in ("first_day", "last_day")
        )
        parent = previous[0].uri if previous else None
        days = DayRange(first_day, last_day)
        freeze(self._make_beam_pipeline, shards, features, days, parent, folder)
        block = _Block(
            folder,
            parent,
            read_summary(parent) if parent else {},
            days,
            exec_properties["target"],
            json.loads(exec_properties["separate_ids"]),
        )
        summary = _write_spaces(block, columns, features, logged_values(shards))
        text = json.dumps(summary, indent=1, sort_keys=True)
        durable_files.write_text(folder / VOCABULARY_FILE, text)
        stamp(
            output,
            first_day=first_day,
            last_day=last_day,
            fingerprint=exec_properties["fingerprint"],
            num_rows=examples.get_int_custom_property("num_rows"),
        )

    def _count(
        self, shards: list[str], columns: dict[str, list[str]], folder: Path
    ) -> None:
        """Counts the ids of all shards, by space and domain, into files of `folder`."""
        with self._make_beam_pipeline() as pipeline:
            _ = (
                pipeline
                | "Shards" >> beam.Create(shards)
                | "SpreadShards" >> beam.Reshuffle()
                | "CountIds" >> beam.ParDo(CountIds(columns))
                | "MergeCounts" >> beam.CombinePerKey(MergeCounts())
                | "WriteCounts" >> beam.Map(write_counts, str(folder))
            )


def _write_spaces(
    block: _Block,
    columns: Mapping[str, list[str]],
    features: FeatureTable,
    logged: Counter[str],
) -> dict[str, Any]:
    """Writes every space and returns the content of `vocabulary.json`."""
    summary = {}
    found = {}
    for name, counted in columns.items():
        found[name] = take_counts(block.folder, name)
        expected = sum(logged[column] for column in counted)
        check_counts(name, list(found[name].values()), expected)
    for space, settings in sorted(features.vocabularies.items()):
        shown, in_lists = found[space], found.get(f"{space}{_LISTS}", {})
        if settings.hashed:
            counts = merge_counts([*shown.values(), *in_lists.values()])
            summary[space] = _hashed(block, space, counts, settings)
        else:
            summary[space] = _grown(block, space, shown, in_lists, settings)
    return summary
