"""Executor of the vocabularies: adds a block's ids, freezes numbers' statistics."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
from tfx import types
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils

from components.artifacts import stamp
from components.vocabulary.buckets import BucketedCounts
from components.vocabulary.buckets import number_of_buckets
from components.vocabulary.collisions import measure_collisions
from components.vocabulary.count_files import counted_impressions
from components.vocabulary.count_files import read_counts
from components.vocabulary.count_files import remove_counts
from components.vocabulary.count_files import write_counts
from components.vocabulary.counting import LISTS
from components.vocabulary.counting import CountIds
from components.vocabulary.counting import MergeCounts
from components.vocabulary.counting import check_counts
from components.vocabulary.counting import columns_of
from components.vocabulary.counting import logged_ids
from components.vocabulary.files import read_sightings
from components.vocabulary.files import read_vocabulary
from components.vocabulary.files import summarise
from components.vocabulary.files import summarise_hashed
from components.vocabulary.files import write_sightings
from components.vocabulary.files import write_vocabulary
from components.vocabulary.freezing import freeze
from components.vocabulary.logic import Growth
from components.vocabulary.logic import Vocabulary as VocabularyContent
from components.vocabulary.logic import grow
from components.vocabulary.sharing import describe_sharing
from components.vocabulary.sharing import example_ids
from components.vocabulary.sharing import see
from models import durable_files
from models.artifact_files import VOCABULARY_FILE
from models.artifact_files import split_folder
from models.days import DayRange
from models.features.id import SNAPSHOT_SPACES
from models.features.id_space import IdSpace
from models.features.table import FeatureTable
from models.progress import PROGRESS
from models.vocabulary_files import read_summary


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
        buckets: Number of buckets in which its ids are counted.
    """

    folder: Path
    parent: str | None
    parents: Mapping[str, Any]
    days: DayRange
    target: str
    separate: Mapping[str, list[str]]
    buckets: int

    def counts(self, *spaces: str) -> BucketedCounts:
        """Returns the counts of an id space, or of several names of one."""

        def read(bucket: int) -> dict[str, pa.Table]:
            return {
                f"{domain}{space[len(spaces[0]) :]}": table
                for space in spaces
                for domain, table in read_counts(self.folder, space, bucket).items()
            }

        return BucketedCounts(self.buckets, read)


def _hashed(
    block: _Block, space: str, counts: BucketedCounts, settings: IdSpace
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
    block: _Block, space: str, every: BucketedCounts, settings: IdSpace
) -> dict[str, Any]:
    """Grows an append-only space, writes it and returns its summary."""
    before = (
        read_vocabulary(block.parent, space)
        if block.parent
        else VocabularyContent.empty()
    )
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
        counts = block.counts(space)
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
    block: _Block, space: str, growth: Growth, counts: BucketedCounts
) -> dict[str, Any]:
    """Writes the sightings; returns their hash and what the sources know."""
    earlier = read_sightings(block.parent, space) if block.parent else {}
    sightings, shared = see(earlier, growth, counts, block.target, block.days)
    return {
        "sightings_hash": write_sightings(block.folder, space, sightings),
        "shared": shared,
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
        parent = previous[0].uri if previous else None
        parents = read_summary(parent) if parent else {}
        logged = logged_ids(shards, columns)
        buckets = number_of_buckets(max(logged.values(), default=0))
        self._count(shards, columns, buckets, folder)
        first_day, last_day = (
            examples.get_int_custom_property(name) for name in ("first_day", "last_day")
        )
        days = DayRange(first_day, last_day)
        freeze(self._make_beam_pipeline, shards, features, days, parent, folder)
        block = _Block(
            folder,
            parent,
            parents,
            days,
            exec_properties["target"],
            json.loads(exec_properties["separate_ids"]),
            buckets,
        )
        summary = _write_spaces(block, features, logged)
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
        self,
        shards: list[str],
        columns: dict[str, list[str]],
        buckets: int,
        folder: Path,
    ) -> None:
        """Counts all shards' ids by space, domain and bucket into files of `folder`."""
        with self._make_beam_pipeline() as pipeline:
            _ = (
                pipeline
                | "Shards" >> beam.Create(shards)
                | "SpreadShards" >> beam.Reshuffle()
                | "CountIds" >> beam.ParDo(CountIds(columns, buckets))
                | "MergeCounts" >> beam.CombinePerKey(MergeCounts())
                | "WriteCounts" >> beam.Map(write_counts, str(folder))
            )


def _write_spaces(
    block: _Block, features: FeatureTable, logged: Mapping[str, int]
) -> dict[str, Any]:
    """Writes every space and returns the content of `vocabulary.json`."""
    for name, expected in logged.items():
        check_counts(name, counted_impressions(block.folder, name), expected)
    summary = {}
    for space, settings in sorted(features.vocabularies.items()):
        names = [name for name in (space, f"{space}{LISTS}") if name in logged]
        every = block.counts(*names)
        write = _hashed if settings.hashed else _grown
        summary[space] = write(block, space, every, settings)
        for name in names:
            remove_counts(block.folder, name)
    return summary
