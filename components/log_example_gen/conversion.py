"""The Beam step that writes one shard of Examples, and what it reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from components.attempts import replacing
from components.log_example_gen.chunks import Chunk
from components.log_example_gen.chunks import read_chunks
from components.log_example_gen.columns import convert
from components.log_example_gen.columns import raw_schema
from components.log_example_gen.log_files import Shard
from components.log_example_gen.logic import DomainLog
from components.log_example_gen.quarantine import Quarantine
from components.log_example_gen.quarantine import rejection
from components.log_example_gen.wanted import wanted_columns
from models.artifact_files import split_folder
from models.data.arrow_files import pq
from models.features.table import DAY
from models.features.table import LABEL
from models.features.table import FeatureTable

# Rows converted and written at once: enough for Arrow's kernels to matter and for row
# groups to read well, few enough (some 20 MB) not to show in the memory.
CHUNK_ROWS = 65_536

Days = npt.NDArray[np.int64]


class WriteShard(beam.DoFn):
    """Converts a `Shard` and writes it to `<output>/Split-<domain>/`.

    Emits one dictionary per (domain, day), see `_Counts.of_days`. All attempts give
    their files the same names, so nothing is ever doubled.
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
        log = self._logs[shard.domain]
        wanted = wanted_columns(log, self._features)
        counts = _Counts()
        schema = raw_schema(self._features)
        with (
            Quarantine(self._quarantine, shard) as quarantine,
            replacing(folder / shard.file_name) as path,
            pq.ParquetWriter(path, schema, compression="snappy") as writer,
        ):
            groups = _RowGroups(writer)
            for chunk in read_chunks(shard, log, wanted, CHUNK_ROWS):
                quarantine.add(
                    [
                        rejection(file, row, reason, values)
                        for file, (row, values, reason) in chunk.unparsed
                    ]
                )
                groups.add(self._converted(chunk, log, counts, quarantine))
            groups.close()
        yield from counts.of_days(shard, quarantine)

    def _converted(
        self, chunk: Chunk, log: DomainLog, counts: _Counts, quarantine: Quarantine
    ) -> pa.Table:
        """Returns a chunk's rows as raw Examples; counts and sets aside the others."""
        counts.records.update(chunk.records)
        counts.line_breaks.update(chunk.line_breaks)
        if not chunk.files:
            return raw_schema(self._features).empty_table()
        days = chunk.days
        converted = convert(
            chunk.table,
            log,
            self._features,
            pa.array(days, pa.int64()),
            chunk.name(log),
        )
        counts.add(converted.rows, days[converted.cut_rows])
        for column in converted.lacking:
            counts.lack(column, chunk)
        quarantine.add(
            [
                rejection(*chunk.origin(row), str(reason), chunk.values(row))
                for row, reason in zip(
                    converted.bad_rows, converted.reasons, strict=True
                )
            ]
        )
        return converted.rows


class _Counts:
    """Counts of a shard by day.

    Attributes:
        records: Records that the files have, counted without the parsers, see
            `Piece.records`.
        line_breaks: Line breaks inside quoted values.
    """

    def __init__(self) -> None:
        self.records: Counter[int] = Counter()
        self.line_breaks: Counter[int] = Counter()
        self._written: Counter[int] = Counter()
        self._clicks: Counter[int] = Counter()
        self._cut: Counter[int] = Counter()
        self._lacking: dict[int, dict[str, list[str]]] = {}

    def add(self, rows: pa.Table, cut: Days) -> None:
        """Adds converted rows.

        Args:
            rows: Raw Examples.
            cut: The day of each row of which a list was cut.
        """
        days = _flat(rows, DAY)
        self._written.update(_by_day(days))
        self._clicks.update(_by_day(days[_flat(rows, LABEL) == 1]))
        self._cut.update(_by_day(cut))

    def lack(self, column: str, chunk: Chunk) -> None:
        """Notes that the files of a chunk have no such column.

        Args:
            column: A column of the configuration.
            chunk: Rows of files that all have the same columns.
        """
        for file in chunk.files:
            of_day = self._lacking.setdefault(file.day, {})
            of_day.setdefault(column, [file.path, *chunk.table.column_names])

    def of_days(self, shard: Shard, quarantine: Quarantine) -> Iterator[dict[str, Any]]:
        """Yields, per day, records read, written and quarantined, and more.

        `clicks` are the rows with label 1, `cut` those of which a list was cut,
        `reasons` how many rows were quarantined for which reason. `lacking` has, by
        column that some file of the day does not have, the file and its columns.
        """
        for day, count in sorted(self.records.items()):
            yield {
                "domain": shard.domain,
                "shard": shard.index,
                "day": int(day),
                "read": int(count),
                "written": self._written[day],
                "quarantined": quarantine.counts[day],
                "clicks": self._clicks[day],
                "cut": self._cut[day],
                "line_breaks": self.line_breaks[day],
                "reasons": dict(quarantine.reasons.get(day, {})),
                "lacking": self._lacking.get(day, {}),
            }


class _RowGroups:
    """Writes tables as row groups of `CHUNK_ROWS` rows, however they come."""

    def __init__(self, writer: pq.ParquetWriter) -> None:
        self._writer = writer
        self._waiting: list[pa.Table] = []
        self._size = 0

    def add(self, rows: pa.Table) -> None:
        """Writes what fills row groups; the rest waits."""
        if not len(rows):
            return
        self._waiting.append(rows)
        self._size += len(rows)
        while self._size >= CHUNK_ROWS:
            waiting = pa.concat_tables(self._waiting)
            self._writer.write_table(waiting.slice(0, CHUNK_ROWS))
            self._waiting = [waiting.slice(CHUNK_ROWS)]
            self._size -= CHUNK_ROWS

    def close(self) -> None:
        """Writes what waits."""
        if self._size:
            self._writer.write_table(pa.concat_tables(self._waiting))


def _flat(rows: pa.Table, name: str) -> Days:
    """Returns the values of a column that has one in each row; shape (rows,)."""
    values: Days = pc.list_flatten(rows.column(name)).to_numpy()
    return values


def _by_day(days: Days) -> dict[int, int]:
    present, counts = np.unique(days, return_counts=True)
    return dict(zip(present.tolist(), counts.tolist(), strict=True))
