"""Log files of any format as pieces of impressions with their place in the file.

    .parquet    .csv    .jsonl    .tfrecord        all but Parquet also with .gz

A record that its own format cannot express (a line with too many columns, a line that
is no JSON object) is set aside with its position and the reason; a file that cannot be
read at all is an error. Every piece says how many records the file itself has there,
and what a parser makes of them is held against it. No Python runs per impression, apart
from those that are set aside.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from components.log_example_gen.csv_dialect import CsvDialect
from components.log_example_gen.csv_reader import read_csv
from components.log_example_gen.jsonl_reader import read_jsonl
from components.log_example_gen.log_files import FORMATS
from components.log_example_gen.log_files import format_of
from components.log_example_gen.pieces import Piece
from components.log_example_gen.pieces import unreadable
from models.arrow_files import UNREADABLE
from models.arrow_files import pq
from models.arrow_files import why_unreadable
from models.compat import read_batches
from models.errors import DataError


def read_pieces(path: str, batch_rows: int, dialect: CsvDialect) -> Iterator[Piece]:
    """Yields the impressions of a log file in order, a bounded number at a time.

    Args:
        path: A file whose name ends in one of `FORMATS`.
        batch_rows: Impressions of a piece at most, where the format lets one choose.
        dialect: How the file is written if it is a CSV.

    Raises:
        DataError: The file cannot be read, or a parser returned another number of
            records than the file has.
    """
    kind = format_of(path)
    if kind is None:
        raise DataError(
            f"{path} is no log file; expected a name that ends in {', '.join(FORMATS)}"
            " (.gz may follow, but for Parquet); rename it or move it away"
        )
    if kind == ".parquet":
        pieces = _read_parquet(path, batch_rows)
    elif kind == ".csv":
        pieces = read_csv(path, dialect)
    elif kind == ".jsonl":
        pieces = read_jsonl(path)
    else:
        pieces = _read_tfrecord(path, batch_rows)
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
        with pq.ParquetFile(path) as file:
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


def _read_tfrecord(path: str, batch_rows: int) -> Iterator[Piece]:
    # Imported late: only this format needs them, and workers of the others do not.
    import tensorflow as tf
    from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

    compression = "GZIP" if path.endswith(".gz") else ""
    decoder = ExamplesToRecordBatchDecoder()
    start = 0
    try:
        records = tf.data.TFRecordDataset(path, compression).batch(batch_rows)
        for batch in records.as_numpy_iterator():
            decoded = decoder.DecodeBatch(batch.tolist())
            table = pa.Table.from_batches([decoded])
            numbers = np.arange(start, start + len(batch))
            yield Piece(table, numbers, len(batch))
            start += len(batch)
    except (tf.errors.OpError, RuntimeError) as error:
        raise unreadable(path, "TFRecord of tf.Examples", error) from error
