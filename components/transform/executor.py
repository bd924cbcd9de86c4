"""TFX's Transform with a vocabulary channel and Parquet written from record batches."""

from __future__ import annotations

import contextlib
import glob
import json
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_transform import impl_helper
from tfx import types
from tfx.components.transform import executor as tfx_executor
from tfx.components.util import examples_utils
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils
from tfx.types import standard_component_specs

from components.artifacts import stamp
from models.errors import DataError


def _to_table(batch: pa.RecordBatch, names: list[str]) -> pa.Table:
    return pa.Table.from_batches([batch]).select(names)


class ArrowTransformProcessor(tfx_executor.TransformProcessor):
    """Writes Parquet column-wise; TFX's own writer goes through row dictionaries."""

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
            | "ExtractRecordBatches" >> beam.Keys()
            | "ToTable" >> beam.Map(_to_table, arrow_schema.names)
            | "WriteToParquet"
            >> beam.io.WriteToParquetBatched(
                output_path,
                arrow_schema,
                file_name_suffix=".parquet",
                codec="snappy",
            )
        )


@contextlib.contextmanager
def _arrow_processor() -> Iterator[None]:
    # Executor.Do names the processor class itself and offers no other hook.
    original = tfx_executor.TransformProcessor
    tfx_executor.TransformProcessor = ArrowTransformProcessor
    try:
        yield
    finally:
        tfx_executor.TransformProcessor = original


def _check_rows(raw: types.Artifact, transformed: types.Artifact) -> None:
    """Raises `DataError` unless every split has as many rows as before."""
    for split in artifact_utils.decode_split_names(raw.split_names):
        before, after = (
            sum(
                pq.read_metadata(path).num_rows
                for path in glob.glob(
                    f"{artifact_utils.get_split_uri([artifact], split)}/*.parquet"
                )
            )
            for artifact in (raw, transformed)
        )
        if before != after:
            raise DataError(
                f"domain {split!r}: {before:,} rows went into Transform and {after:,} "
                "came out; the Beam runner lost or doubled rows: use "
                "direct_running_mode=in_memory"
            )


class Executor(tfx_executor.Executor):
    """Executor of `Transform`."""

    def Do(  # noqa: N802 (TFX's name)
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Transforms every split of the block with the block's own vocabulary."""
        key = standard_component_specs.CUSTOM_CONFIG_KEY
        custom_config = json.loads(exec_properties[key])
        fingerprint = custom_config.pop("fingerprint")
        custom_config["vocabulary_uri"] = artifact_utils.get_single_uri(
            input_dict["vocabulary"]
        )
        properties = {**exec_properties, key: json.dumps(custom_config)}
        with _arrow_processor():
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
