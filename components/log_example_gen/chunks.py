"""Chunks: pieces of log files that are converted together, with where they are from."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from components.log_example_gen.log_files import LogFile
from components.log_example_gen.log_files import Shard
from components.log_example_gen.logic import DomainLog
from components.log_example_gen.pieces import Piece
from components.log_example_gen.quarantine import row_values
from components.log_example_gen.readers import read_pieces
from components.log_example_gen.wanted import WantedColumns


@dataclass
class Chunk:
    """Pieces of some files that are converted together.

    Attributes:
        files: File of each piece.
        tables: Rows of each piece.
        numbers: Row numbers of each piece.
        originals: See `Piece.original`; one of each piece.
        unparsed: Rows that their format could not express, with their files.
        records: By day, how many records the files have here.
        line_breaks: By day, line breaks inside quoted values.
    """

    files: list[LogFile] = field(default_factory=list)
    tables: list[pa.Table] = field(default_factory=list)
    numbers: list[npt.NDArray[np.int64]] = field(default_factory=list)
    originals: list[Callable[[int], Any] | None] = field(default_factory=list)
    unparsed: list[tuple[LogFile, tuple[int, str, str]]] = field(default_factory=list)
    records: Counter[int] = field(default_factory=Counter)
    line_breaks: Counter[int] = field(default_factory=Counter)

    def add(self, file: LogFile, piece: Piece, table: pa.Table) -> None:
        """Appends a piece.

        Args:
            file: Where it is from.
            piece: The piece.
            table: Its rows, with every column that may be absent.
        """
        self.unparsed += [(file, row) for row in piece.rejected]
        self.records[file.day] += piece.records
        self.line_breaks[file.day] += piece.line_breaks
        if len(table):
            self.files.append(file)
            self.tables.append(table)
            self.numbers.append(piece.numbers)
            self.originals.append(piece.original)

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
        piece, inside = self._place(row)
        return self.files[piece], int(self.numbers[piece][inside])

    def values(self, row: int) -> Any:
        """Returns what the file has for a row: values by column, or its text."""
        piece, inside = self._place(row)
        original = self.originals[piece]
        if original is not None:
            return original(inside)
        return row_values(self.tables[piece], inside)

    def _place(self, row: int) -> tuple[int, int]:
        piece = int(np.searchsorted(self._starts, row, side="right")) - 1
        return piece, row - int(self._starts[piece])

    def name(self, log: DomainLog) -> str:
        """Returns what an error calls the rows' origin."""
        paths = {file.path for file in self.files}
        return paths.pop() if len(paths) == 1 else f"{log.folder}/*"


def read_chunks(
    shard: Shard, log: DomainLog, wanted: WantedColumns, chunk_rows: int
) -> Iterator[Chunk]:
    """Yields the shard's rows in chunks, those of small files joined.

    Args:
        shard: The files.
        log: How they are written.
        wanted: The columns that are read.
        chunk_rows: Rows of a chunk, about.

    Raises:
        DataError: A file cannot be read.
    """
    chunk, size = Chunk(), 0
    for file in shard.files:
        chunk.records[file.day] += 0  # A day may have files and no records.
        for piece in read_pieces(file.path, chunk_rows, log.csv, wanted):
            table = with_all_columns(piece, wanted)
            differs = chunk.tables and not table.schema.equals(chunk.tables[0].schema)
            full = size + len(table) > chunk_rows
            if (size and len(table) and (differs or full)) or (
                len(chunk.unparsed) > chunk_rows
            ):
                yield chunk
                chunk, size = Chunk(), 0
            chunk.add(file, piece, table)
            size += len(table)
    yield chunk


def with_all_columns(piece: Piece, wanted: WantedColumns) -> pa.Table:
    """Returns a piece's rows; of sparse formats with every wanted column."""
    table = piece.table
    if not piece.sparse or not len(table):
        return table
    columns = {
        name: table.column(name) if name in table.column_names else pa.nulls(len(table))
        for name in wanted
    }
    return pa.table(columns)
