"""Requests to an exported model, built from raw impressions.

A raw impression maps features to lists of values, empty where missing, as in raw
Examples.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import tensorflow as tf

from models.compat import read_batches
from models.data.arrow_files import pq
from models.data.file_patterns import files_of
from models.days import DayRange
from models.features.feature import Feature
from models.features.table import DAY
from models.features.table import FeatureTable

Row = Mapping[str, Sequence[Any]]
Tensors = dict[str, npt.NDArray[Any]]

_BATCH_ROWS = 65_536


def raw_type(feature: Feature) -> tf.DType:
    """Returns the dtype of a feature's raw tensor."""
    return tf.as_dtype(feature.feature_kind.tensor_type)


def inputs_of(signature: str, features: FeatureTable, rows: Sequence[Row]) -> Tensors:
    """Returns the input tensors of a request for some impressions.

    Args:
        signature: One of the exported signatures. `rank` takes user and context
            features from the first impression.
        features: The model's features.
        rows: At least one raw impression.

    Returns:
        Arrays by input: `examples` of shape (B,), or an array of shape (B,) or (B, L)
        per feature, with B = 1 for user and context features of `rank`.
    """
    if signature in ("predict", "rank"):
        return {
            feature.name: _raw_tensor(feature, rows)
            if signature == "predict" or feature.served_side == "item"
            else _raw_tensor(feature, rows[:1])
            for feature in features.requested
        }
    return {"examples": np.array([serialized(features, row) for row in rows], object)}


def raw_rows(
    patterns: Sequence[str], features: FeatureTable, days: DayRange, most: int
) -> Iterator[Row]:
    """Yields up to `most` raw impressions of some days, in file order.

    Args:
        patterns: Globs of raw Examples (Parquet).
        features: The features to read.
        days: The days.
        most: Largest number of impressions.
    """
    names = [feature.name for feature in features.logged]
    left = most
    for path in sorted({path for pattern in patterns for path in files_of(pattern)}):
        with pq.ParquetFile(path) as file:
            for batch in read_batches(file, _BATCH_ROWS, columns=[DAY, *names]):
                day = batch[DAY].flatten().to_numpy()
                inside = np.flatnonzero((day >= days.first) & (day <= days.last))
                for row in batch.take(pa.array(inside[:left])).to_pylist():
                    yield {name: row[name] or () for name in names}
                    left -= 1
                if left == 0:
                    return


def serialized(features: FeatureTable, row: Row) -> bytes:
    """Returns an impression as a serialized tf.Example, without missing features."""
    example = tf.train.Example()
    for feature in features.requested:
        values = row.get(feature.name) or ()
        if not values:
            continue
        into = example.features.feature[feature.name]
        kind = feature.feature_kind.tensor_type
        if kind == "string":
            into.bytes_list.value.extend(_bytes(value) for value in values)
        elif kind == "int64":
            into.int64_list.value.extend(values)
        else:
            into.float_list.value.extend(values)
    encoded: bytes = example.SerializeToString()
    return encoded


def _raw_tensor(feature: Feature, rows: Sequence[Row]) -> npt.NDArray[Any]:
    missing = feature.feature_kind.missing
    dtype = raw_type(feature).as_numpy_dtype
    lists = [list(row.get(feature.name) or ()) for row in rows]
    if feature.is_id:
        lists = [[_bytes(value) for value in values] for values in lists]
    if feature.is_vector:
        length = feature.length or 0
        nothing = [missing] * length
        whole = [values if len(values) == length else nothing for values in lists]
        return np.array(whole, dtype).reshape(len(rows), length)
    if not feature.is_list:
        first = [values[0] if values else missing for values in lists]
        return np.array(first, dtype)
    longest = max(1, *(len(values) for values in lists))
    padded = [values + [missing] * (longest - len(values)) for values in lists]
    return np.array(padded, dtype).reshape(len(rows), longest)


def _bytes(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)
