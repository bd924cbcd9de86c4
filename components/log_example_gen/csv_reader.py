"""CSV files as pieces: records are found on the raw bytes, Arrow reads the values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv

from components.log_example_gen.csv_dialect import CsvDialect
from components.log_example_gen.csv_records import Records
from components.log_example_gen.csv_records import find_records
from components.log_example_gen.pieces import Piece
from components.log_example_gen.pieces import unreadable
from components.log_example_gen.text_lines import line_blocks
from models.errors import DataError


def read_csv(path: str, dialect: CsvDialect) -> Iterator[Piece]:
    """Yields the impressions of a CSV file, a block at a time.

    Args:
        path: A CSV file whose first record names the columns.
        dialect: How values are quoted and which ones are missing.

    Raises:
        DataError: The file has no usable header, or cannot be read.
    """
    blocks = line_blocks(path, "CSV")
    first = next(blocks, b"")
    header, text = _header(first, dialect, path)
    line = 0
    while True:
        following = next(blocks, None)
        found = find_records(text, dialect, len(header), final=following is None)
        if found.lines:
            try:
                yield _parse(found, header, dialect, line)
            except pa.ArrowInvalid as error:
                raise unreadable(path, "CSV", error) from error
        if following is None:
            return
        line += found.lines
        text = found.rest + following


def _header(text: bytes, dialect: CsvDialect, path: str) -> tuple[list[str], bytes]:
    """Returns the names of the columns, and the lines below the header."""
    line, _, rest = text.partition(b"\n")
    if not line.strip():
        raise DataError(
            f"{path} has no header line; expected the names of the columns in the "
            "first line; write them, or move the file away"
        )
    line += b"\n"
    found = find_records(line, dialect, 0, final=True)
    if found.malformed:
        raise unreadable(path, "CSV", f"header: {found.malformed[0].reason}")
    # Arrow parses the line, so that quoting means the same as in the records.
    options = pyarrow.csv.ParseOptions(quote_char=dialect.quote or False)
    try:
        parsed = pyarrow.csv.read_csv(
            pa.BufferReader(found.text), parse_options=options
        )
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        raise unreadable(path, "CSV", f"header: {error}") from error
    return list(parsed.column_names), rest


def _parse(
    found: Records, header: list[str], dialect: CsvDialect, first_line: int
) -> Piece:
    starts = found.starts + first_line
    skipped: list[int] = []
    rejected = [
        (bad.line + first_line, _text(bad.text), bad.reason) for bad in found.malformed
    ]

    def set_aside(row: Any) -> str:
        skipped.append(int(row.number) - 1)  # Arrow counts from 1
        reason = f"{row.actual_columns} columns, the header has {row.expected_columns}"
        rejected.append((int(starts[skipped[-1]]), row.text, reason))
        return "skip"

    table = pa.table({name: pa.array([], pa.binary()) for name in header})
    if found.text:
        table = pyarrow.csv.read_csv(
            pa.BufferReader(found.text),
            pyarrow.csv.ReadOptions(
                use_threads=False, block_size=len(found.text) + 1, column_names=header
            ),
            pyarrow.csv.ParseOptions(
                quote_char=dialect.quote or False,
                # Else an empty line would shift the numbers of the records after it.
                ignore_empty_lines=False,
                invalid_row_handler=set_aside,
            ),
            # As bytes: what a column means is for the conversion to say.
            pyarrow.csv.ConvertOptions(
                check_utf8=False,
                column_types=dict.fromkeys(header, pa.binary()),
                strings_can_be_null=True,
                null_values=["", *dialect.null_values],
            ),
        )
    return Piece(
        table,
        np.delete(starts, skipped) if skipped else starts,
        len(starts) + len(found.malformed),
        sorted(rejected),
        found.lines - len(found.malformed) - len(starts),
    )


def _text(line: bytes) -> str:
    return line.rstrip(b"\r\n").decode("utf-8", "backslashreplace")
