"""TFRecord files of tf.Examples as pieces.

Importing this module imports TensorFlow; the other formats do without.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf
from google.protobuf.message import DecodeError
from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

from components.log_example_gen.loose_values import LooseValueError
from components.log_example_gen.loose_values import NumberText
from components.log_example_gen.loose_values import loose_record
from components.log_example_gen.loose_values import loose_table
from components.log_example_gen.pieces import Piece
from components.log_example_gen.pieces import unreadable
from components.log_example_gen.tfrecord_framing import KIND
from components.log_example_gen.tfrecord_framing import count_records
from components.log_example_gen.values import is_list
from components.log_example_gen.values import is_text
from components.log_example_gen.wanted import WantedColumns
from components.storage.files import local_copy


def read_tfrecord(path: str, batch_rows: int, wanted: WantedColumns) -> Iterator[Piece]:
    """Yields the impressions of a TFRecord file of tf.Examples.

    A batch in which a feature changes its type, or in which something else is odd, is
    read record by record, so that it costs no other record.

    Args:
        path: The file; gzip-compressed if the name ends in `.gz`.
        batch_rows: Impressions of a piece.
        wanted: The columns that are read; the table holds no others.

    Raises:
        DataError: The file cannot be read, or ends inside a record.
    """
    with local_copy(path) as copy:
        yield from _pieces(path, copy, batch_rows, wanted)


def _pieces(
    path: str, copy: str, batch_rows: int, wanted: WantedColumns
) -> Iterator[Piece]:
    compression = "GZIP" if path.endswith(".gz") else ""
    decoder = ExamplesToRecordBatchDecoder()
    total, start = count_records(path, copy), 0
    try:
        records = tf.data.TFRecordDataset(copy, compression).batch(batch_rows)
        for batch in records.as_numpy_iterator():
            serialized = batch.tolist()
            numbers = np.arange(start, start + len(serialized))
            start += len(serialized)
            table = _together(decoder, serialized, wanted)
            if table is None:
                yield _one_by_one(serialized, numbers, wanted)
            else:
                yield Piece(table, numbers, len(serialized), sparse=True)
    except (tf.errors.OpError, OSError) as error:
        raise unreadable(path, KIND, _message(error)) from error
    if start != total:
        raise unreadable(path, KIND, f"it has {total:,} records, {start:,} were read")


def _message(error: Exception) -> str:
    """Returns what TensorFlow says of a file, without the names of its operations."""
    return re.sub(r"\{\{function_node [^}]*\}\}|\[Op:\w+\].*", "", str(error))


def _together(
    decoder: ExamplesToRecordBatchDecoder,
    serialized: list[bytes],
    wanted: WantedColumns,
) -> pa.Table | None:
    """Returns the wanted columns of a batch; None if a record has an odd value."""
    try:
        decoded = decoder.DecodeBatch(serialized)
    except (RuntimeError, ValueError):
        return None
    columns = {}
    for name in wanted:
        if name not in decoded.schema.names:
            continue
        values = decoded.column(decoded.schema.names.index(name))
        column = wanted[name]
        if is_list(values.type) and (column.separator or not column.is_list):
            values = _single(values)
            if values is None:
                return None
        elif is_list(values.type) and is_text(values.type.value_type):
            flat = pa.large_list(pa.large_string())
            values = values.cast(pa.large_list(pa.large_binary())).view(flat)
        columns[name] = values
    if not columns:
        return None
    return pa.table(columns)


def _single(lists: pa.Array) -> pa.Array | None:
    """Returns the values of lists of at most one; None if a list is longer."""
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy()
    if len(lengths) and lengths.max() > 1:
        return None
    flat = lists.flatten()
    if is_text(flat.type):
        # As text, so that what is not UTF-8 is found.
        flat = flat.cast(pa.large_binary()).view(pa.large_string())
    # Row i's value is at the number of values before it; null where it has none.
    position = np.cumsum(lengths) - lengths
    return flat.take(pa.array(position, mask=lengths == 0))


def _one_by_one(
    serialized: list[bytes], numbers: np.typing.NDArray[np.int64], wanted: WantedColumns
) -> Piece:
    rows, kept, rejected = [], [], []
    for number, record in zip(numbers.tolist(), serialized, strict=True):
        try:
            rows.append(loose_record(_values(record, wanted), wanted))
            kept.append(number)
        except DecodeError as error:
            rejected.append(
                (number, repr(record[:1000]), f"not a tf.Example ({error})")
            )
        except LooseValueError as error:
            rejected.append((number, repr(record[:1000]), str(error)))
    table = loose_table(rows, wanted)
    where = np.array(kept, np.int64)
    return Piece(table, where, len(serialized), rejected, sparse=True)


def _values(record: bytes, wanted: WantedColumns) -> dict[str, Any]:
    """Returns the wanted values of a tf.Example by feature, as lists."""
    features = tf.train.Example.FromString(record).features.feature
    found: dict[str, Any] = {}
    for name, column in wanted.items():
        kind = features[name].WhichOneof("kind") if name in features else None
        if kind is None:
            continue
        values = list(getattr(features[name], kind).value)
        if kind != "bytes_list":
            values = [NumberText(repr(value)) for value in values]
        # A text that holds several ids is a list of one text here.
        whole = column.separator is not None and len(values) == 1
        found[name] = values[0] if whole else values
    return found
