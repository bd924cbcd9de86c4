"""Stock TFX ingest of the same Parquet, as a TFX user would write it.

ExampleGen with TFX's Parquet executor, StatisticsGen, ImportSchemaGen and Transform.
All settings are TFX's defaults (gzip TFRecords of tf.Examples, splits train and eval by
hash) with one exception: Transform's statistics of its input and output are off. They
would compute statistics a second and a third time, which this pipeline does not do
either, and would make stock TFX look slower than necessary. `domain` is in the files'
paths alone, so stock TFX encodes one feature less.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any
from unittest import mock

import tensorflow as tf
import tensorflow_transform as tft
from tfx import v1 as tfx
from tfx.components.example_gen.component import FileBasedExampleGen
from tfx.components.example_gen.custom_executors import parquet_executor
from tfx.dsl.components.base import executor_spec
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.portable import launcher
from tfx.proto import example_gen_pb2

from benchmarks import simulated_logs


def preprocessing_fn(inputs: dict[str, Any]) -> dict[str, Any]:
    """Encodes the features of the files with vocabularies computed by TFT.

    The Parquet executor writes no value for a 0, so a missing label or rate is 0; the
    simulated counts are above 0.
    """
    outputs = {}
    buckets = simulated_logs.OOV_BUCKETS
    outputs["user_id"] = tft.compute_and_apply_vocabulary(
        _first(inputs["user_id"], ""),
        top_k=simulated_logs.CAPACITIES["user"],
        num_oov_buckets=buckets,
        vocab_filename="user",
    )
    items = _first(inputs["item_id"], "")
    # Not compute_and_apply_vocabulary in one call, as the list shares the vocabulary.
    vocabulary = tft.vocabulary(
        items, top_k=simulated_logs.CAPACITIES["item"], vocab_filename="item"
    )
    outputs["item_id"] = tft.apply_vocabulary(
        items, vocabulary, num_oov_buckets=buckets
    )
    recent = tft.sparse_tensor_to_dense_with_shape(
        inputs["recent_items"], [None, simulated_logs.MAX_LENGTH], ""
    )
    outputs["recent_items"] = tft.apply_vocabulary(
        recent, vocabulary, num_oov_buckets=buckets
    )
    for name in simulated_logs.COUNTS:
        outputs |= _bucketized(name, tf.math.log1p(_number(inputs[name], -1)))
    for name in simulated_logs.RATES:
        outputs |= _bucketized(name, _number(inputs[name], 0.0))
    outputs["label"] = _first(inputs["label"], 0)
    return outputs


def _number(raw: Any, missing: Any) -> tf.Tensor:
    return tf.cast(_first(raw, missing), tf.float32)


def _bucketized(name: str, numbers: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns quantile buckets and standardised values, both by TFT."""
    return {
        name: tft.bucketize(numbers, 16),
        f"{name}_value": tft.scale_to_z_score(numbers),
    }


def _first(raw: Any, missing: Any) -> tf.Tensor:
    if not isinstance(raw, tf.SparseTensor):
        return tf.reshape(raw, [-1])
    dense = tft.sparse_tensor_to_dense_with_shape(raw, [None, 1], missing)
    return tf.squeeze(dense, axis=1)


def count_rows(root: Path) -> int:
    """Returns the number of transformed Examples below `root`."""
    files = map(str, root.glob("artifacts/Transform/transformed_examples/*/*/*.gz"))
    return sum(1 for _ in tf.data.TFRecordDataset(list(files), "GZIP"))


def run_stock(logs: Path, schema: Path, root: Path) -> dict[str, float]:
    """Runs the four components and returns the seconds of each."""
    examples = FileBasedExampleGen(
        input_base=str(logs),
        input_config=example_gen_pb2.Input(
            splits=[example_gen_pb2.Input.Split(name="all", pattern="*/*/*.parquet")]
        ),
        custom_executor_spec=executor_spec.BeamExecutorSpec(parquet_executor.Executor),
    )
    statistics = tfx.components.StatisticsGen(examples=examples.outputs["examples"])
    curated = tfx.components.ImportSchemaGen(schema_file=str(schema))
    transform = tfx.components.Transform(
        examples=examples.outputs["examples"],
        schema=curated.outputs["schema"],
        preprocessing_fn="benchmarks.stock_ingest.preprocessing_fn",
        disable_statistics=True,
    )
    graph = tfx.dsl.Pipeline(
        pipeline_name="stock",
        pipeline_root=str(root / "artifacts"),
        components=[examples, statistics, curated, transform],
        metadata_connection_config=(
            tfx.orchestration.metadata.sqlite_metadata_connection_config(
                str(root / "metadata.sqlite")
            )
        ),
        beam_pipeline_args=[
            "--direct_running_mode=in_memory",
            "--direct_num_workers=1",
        ],
    )
    seconds: dict[str, float] = {}

    class TimedLauncher(launcher.Launcher):
        """Launcher that records the seconds of every node."""

        def launch(self) -> Any:
            started = time.monotonic()
            info = super().launch()
            seconds[self._pipeline_node.node_info.id] = time.monotonic() - started
            return info

    with mock.patch.object(launcher, "Launcher", TimedLauncher):
        LocalDagRunner().run(graph)
    return seconds
