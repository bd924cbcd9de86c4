"""Some rows of a domain's log: a bounded number, spread over its days and files."""

from __future__ import annotations

import json
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from components.log_example_gen.csv_dialect import CsvDialect
from components.log_example_gen.file_names import format_of
from components.log_example_gen.log_files import LogFile
from components.log_example_gen.log_files import file_size
from components.log_example_gen.readers import read_pieces
from components.log_example_gen.text_lines import BLOCK_BYTES
from components.log_example_gen.text_lines import LongLine
from components.log_example_gen.text_lines import line_blocks
from components.storage.files import local_copy
from components.storage.files import open_input
from models.data.arrow_files import UNREADABLE
from models.data.arrow_files import pq
from models.data.arrow_files import why_unreadable
from models.errors import DataError
from pipeline.guessing.column import Column
from pipeline.guessing.column import as_text

# Rows of a domain that are looked at, and the files that they come from: more where
# files are small.
SAMPLE_ROWS = 10_000
_FILES, _MOST_FILES = 40, 300
# Rows that are taken one after the other, so that those of one request stay together.
_RUN = 20
_BATCH_ROWS = 65_536
# Rows and files of Parquet whose ids are counted.
_COUNTED_ROWS, _COUNTED_FILES = 2_000_000, 600


@dataclass(frozen=True)
class Sample:
    """Some rows of a domain's log.

    Attributes:
        columns: The columns by name, of `rows` values each.
        rows: Rows of the sample.
        days: Day of each row by its folder, days since 1970-01-01; shape (rows,).
        total_rows: Rows of the log: counted in some hundred Parquet files, estimated
            by size elsewhere.
    """

    columns: dict[str, Column]
    rows: int
    days: npt.NDArray[np.int64]
    total_rows: int

    @property
    def is_complete(self) -> bool:
        """Whether it has all rows of the log."""
        return self.rows >= self.total_rows


@dataclass(frozen=True)
class Seen:
    """Different ids of a column in many rows of a log.

    Attributes:
        ids: The ids.
        half: How many of them the first half of the rows has.
        rows: Rows that were read.
    """

    ids: frozenset[str]
    half: int
    rows: int


def count_ids(files: Sequence[LogFile], names: Sequence[str]) -> dict[str, Seen]:
    """Reads some columns alone, of many more rows than a sample has.

    Args:
        files: A domain's files; of others than Parquet nothing is read.
        names: Columns of single ids.

    Returns:
        What was seen, by column; nothing of a log that is no Parquet.
    """
    if not names or any(format_of(file.path) != ".parquet" for file in files):
        return {}
    tables: list[pa.Table] = []
    rows = 0
    for file in _spread(files, _COUNTED_FILES):
        try:
            with open_input(file.path) as source, pq.ParquetFile(source) as parquet:
                known = [n for n in names if n in parquet.schema_arrow.names]
                tables.append(parquet.read(columns=known))
        except UNREADABLE as error:
            raise _unreadable(file, error) from error
        rows += len(tables[-1])
        if rows >= _COUNTED_ROWS:
            break
    found = {}
    for name in names:
        parts = [
            _different(table.column(name)) if name in table.column_names else []
            for table in tables
        ]
        ids: set[str] = set()
        half = before = 0
        for table, part in zip(tables, parts, strict=True):
            # The file in which the middle lies counts by its share.
            more = len(set(part) - ids)
            left = rows / 2 - before
            half += round(more * min(max(left / max(len(table), 1), 0.0), 1.0))
            ids.update(part)
            before += len(table)
        found[name] = Seen(frozenset(ids), half, rows)
    return found


def _different(column: pa.ChunkedArray) -> list[str]:
    values = Column("", column.unique()).present
    return [as_text(value) for value in values if not isinstance(value, list)]


