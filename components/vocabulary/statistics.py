"""Statistics of numbers in a block of days, by analyzers of TensorFlow Transform."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import cast

import apache_beam as beam
import numpy as np
import pyarrow as pa
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx_bsl.tfxio import tensor_adapter

from components.transform.dense import first_values
from components.transform.dense import vectors
from models.compat import read_batches
from models.data.arrow_files import pq
from models.days import DayRange
from models.features.feature import Feature
from models.features.number_statistics import NumberStatistics
from models.features.number_statistics import choose_boundaries
from models.features.numeric import NumericKind

_BATCH_ROWS = 65_536
# Quantiles that boundaries are chosen from. One number in a thousand at each end is
# clipped before mean and deviation, so that a single absurd value does not decide them.
_QUANTILES = 1_000
_EPSILON = 1 / (4 * _QUANTILES)
_ROWS = "rows"
# An element is constant if its variance is at most this share of its mean square: what
# is left then are roundings.
_CONSTANT = 1e-12


class ReadColumns(beam.DoFn):
    """Reader of some columns of a Parquet shard."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = list(columns)

    def process(self, path: str) -> Iterator[pa.RecordBatch]:
        """Yields the record batches of the shard at `path`."""
        file = pq.ParquetFile(path)
        yield from read_batches(file, _BATCH_ROWS, columns=self._columns)


def measure(
    pipeline: beam.Pipeline,
    shards: Sequence[str],
    features: Sequence[Feature],
    folder: str,
) -> None:
    """Adds the analysis of a block to a pipeline; `read_measured` reads its result.

    Args:
        pipeline: The pipeline.
        shards: Paths of raw Examples.
        features: Features with values, at least one.
        folder: An existing folder for the result.
    """
    schema = pa.schema(
        [(f.name, pa.large_list(f.feature_kind.arrow_type())) for f in features]
    )
    config = tensor_adapter.TensorAdapterConfig(
        schema, {f.name: _lists_of(f.name) for f in features}
    )
    batches = (
        pipeline
        | "NumberShards" >> beam.Create(shards)
        | "SpreadNumberShards" >> beam.Reshuffle()
        | "ReadNumbers"
        >> beam.ParDo(ReadColumns(schema.names)).with_output_types(pa.RecordBatch)
    )
    temporary = tempfile.mkdtemp(dir=folder)
    with tft_beam.Context(temp_dir=temporary, force_tf_compat_v1=False):
        _ = (
            (batches, config)
            | "Analyze"
            >> tft_beam.AnalyzeDataset(lambda raw: _analyzers(raw, features))
            | "WriteNumbers" >> tft_beam.WriteTransformFn(folder)
        )


def read_measured(
    folder: str, features: Sequence[Feature], days: DayRange
) -> dict[str, NumberStatistics]:
    """Returns the statistics by feature that `measure` wrote, of those with values.

    Args:
        folder: Where they were written.
        features: The measured features.
        days: The block's days.
    """
    empty = {
        f.name: tf.sparse.from_dense(tf.zeros([1, 0], f.feature_kind.tensor_type))
        for f in features
    }
    output = tft.TFTransformOutput(folder).transform_raw_features(empty)
    measured = {
        name: value.numpy()[0].view(np.float64) for name, value in output.items()
    }
    found = {}
    for feature in features:
        values = int(measured[f"{feature.name}/values"][0])
        if not values:
            continue
        offset, squares = np.split(measured[f"{feature.name}/sums"] / values, 2)
        variance = squares - offset**2
        varies = variance > _CONSTANT * squares
        boundaries, shares = choose_boundaries(
            measured.get(f"{feature.name}/quantiles", ()), feature.buckets
        )
        found[feature.name] = NumberStatistics(
            boundaries=tuple(boundaries),
            shares=tuple(shares),
            mean=tuple((measured[f"{feature.name}/middle"] + offset).tolist()),
            deviation=tuple(np.sqrt(np.where(varies, variance, 1.0)).tolist()),
            values=values,
            missing=1 - values / int(measured[_ROWS][0]),
            first_day=days.first,
            last_day=days.last,
        )
    return found


def _lists_of(column: str) -> schema_pb2.TensorRepresentation:
    representation = schema_pb2.TensorRepresentation()
    representation.varlen_sparse_tensor.column_name = column
    return representation


def _analyzers(
    raw: Mapping[str, Any], features: Sequence[Feature]
) -> dict[str, tf.Tensor]:
    """Returns what `read_measured` reads, repeated for each impression."""
    num_rows = raw[features[0].name].dense_shape[0]
    found = {_ROWS: tft.sum(tf.ones([num_rows], tf.int64))}
    summed, widths = [], []
    for feature in features:
        if feature.is_vector:
            usable, middle, centred = _vector(raw[feature.name], feature)
        else:
            usable, middle, centred, quantiles = _number(raw[feature.name], feature)
            found[f"{feature.name}/quantiles"] = quantiles
        found[f"{feature.name}/middle"] = middle
        parts = tf.concat([tf.ones_like(centred[:, :1]), centred, centred**2], axis=1)
        usable = usable[:, tf.newaxis]  # (B, 1)
        summed.append(tf.where(usable, parts, tf.zeros_like(parts)))
        widths.append(parts.shape[1])
    # One analyzer for the sums of all features, as each costs Beam steps of its own.
    sums = tft.sum(tf.concat(summed, axis=1), reduce_instance_dims=False)
    for feature, part in zip(features, tf.split(sums, widths), strict=True):
        found[f"{feature.name}/values"] = part[:1]
        found[f"{feature.name}/sums"] = part[1:]
    return {name: _repeated(value, num_rows) for name, value in found.items()}


def _number(
    raw: tf.SparseTensor, feature: Feature
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns which numbers are usable, their middle, offsets (B, 1) and quantiles."""
    kind = cast(NumericKind, feature.feature_kind)
    numbers = tf.cast(first_values(raw, kind.missing), tf.float64)
    usable = kind.usable(numbers)
    known = tf.where(usable, kind.bounded(numbers), tf.cast(math.nan, tf.float64))
    quantiles = tft.quantiles(known, _QUANTILES, _EPSILON)  # leaves NaN out
    ends = tf.cast(tf.reshape(quantiles, [-1]), tf.float64)
    clipped = tf.clip_by_value(known, ends[0], ends[-1])
    # Centred, so that squares of large numbers do not lose their differences.
    middle = kind.scaled(ends[_QUANTILES // 2])
    return usable, middle, (kind.scaled(clipped) - middle)[:, tf.newaxis], quantiles


def _vector(
    raw: tf.SparseTensor, feature: Feature
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns which vectors are usable, their middle, and elements (B, length)."""
    elements = tf.cast(vectors(raw, feature.length or 0), tf.float64)
    usable = tf.reduce_all(tf.math.is_finite(elements), axis=1)
    return usable, tf.zeros([feature.length], tf.float64), elements


def _repeated(value: tf.Tensor, num_rows: Any) -> tf.Tensor:
    """Returns a value's 64-bit floats (num_rows, any), as the bits of integers.

    Transform has no outputs of 64-bit floats, and in 32 bits a variance is lost beside
    the square of a large mean.
    """
    row = tf.reshape(tf.cast(value, tf.float64), [1, -1])
    return tf.repeat(tf.bitcast(row, tf.int64), num_rows, axis=0)
