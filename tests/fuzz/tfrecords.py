"""TFRecord files of tf.Examples from rows; importing this module imports TensorFlow."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import tensorflow as tf


def example(row: dict[str, Any]) -> bytes:
    """Returns a row as a serialized tf.Example: each value in the list it fits."""
    made = tf.train.Example()
    for name, value in row.items():
        values = value if isinstance(value, list) else [value]
        feature = made.features.feature[name]
        if value is None:
            continue
        if all(isinstance(v, int) and -(2**63) <= v < 2**63 for v in values):
            feature.int64_list.value.extend(map(int, values))
        elif all(isinstance(v, float) for v in values):
            feature.float_list.value.extend(values)
        else:
            texts = [v if isinstance(v, str) else json.dumps(v) for v in values]
            feature.bytes_list.value.extend(
                text.encode("utf-8", "surrogatepass") for text in texts
            )
    content: bytes = made.SerializeToString()
    return content


def file_of(records: list[bytes]) -> bytes:
    """Returns the bytes of a TFRecord file."""
    with tempfile.NamedTemporaryFile() as file:
        with tf.io.TFRecordWriter(file.name) as writer:
            for record in records:
                writer.write(record)
        return Path(file.name).read_bytes()
