"""Beam coders for Arrow data that know its size without encoding it.

Beam's runner asks for the size of a sample of all elements, for its counters. Coders
that do not say it are made to encode the element and throw the bytes away, which here
are 65,536 rows each time: a seventh of an ingest's samples were spent on it.
"""

from __future__ import annotations

from typing import Any

import apache_beam as beam
import pyarrow as pa
import tensorflow_data_validation.types  # noqa: F401 (registers a coder of its own)

from models.data.arrow_files import ipc


class _ArrowCoder(beam.coders.Coder):  # type: ignore[misc]
    """Encodes Arrow data as an IPC stream."""

    def is_deterministic(self) -> bool:
        """Whether equal data has equal bytes, which slices of other buffers break."""
        return False

    def estimate_size(self, value: pa.RecordBatch | pa.Table) -> int:
        """Returns the bytes of the buffers."""
        return int(value.nbytes)

    def encode(self, value: pa.RecordBatch | pa.Table) -> bytes:
        """Returns the IPC stream of `value`."""
        sink = pa.BufferOutputStream()
        with ipc.new_stream(sink, value.schema) as writer:
            writer.write(value)
        encoded: bytes = sink.getvalue().to_pybytes()
        return encoded


class RecordBatchCoder(_ArrowCoder):
    """Coder of `pa.RecordBatch`."""

    def to_type_hint(self) -> Any:
        """Returns `pa.RecordBatch`."""
        return pa.RecordBatch

    def decode(self, encoded: bytes) -> pa.RecordBatch:
        """Returns the batch that `encode` wrote."""
        return ipc.open_stream(encoded).read_next_batch()


class TableCoder(_ArrowCoder):
    """Coder of `pa.Table`."""

    def to_type_hint(self) -> Any:
        """Returns `pa.Table`."""
        return pa.Table

    def decode(self, encoded: bytes) -> pa.Table:
        """Returns the table that `encode` wrote."""
        return ipc.open_stream(encoded).read_all()


def register() -> None:
    """Makes them the coders of `pa.RecordBatch` and `pa.Table` in this process."""
    beam.coders.registry.register_coder(pa.RecordBatch, RecordBatchCoder)
    beam.coders.registry.register_coder(pa.Table, TableCoder)
