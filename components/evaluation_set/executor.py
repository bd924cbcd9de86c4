"""Executor of EvaluationSet: writes a gzipped TFRecord file for each raw file."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import tensorflow as tf
from tfx import types
from tfx.components.util import examples_utils
from tfx.dsl.components.base import base_beam_executor
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils
from tfx_bsl.coders.example_coder import RecordBatchToExamplesEncoder

from components.artifacts import stamp
from components.attempts import leave_value
from components.attempts import left_value
from components.attempts import remove_attempts
from components.attempts import replacing
from components.attempts import value_file
from components.evaluation_set.slice_rules import rules_from_json
from components.evaluation_set.slices import add_slices
from models.data.file_patterns import files_of
from models.data.raw_rows import rows_of_file
from models.days import DayRange
from models.errors import DataError

EVAL_SPLIT = "eval"


class WriteEvaluation(beam.DoFn):
    """Writes the impressions of some days in a raw file as tf.Examples."""

    def __init__(self, days: DayRange, slices: str) -> None:
        self._days = days
        self._slices = slices

    def process(self, item: tuple[str, str]) -> Iterator[int]:
        """Yields the number of impressions written, for paths of a file, in and out."""
        raw, target = item
        rules = rules_from_json(self._slices)
        batches = rows_of_file(raw, self._days)
        with replacing(Path(target)) as path:
            yield write_examples((add_slices(b, rules) for b in batches), path)


class Executor(base_beam_executor.BaseBeamExecutor):
    """Executor of `EvaluationSet`."""

    def Do(  # noqa: N802 (TFX's name)
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the impressions of a domain and range of days, with their slices.

        Raises:
            DataError: There is no such impression.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        output = artifact_utils.get_single_instance(output_dict["evaluation_examples"])
        days = DayRange(exec_properties["first_day"], exec_properties["last_day"])
        domain = exec_properties["domain"]
        folders = artifact_utils.get_split_uris(input_dict["examples"], domain)
        files = [path for folder in folders for path in files_of(f"{folder}/*.parquet")]
        output.split_names = artifact_utils.encode_split_names([EVAL_SPLIT])
        target = Path(artifact_utils.get_split_uri([output], EVAL_SPLIT))
        target.mkdir(parents=True, exist_ok=True)
        num_rows = self._write(files, target, days, exec_properties["slices"])
        remove_attempts(Path(output.uri))
        if num_rows == 0:
            raise DataError(
                f"{domain!r} has no rows in the evaluation days {days}; expected at "
                "least one to judge the model on. Ingest these days, choose another "
                "--day, or raise `evaluation_days`"
            )
        examples_utils.set_payload_format(
            output, example_gen_pb2.PayloadFormat.FORMAT_TF_EXAMPLE
        )
        output.span = days.last
        stamp(
            output,
            first_day=days.first,
            last_day=days.last,
            num_rows=num_rows,
            role="evaluation",
        )

    def _write(
        self, files: list[str], target: Path, days: DayRange, slices: str
    ) -> int:
        """Writes a file for each raw file and returns the number of impressions."""
        items = [
            (path, str(target / f"data_tfrecord-{i:05d}-of-{len(files):05d}.gz"))
            for i, path in enumerate(files)
        ]
        with value_file(target.parent) as rows:
            with self._make_beam_pipeline() as pipeline:
                _ = (
                    pipeline
                    | "Files" >> beam.Create(items)
                    | "SpreadFiles" >> beam.Reshuffle()
                    | "WriteEvaluation" >> beam.ParDo(WriteEvaluation(days, slices))
                    | "AddRows" >> beam.CombineGlobally(sum)
                    | "LeaveRows" >> beam.Map(leave_value, str(rows))
                )
            return int(left_value(rows))


def write_examples(batches: Iterable[pa.RecordBatch], path: Path) -> int:
    """Writes record batches of list columns as tf.Examples; returns their number."""
    encoder = RecordBatchToExamplesEncoder()
    num_rows = 0
    options = tf.io.TFRecordOptions(compression_type="GZIP")
    with tf.io.TFRecordWriter(str(path), options) as writer:
        for batch in batches:
            for example in encoder.encode(batch):
                writer.write(example)
            num_rows += batch.num_rows
    return num_rows
