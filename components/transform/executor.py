"""Executor of Transform: vocabulary channel, and Parquet from record batches."""

from __future__ import annotations

import json
from collections.abc import Iterable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_transform import impl_helper
from tfx import types
from tfx.components.transform import executor as tfx_executor
from tfx.components.util import examples_utils
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils
from tfx.types import standard_component_specs

from components.artifacts import stamp
from components.attempts import leave_value
from components.attempts import left_value
from components.attempts import value_file
from components.compat import transform_with
from components.transform.encoding import Counts
from components.transform.encoding import add_counts
from components.transform.encoding import count_encoded
from components.transform.encoding import describe_encoding
from components.transform.encoding import sizes_before
from components.transform.encoding import to_json
from components.transform.encoding import unknown_lists
from components.transform.number_counts import NumberCounts
from components.transform.number_counts import add_number_counts
from components.transform.number_counts import count_encoded_numbers
from components.transform.number_counts import count_logged
from components.transform.number_counts import describe_numbers
from components.transform.number_counts import numbers_to_json
from models.artifact_files import ENCODING_FILE
from models.compat import read_batches
from models.data.arrow_files import pq
from models.data.file_patterns import files_of
from models.days import DayRange
from models.errors import DataError
from models.features.kind import value_column
from models.features.table import DAY
from models.features.table import FeatureTable
from models.progress import PROGRESS
from models.statistics_files import read_statistics
from models.vocabulary_files import check_vocabulary
from models.vocabulary_files import read_summary

# Size of the Examples' row groups, so that one batch is one group.
_COUNT_ROWS = 65_536


def _to_table(transformed: tuple[pa.RecordBatch, Any], names: list[str]) -> pa.Table:
    batch, _ = transformed
    return pa.Table.from_batches([batch]).select(names)


class ArrowTransformProcessor(tfx_executor.TransformProcessor):
    """Processor that writes Parquet by column; TFX's writer uses row dictionaries."""

    @staticmethod
    @beam.ptransform_fn
    def _EncodeAndWrite(  # noqa: N802 (TFX's name)
        pcoll: beam.PCollection,
        schema: schema_pb2.Schema,
        file_format: str,  # noqa: ARG004 (TFX's signature; only Parquet gets here)
        output_path: str,
    ) -> Any:
        arrow_schema = impl_helper.make_tensor_to_arrow_converter(schema).arrow_schema()
        return (
            pcoll
            # Beam ignores the annotation, and without a type it takes its own coder.
            | "ToTable"
            >> beam.Map(_to_table, arrow_schema.names).with_output_types(pa.Table)
            | "WriteToParquet"
            >> beam.io.WriteToParquetBatched(
                output_path,
                arrow_schema,
                file_name_suffix=".parquet",
                codec="snappy",
            )
        )


def _check_rows(raw: types.Artifact, transformed: types.Artifact) -> None:
    """Raises `DataError` unless every split keeps its number of impressions."""
    for split in artifact_utils.decode_split_names(raw.split_names):
        before, after = (
            sum(
                pq.read_metadata(path).num_rows
                for path in files_of(
                    f"{artifact_utils.get_split_uri([artifact], split)}/*.parquet"
                )
            )
            for artifact in (raw, transformed)
        )
        if before != after:
            raise DataError(
                f"domain {split!r}: {before:,} rows went into Transform and {after:,} "
                "came out; the Beam runner lost or doubled rows; set "
                "`--direct_running_mode=in_memory` in beam_args"
            )


# Counts of ids and of numbers.
_Counted = tuple[Counts, NumberCounts]


class CountEncoded(beam.DoFn):
    """Counter of the encoded ids and numbers of a file, raw or transformed."""

    def __init__(
        self, features: str, days: DayRange, before: dict[str, npt.NDArray[np.int64]]
    ) -> None:
        self._features = FeatureTable.from_json(features)
        self._days = days
        self._before = before

    def process(self, item: tuple[str, str, bool]) -> Iterator[tuple[str, _Counted]]:
        """Yields (domain, counts) for the (domain, path, is raw) of a Parquet file."""
        domain, path, is_raw = item
        features = self._features
        numbers = [f.name for f in features.with_values]
        ids = [f.name for f in features.features if f.is_id]
        values = [value_column(name) for name in numbers]
        names = numbers if is_raw else [DAY, *ids, *numbers, *values]
        for batch in read_batches(pq.ParquetFile(path), _COUNT_ROWS, columns=names):
            table = pa.Table.from_batches([batch])
            if is_raw:
                yield domain, ({}, count_logged(table, features))
                continue
            counts = count_encoded(table, features, self._days, self._before)
            yield domain, (counts, count_encoded_numbers(table, features))