def read_sample(files: Sequence[LogFile], dialect: CsvDialect) -> Sample:
    """Reads some rows of a domain's log.

    Args:
        files: Its files; some are opened, spread evenly, and of each the first few
            megabytes are read.
        dialect: How its CSV files are written.

    Raises:
        DataError: A file cannot be read.
    """
    sample = _read(files, _spread(files, _FILES), dialect)
    if sample.rows < SAMPLE_ROWS // 2 and len(files) > _FILES:
        more = min(_FILES * SAMPLE_ROWS // max(sample.rows, 1), _MOST_FILES)
        sample = _read(files, _spread(files, more), dialect)
    return sample


def _read(
    files: Sequence[LogFile], chosen: Sequence[LogFile], dialect: CsvDialect
) -> Sample:
    wanted = max(SAMPLE_ROWS // len(chosen), 1)
    tables, days, seen_rows, seen_bytes = [], [], 0, 0
    for file in chosen:
        table = _first_rows(file.path, dialect)
        seen_rows += len(table)
        seen_bytes += min(file_size(file), BLOCK_BYTES)
        taken = table.take(pa.array(_runs(len(table), wanted)))
        tables.append(taken)
        days.append(np.full(len(taken), file.day, np.int64))
    return Sample(
        _joined(tables),
        sum(map(len, tables)),
        np.concatenate(days),
        _total_rows(files, seen_rows / max(seen_bytes, 1)),
    )


def _spread(entries: Sequence[Any], most: int) -> list[Any]:
    if len(entries) <= most:
        return list(entries)
    places = np.unique(np.linspace(0, len(entries) - 1, most).round().astype(int))
    return [entries[place] for place in places]


def _runs(rows: int, wanted: int) -> npt.NDArray[np.int64]:
    """Returns the positions of `wanted` of `rows` rows, in runs spread evenly."""
    if rows <= wanted:
        return np.arange(rows)
    run = min(_RUN, wanted)
    starts = np.linspace(0, rows - run, wanted // run).astype(np.int64)
    return np.unique(starts[:, None] + np.arange(run))


def _first_rows(path: str, dialect: CsvDialect) -> pa.Table:
    kind = format_of(path)
    if kind == ".jsonl":
        return _table(_json_rows(path))
    if kind == ".tfrecord":
        return _table(_example_rows(path))
    piece = next(read_pieces(path, _BATCH_ROWS, dialect, {}), None)
    return pa.table({}) if piece is None else piece.table


def _json_rows(path: str) -> list[dict[str, Any]]:
    """Returns the objects of the first block of lines; what is none is left out."""
    block = next(line_blocks(path, "JSON Lines"), b"")
    lines = [] if isinstance(block, LongLine) else block.splitlines()
    rows = []
    for line in lines:
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            rows.append(found)
        if len(rows) == _BATCH_ROWS:
            break
    return rows


def _example_rows(path: str) -> list[dict[str, Any]]:
    """Returns the features of the first tf.Examples; a list of one as its value.

    Records that are none are left out: an ingest quarantines them.
    """
    # Late: it imports TensorFlow.
    import tensorflow as tf
    from google.protobuf.message import DecodeError

    packed = "GZIP" if path.endswith(".gz") else ""
    rows = []
    try:
        with local_copy(path) as local:
            records = tf.data.TFRecordDataset(local, packed).take(SAMPLE_ROWS)
            for record in records.as_numpy_iterator():
                try:
                    features = tf.train.Example.FromString(record).features.feature
                except DecodeError:
                    continue
                row = {}
                for name, feature in features.items():
                    kind = feature.WhichOneof("kind")
                    row[name] = list(getattr(feature, kind).value) if kind else []
                rows.append(row)
    except (tf.errors.OpError, ValueError) as error:
        raise DataError(
            f"{path} cannot be read as TFRecords; replace it or move it away"
        ) from error
    several = {name for row in rows for name, value in row.items() if len(value) > 1}
    return [
        {
            name: value if name in several else (value[0] if value else None)
            for name, value in row.items()
        }
        for row in rows
    ]


def _table(rows: list[dict[str, Any]]) -> pa.Table:
    names = dict.fromkeys(name for row in rows for name in row)
    return pa.table({name: _array([row.get(name) for row in rows]) for name in names})


def _array(values: list[Any]) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        # Of several types.
        return pa.array([None if value is None else as_text(value) for value in values])


def _joined(tables: Iterable[pa.Table]) -> dict[str, Column]:
    """Returns the columns of all tables; one that a table lacks is missing there."""
    tables = list(tables)
    names = dict.fromkeys(name for table in tables for name in table.column_names)
    columns = {}
    for name in names:
        parts = [
            table.column(name).combine_chunks()
            if name in table.column_names
            else pa.nulls(len(table))
            for table in tables
        ]
        kinds = {part.type for part in parts if not pa.types.is_null(part.type)}
        if len(kinds) == 1:
            kind = kinds.pop()
            arrays = [part.cast(kind) if part.type != kind else part for part in parts]
            array = pa.concat_arrays(
                [
                    chunk
                    for part in arrays
                    for chunk in (
                        part.chunks if isinstance(part, pa.ChunkedArray) else [part]
                    )
                ]
            )
        else:
            array = _array([value for part in parts for value in part.to_pylist()])
        columns[name] = Column(name, array)
    return columns


def _unreadable(file: LogFile, error: Exception) -> DataError:
    return DataError(
        f"{file.path} cannot be read as Parquet ({why_unreadable(error)}); replace the "
        "file, or move it away"
    )


def _total_rows(files: Sequence[LogFile], rows_per_byte: float) -> int:
    total = 0.0
    counted = len(files) <= _MOST_FILES
    for file in files:
        if counted and format_of(file.path) == ".parquet":
            try:
                with open_input(file.path) as source:
                    total += pq.ParquetFile(source).metadata.num_rows
            except UNREADABLE as error:
                raise _unreadable(file, error) from error
        else:
            total += file_size(file) * rows_per_byte
    return round(total)
