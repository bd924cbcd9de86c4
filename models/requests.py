"""Requests to an exported model, made from raw rows.

A raw row maps features to lists of values, empty where there is none: what a row of the
raw Examples is.
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

from models.arrow_files import pq
from models.compat import read_batches
from models.days import DayRange
from models.features import DAY
from models.features import Feature
from models.features import FeatureTable
from models.file_patterns import files_of

Row = Mapping[str, Sequence[Any]]
Tensors = dict[str, npt.NDArray[Any]]

# By kind: the type of a raw tensor, and what in it stands for a missing value.
RAW_TYPES = {
    "id": tf.string,
    "ids": tf.string,
    "count": tf.int64,
    "rate": tf.float32,
}
_BATCH_ROWS = 65_536
MISSING: dict[str, Any] = {"id": b"", "ids": b"", "count": -1, "rate": float("nan")}


def inputs_of(signature: str, features: FeatureTable, rows: Sequence[Row]) -> Tensors:
    """Returns the input tensors of a request for `rows`.

    Args:
        signature: One of the exported signatures. `rank` takes what is of user and
            context from the first row.
        features: The model's features.
        rows: At least one raw row.

    Returns:
        Array by input: `examples` of shape (B,), or one of shape (B,) or (B, L) by
        feature, with B = 1 for user and context of `rank`.
    """
    if signature in ("predict", "rank"):
        return {
            feature.name: _raw_tensor(feature, rows)
            if signature == "predict" or feature.served_side == "item"
            else _raw_tensor(feature, rows[:1])
            for feature in features.features
        }
    return {"examples": np.array([serialized(features, row) for row in rows], object)}


def raw_rows(
    patterns: Sequence[str], features: FeatureTable, days: DayRange, most: int
) -> Iterator[Row]:
    """Yields at most `most` raw rows of some days, in file order.

    Args:
        patterns: Globs of raw Examples (Parquet).
        features: The features that are read.
        days: The days.
        most: Rows after which it stops.
    """
    names = [feature.name for feature in features.features]
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
    """Returns the row as a serialized tf.Example; missing features are left out."""
    example = tf.train.Example()
    for feature in features.features:
        values = row.get(feature.name) or ()
        if not values:
            continue
        into = example.features.feature[feature.name]
        if feature.is_id:
            into.bytes_list.value.extend(_bytes(value) for value in values)
        elif feature.kind == "count":
            into.int64_list.value.extend(values)
        else:
            into.float_list.value.extend(values)
    encoded: bytes = example.SerializeToString()
    return encoded


def _raw_tensor(feature: Feature, rows: Sequence[Row]) -> npt.NDArray[Any]:
    missing = MISSING[feature.kind]
    dtype = RAW_TYPES[feature.kind].as_numpy_dtype
    lists = [list(row.get(feature.name) or ()) for row in rows]
    if feature.is_id:
        lists = [[_bytes(value) for value in values] for values in lists]
    if feature.kind != "ids":
        first = [values[0] if values else missing for values in lists]
        return np.array(first, dtype)
    longest = max(1, *(len(values) for values in lists))
    padded = [values + [missing] * (longest - len(values)) for values in lists]
    return np.array(padded, dtype).reshape(len(rows), longest)


def _bytes(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)