def _add_counted(parts: Iterable[_Counted]) -> _Counted:
    together = list(parts)
    return (
        add_counts(counts for counts, _ in together),
        add_number_counts(numbers for _, numbers in together),
    )


def _write_encoding(
    by_domain: list[tuple[str, _Counted]],
    path: str,
    days: DayRange,
    features: str,
    vocabulary: str,
) -> None:
    counts = {domain: ids for domain, (ids, _) in sorted(by_domain)}
    numbers = {domain: found for domain, (_, found) in sorted(by_domain)}
    content, table = to_json(counts, days), FeatureTable.from_json(features)
    content["numbers"] = numbers_to_json(numbers)
    Path(path).write_text(json.dumps(content), encoding="utf-8")
    for line in describe_encoding(counts, table):
        PROGRESS.info(line)
    unknown = unknown_lists(content["domains"], table)
    for warning in (*unknown, *describe_numbers(numbers, read_statistics(vocabulary))):
        PROGRESS.warning(warning)


class Executor(tfx_executor.Executor):
    """Executor of `Transform`."""

    def Do(  # noqa: N802 (TFX's name)
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Transforms every split of the block with the block's vocabulary."""
        key = standard_component_specs.CUSTOM_CONFIG_KEY
        custom_config = json.loads(exec_properties[key])
        fingerprint = custom_config.pop("fingerprint")
        custom_config["vocabulary_uri"] = artifact_utils.get_single_uri(
            input_dict["vocabulary"]
        )
        check_vocabulary(custom_config["vocabulary_uri"])
        properties = {**exec_properties, key: json.dumps(custom_config)}
        with transform_with(ArrowTransformProcessor):
            super().Do(input_dict, output_dict, properties)
        raw = artifact_utils.get_single_instance(
            input_dict[standard_component_specs.EXAMPLES_KEY]
        )
        examples = artifact_utils.get_single_instance(
            output_dict[standard_component_specs.TRANSFORMED_EXAMPLES_KEY]
        )
        _check_rows(raw, examples)
        graph = artifact_utils.get_single_instance(
            output_dict[standard_component_specs.TRANSFORM_GRAPH_KEY]
        )
        examples_utils.set_payload_format(
            examples, example_gen_pb2.PayloadFormat.FORMAT_PARQUET
        )
        examples_utils.set_file_format(examples, "FILE_FORMAT_PARQUET")
        examples.span = raw.span
        for artifact in (examples, graph):
            stamp(
                artifact,
                first_day=raw.get_int_custom_property("first_day"),
                last_day=raw.get_int_custom_property("last_day"),
                num_rows=raw.get_int_custom_property("num_rows"),
                fingerprint=fingerprint,
            )
        stamp(examples, role="transformed")
        days = DayRange(
            raw.get_int_custom_property("first_day"),
            raw.get_int_custom_property("last_day"),
        )
        self._report_encoding(
            raw,
            examples,
            days,
            custom_config["vocabulary_uri"],
            custom_config["features"],
        )

    def _report_encoding(
        self,
        raw: types.Artifact,
        examples: types.Artifact,
        days: DayRange,
        vocabulary: str,
        features: str,
    ) -> None:
        """Writes `encoding.json`, the counts of encoded ids and numbers."""
        parts = [(examples, False)]
        if FeatureTable.from_json(features).with_values:
            parts.append((raw, True))
        files = [
            (domain, path, is_raw)
            for artifact, is_raw in parts
            for domain in artifact_utils.decode_split_names(artifact.split_names)
            for path in files_of(
                f"{artifact_utils.get_split_uri([artifact], domain)}/*.parquet"
            )
        ]
        before = {
            space: sizes_before(summary, days)
            for space, summary in read_summary(vocabulary).items()
            if summary["encoding"] == "append_only"
        }
        with value_file(Path(examples.uri)) as path:
            with self._make_beam_pipeline() as pipeline:
                _ = (
                    pipeline
                    | "Files" >> beam.Create(files)
                    | "SpreadFiles" >> beam.Reshuffle()
                    | "CountEncoded" >> beam.ParDo(CountEncoded(features, days, before))
                    | "AddCounts" >> beam.CombinePerKey(_add_counted)
                    | "CollectDomains" >> beam.combiners.ToList()
                    | "LeaveCounts" >> beam.Map(leave_value, str(path))
                )
            by_domain = left_value(path)
        # Here, as progress is shown in the executor's process.
        _write_encoding(
            by_domain, f"{examples.uri}/{ENCODING_FILE}", days, features, vocabulary
        )
