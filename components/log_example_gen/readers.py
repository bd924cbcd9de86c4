"""Log files of any format as pieces of rows with their place in the file.

    .parquet    .csv    .jsonl    .tfrecord        all but Parquet also with .gz

A row that its own format cannot express (a line with too many columns, a line that is
no JSON object) is set aside with its row number; a file that cannot be read at all is
an error. No Python runs per row, apart from lines that are set aside.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet as pq

from models.compat import read_batches
from models.errors import DataError

FORMATS = (".parquet", ".csv", ".jsonl", ".tfrecord")

# Bytes of text parsed at once.
_BLOCK_BYTES = 8 << 20
_BLANK_LINES = re.compile(rb"^[ \t\r]*(?:\n|\Z)", re.MULTILINE)


@dataclass(frozen=True)
class Piece:
    """Some rows of one file.

    Attributes:
        table: Rows that the format could express.
        numbers: Their row numbers in the file, from 0, ascending; header, and empty
            lines of JSON Lines, not counted.
        rejected: Row numbers, raw values and reasons of the others.
    """

    table: pa.Table
    numbers: npt.NDArray[np.int64]
    rejected: list[tuple[int, str, str]] = field(default_factory=list)


def format_of(path: str) -> str | None:
    """Returns the format of a log file, by its name; None if it is none.

    Example:
        >>> format_of("part-0.csv.gz"), format_of("_SUCCESS")
        ('.csv', None)
    """
    name = Path(path).name
    if name.startswith((".", "_")):
        return None
    suffix = Path(name.removesuffix(".gz")).suffix
    if suffix == ".parquet" and name.endswith(".gz"):
        return None
    return suffix if suffix in FORMATS else None


def read_pieces(path: str, batch_rows: int) -> Iterator[Piece]:
    """Yields the rows of a log file in order, a bounded number at a time.

    Args:
        path: A file whose name ends in one of `FORMATS`.
        batch_rows: Rows of a piece at most, where the format lets one choose.

    Raises:
        DataError: The file cannot be read.
    """
    readers = {
        ".parquet": _read_parquet,
        ".csv": _read_csv,
        ".jsonl": _read_jsonl,
        ".tfrecord": _read_tfrecord,
    }
    kind = format_of(path)
    if kind is None:
        raise DataError(
            f"{path} is no log file; expected a name that ends in {', '.join(FORMATS)}"
            " (.gz may follow, but for Parquet); rename it or move it away"
        )
    yield from readers[kind](path, batch_rows)


def _unreadable(path: str, kind: str, error: Exception) -> DataError:
    detail = " ".join(str(error).split())
    return DataError(
        f"{path} cannot be read as {kind} ({detail}); replace the file, or move it "
        "away and run the day again"
    )


def _read_parquet(path: str, batch_rows: int) -> Iterator[Piece]:
    start = 0
    try:
        with pq.ParquetFile(path) as file:
            # Daily files are small: starting threads costs more than they save.
            for batch in read_batches(file, batch_rows, use_threads=False):
                table = pa.Table.from_batches([batch]).replace_schema_metadata(None)
                yield Piece(table, np.arange(start, start + len(table)))
                start += len(table)
    except (pa.ArrowInvalid, OSError) as error:
        raise _unreadable(path, "Parquet", error) from error


def _open(path: str) -> Any:
    compression = "gzip" if path.endswith(".gz") else None
    return pa.input_stream(path, compression=compression)


def _read_csv(path: str, batch_rows: int) -> Iterator[Piece]:  # noqa: ARG001
    rejected: list[tuple[int, str, str]] = []

    def set_aside(row: Any) -> str:
        # Arrow counts from 1 and counts the header.
        number = int(row.number) - 2
        reason = f"{row.actual_columns} columns, the header has {row.expected_columns}"
        rejected.append((number, row.text, reason))
        return "skip"

    try:
        with _open(path) as stream:
            header = _header(stream, path)
        with _open(path) as stream:
            reader = pyarrow.csv.open_csv(
                stream,
                pyarrow.csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES),
                pyarrow.csv.ParseOptions(
                    # Else an empty line would shift the numbers of the rows after it.
                    ignore_empty_lines=False,
                    invalid_row_handler=set_aside,
                ),
                # As bytes: what a column means is for the conversion to say.
                pyarrow.csv.ConvertOptions(
                    check_utf8=False,
                    column_types=dict.fromkeys(header, pa.binary()),
                    strings_can_be_null=True,
                    null_values=[""],
                ),
            )
            start = taken = 0
            for batch in reader:
                numbers, start = _numbers_around(
                    start, batch.num_rows, [row[0] for row in rejected]
                )
                # What is set aside goes with the rows before which it was found.
                mine, taken = rejected[taken:], len(rejected)
                yield Piece(pa.Table.from_batches([batch]), numbers, mine)
            if rejected[taken:]:
                empty = reader.schema.empty_table()
                yield Piece(empty, np.zeros(0, np.int64), rejected[taken:])
    except (pa.ArrowInvalid, OSError, EOFError) as error:
        raise _unreadable(path, "CSV", error) from error


def _header(stream: Any, path: str) -> list[str]:
    line = io.BufferedReader(stream).readline()
    if not line.strip():
        raise DataError(
            f"{path} has no header line; expected the names of the columns in the "
            "first line; write them, or move the file away"
        )
    # Arrow parses the line, so that quoting means the same as in the rows.
    parsed = pyarrow.csv.read_csv(io.BytesIO(line.rstrip(b"\r\n") + b"\n"))
    return list(parsed.column_names)


def _numbers_around(
    start: int, count: int, skipped: list[int]
) -> tuple[npt.NDArray[np.int64], int]:
    """Returns the next `count` numbers from `start` that are not in `skipped`.

    Example:
        >>> _numbers_around(2, 3, [0, 3])
        (array([2, 4, 5]), 6)
    """
    ahead = [number for number in skipped if number >= start]
    candidates = np.arange(start, start + count + len(ahead))
    numbers = candidates[~np.isin(candidates, ahead)][:count]
    return numbers, int(numbers[-1]) + 1 if count else start


def _read_jsonl(path: str, batch_rows: int) -> Iterator[Piece]:  # noqa: ARG001
    start = 0
    rest = b""
    try:
        with _open(path) as stream:
            while True:
                block = stream.read(_BLOCK_BYTES)
                text = rest + block
                end = text.rfind(b"\n") + 1 if block else len(text)
                text, rest = text[:end], text[end:]
                text = _BLANK_LINES.sub(b"", text)
                yield from _parse_lines(text, start)
                start += text.count(b"\n") + (not text.endswith(b"\n") and bool(text))
                if not block:
                    return
    except (pa.ArrowInvalid, OSError, EOFError) as error:
        raise _unreadable(path, "JSON Lines", error) from error


def _parse_lines(text: bytes, start: int) -> Iterator[Piece]:
    """Parses lines at once; where that fails, in halves, down to the bad line."""
    if not text:
        return
    try:
        table = pyarrow.json.read_json(
            io.BytesIO(text),
            pyarrow.json.ReadOptions(use_threads=False, block_size=len(text) + 1),
        )
    except pa.ArrowInvalid as error:
        lines = text.splitlines(keepends=True)
        if len(lines) == 1:
            detail = " ".join(str(error).split())
            values = text.decode("utf-8", "backslashreplace").rstrip("\n")
            rejected = [(start, values, f"no JSON object ({detail})")]
            yield Piece(pa.table({}), np.zeros(0, np.int64), rejected)
            return
        half = len(lines) // 2
        yield from _parse_lines(b"".join(lines[:half]), start)
        yield from _parse_lines(b"".join(lines[half:]), start + half)
        return
    yield Piece(table, np.arange(start, start + len(table)))


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
            yield Piece(table, np.arange(start, start + len(batch)))
            start += len(batch)
    except (tf.errors.OpError, RuntimeError) as error:
        raise _unreadable(path, "TFRecord of tf.Examples", error) from error
