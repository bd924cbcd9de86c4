"""Executor of EvaluationSet: writes one gzipped TFRecord file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import tensorflow as tf
from tfx import types
from tfx.components.util import examples_utils
from tfx.dsl.components.base import base_executor
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils
from tfx_bsl.coders.example_coder import RecordBatchToExamplesEncoder

from components.artifacts import stamp
from components.evaluation_set.slice_rules import rules_from_json
from components.evaluation_set.slices import add_slices
from models.data.raw_rows import rows_of_days
from models.days import DayRange
from models.errors import DataError

EVAL_SPLIT = "eval"


class Executor(base_executor.BaseExecutor):
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
        uris = artifact_utils.get_split_uris(input_dict["examples"], domain)
        output.split_names = artifact_utils.encode_split_names([EVAL_SPLIT])
        target = Path(artifact_utils.get_split_uri([output], EVAL_SPLIT))
        target.mkdir(parents=True, exist_ok=True)
        rules = rules_from_json(exec_properties["slices"])
        num_rows = write_examples(
            (add_slices(batch, rules) for batch in rows_of_days(uris, days)),
            target / "data_tfrecord-00000-of-00001.gz",
        )
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
