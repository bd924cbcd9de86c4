"""The Beam step that writes one shard of Examples, and what it reports."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components.log_example_gen.logic import DomainLog
from components.log_example_gen.logic import LogFile
from components.log_example_gen.logic import Shard
from components.log_example_gen.logic import convert
from components.log_example_gen.logic import raw_schema
from models.days import to_date
from models.errors import DataError
from models.features import FeatureTable

# Rows converted and written at once: enough for Arrow's kernels to matter and for row
# groups to read well, few enough (some 20 MB) not to show in the memory.
CHUNK_ROWS = 65_536


class WriteShard(beam.DoFn):
    """Converts a `Shard` and writes it to `<output>/Split-<domain>/`.

    Emits one dictionary per (domain, day) with the rows read, written and quarantined.
    A repeated attempt writes the same file names, so nothing is ever doubled.
    """

    def __init__(
        self, output: str, quarantine: str, logs: dict[str, DomainLog], features: str
    ) -> None:
        self._output = output
        self._quarantine = quarantine
        self._logs = logs
        self._features = FeatureTable.from_json(features)

    def process(self, shard: Shard) -> Iterator[dict[str, Any]]:
        """Writes `shard` and yields its counts."""
        folder = Path(self._output) / f"Split-{shard.domain}"
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / shard.file_name
        temporary = folder / f".{shard.file_name}.writing"
        read: Counter[int] = Counter()
        rejected: list[dict[str, Any]] = []
        schema = raw_schema(self._features)
        log = self._logs[shard.domain]
        with pq.ParquetWriter(temporary, schema, compression="snappy") as writer:
            for pieces in _chunks(shard):
                table = pa.concat_tables([piece.rows for piece in pieces])
                lengths = [len(piece.rows) for piece in pieces]
                days = np.repeat([piece.file.day for piece in pieces], lengths)
                present, counts = np.unique(days, return_counts=True)
                read.update(dict(zip(present, counts, strict=True)))
                paths = {piece.file.path for piece in pieces}
                where = paths.pop() if len(paths) == 1 else f"{log.folder}/*"
                converted = convert(
                    table, log, self._features, pa.array(days, pa.int64()), where
                )
                writer.write_table(converted.rows, row_group_size=CHUNK_ROWS)
                starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
                for row, reason in zip(
                    converted.bad_rows, converted.reasons, strict=True
                ):
                    at = int(np.searchsorted(starts, row, side="right")) - 1
                    piece = pieces[at]
                    rejected.append(
                        {
                            "file": piece.file.path,
                            "row": piece.first_row + row - int(starts[at]),
                            "day": piece.file.day,
                            "reason": reason,
                            "values": table.slice(row, 1).to_pylist()[0],
                        }
                    )
        temporary.rename(target)
        self._write_quarantine(shard, rejected)
        bad = Counter(row["day"] for row in rejected)
        for day, count in sorted(read.items()):
            yield {
                "domain": shard.domain,
                "shard": shard.index,
                "day": int(day),
                "read": int(count),
                "written": int(count) - bad[day],
                "quarantined": bad[day],
            }

    def _write_quarantine(self, shard: Shard, rejected: list[dict[str, Any]]) -> None:
        by_day: dict[int, list[str]] = {}
        for row in rejected:
            by_day.setdefault(row["day"], []).append(json.dumps(row, default=str))
        for day, lines in by_day.items():
            folder = Path(self._quarantine) / shard.domain / str(to_date(day))
            folder.mkdir(parents=True, exist_ok=True)
            text = "\n".join(lines) + "\n"
            (folder / f"{shard.index:05d}.jsonl").write_text(text, encoding="utf-8")


@dataclass(frozen=True)
class _Piece:
    """Consecutive rows of one log file, from `first_row` (counted from 0) on."""

    file: LogFile
    first_row: int
    rows: pa.Table


def _chunks(shard: Shard) -> Iterator[list[_Piece]]:
    """Yields the shard's rows in chunks: small files joined, long files cut."""
    chunk: list[_Piece] = []
    held = 0
    for file in shard.files:
        for piece in _read(file):
            differs = chunk and not piece.rows.schema.equals(chunk[0].rows.schema)
            if chunk and (differs or held + len(piece.rows) > CHUNK_ROWS):
                yield chunk
                chunk, held = [], 0
            chunk.append(piece)
            held += len(piece.rows)
    if chunk:
        yield chunk


def _read(file: LogFile) -> Iterator[_Piece]:
    first_row = 0
    try:
        parquet = pq.ParquetFile(file.path)
        # Daily files are small: starting threads costs more than they save.
        for batch in parquet.iter_batches(CHUNK_ROWS, use_threads=False):
            rows = pa.Table.from_batches([batch]).replace_schema_metadata(None)
            yield _Piece(file, first_row, rows)
            first_row += len(rows)
    except pa.ArrowInvalid as error:
        raise DataError(
            f"{file.path} cannot be read as Parquet ({error}); replace the file, or "
            "move it away and run the day again"
        ) from error
