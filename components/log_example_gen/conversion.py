"""The Beam step that writes one shard of Examples, and what it reports."""

from __future__ import annotations

import functools
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from components.log_example_gen.columns import convert
from components.log_example_gen.columns import fit_sparse
from components.log_example_gen.columns import raw_schema
from components.log_example_gen.log_files import LogFile
from components.log_example_gen.log_files import Shard
from components.log_example_gen.log_files import format_of
from components.log_example_gen.logic import DomainLog
from components.log_example_gen.readers import read_pieces
from models.artifact_files import split_folder
from models.data.arrow_files import pq
from models.days import to_date
from models.features.table import FeatureTable

# Rows converted and written at once: enough for Arrow's kernels to matter and for row
# groups to read well, few enough (some 20 MB) not to show in the memory.
CHUNK_ROWS = 65_536
# Formats in which a column without any value may be absent from a file.
_SPARSE_FORMATS = (".jsonl", ".tfrecord")


class WriteShard(beam.DoFn):
    """Converts a `Shard` and writes it to `<output>/Split-<domain>/`.

    Emits one dictionary per (domain, day) with the records that the files have, those
    written and quarantined, those of which a list was cut, and the line breaks inside
    quoted values. The first is counted without the parsers, see `Piece.records`.
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
        folder = Path(self._output) / split_folder(shard.domain)
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / shard.file_name
        temporary = folder / f".{shard.file_name}.writing"
        read: Counter[int] = Counter()
        cut: Counter[int] = Counter()
        line_breaks: Counter[int] = Counter()
        written: Counter[int] = Counter()
        quarantine = _Quarantine(self._quarantine, shard)
        schema = raw_schema(self._features)
        log = self._logs[shard.domain]
        with pq.ParquetWriter(temporary, schema, compression="snappy") as writer:
            for chunk in _chunks(shard, log, self._features):
                read.update(chunk.records)
                line_breaks.update(chunk.line_breaks)
                quarantine.add(
                    [
                        _reject(file, row, reason, values)
                        for file, (row, values, reason) in chunk.unparsed
                    ]
                )
                if not chunk.files:
                    continue
                days = chunk.days
                converted = convert(
                    chunk.table,
                    log,
                    self._features,
                    pa.array(days, pa.int64()),
                    chunk.name(log),
                )
                writer.write_table(converted.rows, row_group_size=CHUNK_ROWS)
                kept = np.delete(days, converted.bad_rows)
                written.update(dict(zip(*_count(kept), strict=True)))
                cut.update(dict(zip(*_count(days[converted.cut_rows]), strict=True)))
                bad = zip(converted.bad_rows, converted.reasons, strict=True)
                quarantine.add(
                    [
                        _reject(*chunk.origin(row), reason, chunk.values(row))
                        for row, reason in bad
                    ]
                )
        temporary.rename(target)
        for day, count in sorted(read.items()):
            yield {
                "domain": shard.domain,
                "shard": shard.index,
                "day": int(day),
                "read": int(count),
                "written": written[day],
                "quarantined": quarantine.counts[day],
                "cut": int(cut[day]),
                "line_breaks": line_breaks[day],
            }


class _Quarantine:
    """Writes what is set aside of a shard, one file for each day.

    Attributes:
        counts: Rejected records by day.
    """

    def __init__(self, folder: str, shard: Shard) -> None:
        self.counts: Counter[int] = Counter()
        self._folder = Path(folder) / shard.domain
        self._name = f"{shard.index:05d}.jsonl"

    def add(self, rejected: list[dict[str, Any]]) -> None:
        """Appends records; a day's first ones replace what an earlier attempt left."""
        by_day: dict[int, list[str]] = {}
        for row in rejected:
            by_day.setdefault(row["day"], []).append(json.dumps(row, default=str))
        for day, lines in by_day.items():
            path = self._folder / str(to_date(day)) / self._name
            path.parent.mkdir(parents=True, exist_ok=True)
            mode = "a" if self.counts[day] else "w"
            with path.open(mode, encoding="utf-8") as file:
                file.write("\n".join(lines) + "\n")
            self.counts[day] += len(lines)


def _reject(file: LogFile, row: int, reason: str, values: Any) -> dict[str, Any]:
    return {
        "file": file.path,
        "row": row,
        "day": file.day,
        "reason": reason,
        "values": values,
    }


def _count(days: npt.NDArray[np.int64]) -> tuple[list[int], list[int]]:
    present, counts = np.unique(days, return_counts=True)
    return present.tolist(), counts.tolist()


@dataclass
class _Chunk:
    """Pieces of some files that are converted together.

    Attributes:
        files: File of each piece.
        tables: Rows of each piece.
        numbers: Row numbers of each piece.
        unparsed: Rows that their format could not express, with their files.
        records: By day, how many records the files have here.
        line_breaks: By day, line breaks inside quoted values.
    """

    files: list[LogFile] = field(default_factory=list)
    tables: list[pa.Table] = field(default_factory=list)
    numbers: list[npt.NDArray[np.int64]] = field(default_factory=list)
    unparsed: list[tuple[LogFile, tuple[int, str, str]]] = field(default_factory=list)
    records: Counter[int] = field(default_factory=Counter)
    line_breaks: Counter[int] = field(default_factory=Counter)

    @functools.cached_property
    def table(self) -> pa.Table:
        """The rows of all pieces."""
        return pa.concat_tables(self.tables)

    @functools.cached_property
    def days(self) -> npt.NDArray[np.int64]:
        """The day of each row."""
        lengths = [len(table) for table in self.tables]
        return np.repeat([file.day for file in self.files], lengths)

    @functools.cached_property
    def _starts(self) -> npt.NDArray[np.int64]:
        lengths = [len(table) for table in self.tables]
        return np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)

    def origin(self, row: int) -> tuple[LogFile, int]:
        """Returns the file of a row and its number in it."""
        piece = int(np.searchsorted(self._starts, row, side="right")) - 1
        number = self.numbers[piece][row - int(self._starts[piece])]
        return self.files[piece], int(number)

    def values(self, row: int) -> dict[str, Any]:
        """Returns the values of a row by column."""
        found: dict[str, Any] = self.table.slice(row, 1).to_pylist()[0]
        return found

    def name(self, log: DomainLog) -> str:
        """Returns what an error calls the rows' origin."""
        paths = {file.path for file in self.files}
        return paths.pop() if len(paths) == 1 else f"{log.folder}/*"


def _chunks(shard: Shard, log: DomainLog, features: FeatureTable) -> Iterator[_Chunk]:
    """Yields the shard's rows in chunks, those of small files joined."""
    chunk, size = _Chunk(), 0
    for file in shard.files:
        for piece in read_pieces(file.path, CHUNK_ROWS, log.csv):
            table = piece.table
            if format_of(file.path) in _SPARSE_FORMATS and len(table):
                table = fit_sparse(table, log, features)
            differs = chunk.tables and not table.schema.equals(chunk.tables[0].schema)
            full = size + len(table) > CHUNK_ROWS
            if (size and len(table) and (differs or full)) or (
                len(chunk.unparsed) > CHUNK_ROWS
            ):
                yield chunk
                chunk, size = _Chunk(), 0
            chunk.unparsed += [(file, row) for row in piece.rejected]
            chunk.records[file.day] += piece.records
            chunk.line_breaks[file.day] += piece.line_breaks
            if len(table):
                chunk.files.append(file)
                chunk.tables.append(table)
                chunk.numbers.append(piece.numbers)
                size += len(table)
    yield chunk
