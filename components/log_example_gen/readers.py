"""Log files of any format as pieces of impressions with their place in the file.

    .parquet .pq    .csv .tsv    .jsonl .json .ndjson    .tfrecord

Text files may be packed (`.gz`, `.zst`, `.bz2`), TFRecords as `.gz`. A record that its
own format cannot express (a line with too many columns, one that is not a JSON object)
is set aside with its position and the reason; a file that cannot be read at all is an
error. Every piece says how many records the file itself has there, and what a parser
makes of them is held against it. A file of no bytes has no records.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from components.log_example_gen.csv_dialect import CsvDialect
from components.log_example_gen.csv_reader import read_csv
from components.log_example_gen.file_names import EXPECTED_SUFFIXES
from components.log_example_gen.file_names import format_of
from components.log_example_gen.file_names import suffix_of
from components.log_example_gen.jsonl_reader import read_jsonl
from components.log_example_gen.pieces import Piece
from components.log_example_gen.pieces import unreadable
from components.log_example_gen.wanted import WantedColumns
from components.storage.files import open_input
from components.storage.files import size_of
from models.compat import read_batches
from models.data.arrow_files import UNREADABLE
from models.data.arrow_files import pq
from models.data.arrow_files import why_unreadable
from models.errors import DataError


def read_pieces(
    path: str, batch_rows: int, dialect: CsvDialect, wanted: WantedColumns
) -> Iterator[Piece]:
    """Yields the impressions of a log file in order, a bounded number at a time.

    Args:
        path: A file whose name ends in one of `SUFFIXES`.
        batch_rows: Impressions of a piece at most, where the format lets one choose.
        dialect: How the file is written if it is a CSV.
        wanted: The columns that are read; a table may hold others, too.

    Raises:
        DataError: The file cannot be read, or a parser returned another number of
            records than the file has.
    """
    kind = format_of(path)
    if kind is None:
        raise DataError(
            f"{path} is not a log file; expected a name that ends in "
            f"{EXPECTED_SUFFIXES}; rename it or move it away"
        )
    try:
        if size_of(path) == 0:
            return
    except OSError as error:
        raise unreadable(path, kind, error) from error
    if kind == ".parquet":
        pieces = _read_parquet(path, batch_rows)
    elif kind == ".csv":
        if suffix_of(path) == ".tsv":
            dialect = dialect.model_copy(update={"delimiter": "\t"})
        pieces = read_csv(path, dialect, wanted)
    elif kind == ".jsonl":
        pieces = read_jsonl(path, wanted)
    else:
        from components.log_example_gen.tfrecord_reader import read_tfrecord

        pieces = read_tfrecord(path, batch_rows, wanted)
    before = 0
    for piece in pieces:
        parsed = len(piece.table) + len(piece.rejected)
        if not piece.records == parsed == len(piece.numbers) + len(piece.rejected):
            raise DataError(
                f"{path} has {piece.records:,} records after the first {before:,}, but "
                f"{parsed:,} were parsed; a file that cannot be accounted for is not "
                "read: look for odd bytes there, or write it as Parquet"
            )
        before += piece.records
        yield piece


def _read_parquet(path: str, batch_rows: int) -> Iterator[Piece]:
    start = 0
    try:
        with open_input(path) as source, pq.ParquetFile(source) as file:
            total = file.metadata.num_rows
            # Daily files are small: starting threads costs more than they save.
            for batch in read_batches(file, batch_rows, use_threads=False):
                table = pa.Table.from_batches([batch]).replace_schema_metadata(None)
                numbers = np.arange(start, start + len(table))
                start += len(table)
                yield Piece(table, numbers, len(table))
    except UNREADABLE as error:
        raise unreadable(path, "Parquet", why_unreadable(error)) from error
    if start != total:
        raise unreadable(
            path, "Parquet", f"its footer says {total:,} rows, it has {start:,}"
        )
