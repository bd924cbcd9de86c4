"""Beam coders for Arrow data that know an element's size without encoding it.

Beam's runner asks for the size of a sample of the elements, for its counters. A coder
without an estimate has to encode the element for it, here 65,536 table rows: a seventh
of an ingest's time was spent on that.
"""

from __future__ import annotations

from typing import Any

import apache_beam as beam
import pyarrow as pa
import tensorflow_data_validation.types  # noqa: F401 (registers a coder of its own)

from models.data.arrow_files import ipc


class _ArrowCoder(beam.coders.Coder):  # type: ignore[misc]
    """Coder of Arrow data as an IPC stream."""

    def is_deterministic(self) -> bool:
        """Whether equal data has equal bytes; False, because of sliced buffers."""
        return False

    def estimate_size(self, value: pa.RecordBatch | pa.Table) -> int:
        """Returns the size of the buffers in bytes."""
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
        """Returns the batch that `encode` encoded."""
        return ipc.open_stream(encoded).read_next_batch()


class TableCoder(_ArrowCoder):
    """Coder of `pa.Table`."""

    def to_type_hint(self) -> Any:
        """Returns `pa.Table`."""
        return pa.Table

    def decode(self, encoded: bytes) -> pa.Table:
        """Returns the table that `encode` encoded."""
        return ipc.open_stream(encoded).read_all()


def register() -> None:
    """Registers the coders of `pa.RecordBatch` and `pa.Table` in this process."""
    beam.coders.registry.register_coder(pa.RecordBatch, RecordBatchCoder)
    beam.coders.registry.register_coder(pa.Table, TableCoder)
