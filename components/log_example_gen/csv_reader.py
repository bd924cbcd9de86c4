"""CSV files as pieces: records are found on the raw bytes, Arrow reads the values."""

from __future__ import annotations

import itertools
from collections.abc import Collection
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.csv

from components.log_example_gen.csv_dialect import CsvDialect
from components.log_example_gen.csv_records import Records
from components.log_example_gen.csv_records import find_records
from components.log_example_gen.pieces import Piece
from components.log_example_gen.pieces import unreadable
from components.log_example_gen.text_lines import NEWLINE
from components.log_example_gen.text_lines import LongLine
from components.log_example_gen.text_lines import as_text
from components.log_example_gen.text_lines import joined_slices
from components.log_example_gen.text_lines import line_blocks
from components.log_example_gen.text_lines import positions
from models.errors import DataError


def read_csv(
    path: str, dialect: CsvDialect, wanted: Collection[str] = ()
) -> Iterator[Piece]:
    """Yields the impressions of a CSV file, a block at a time; none of an empty file.

    Args:
        path: A CSV file whose first record names the columns.
        dialect: How values are quoted and which ones are missing.
        wanted: Columns that are read for something.

    Raises:
        DataError: The file has no usable header, or cannot be read.
    """
    blocks = line_blocks(path, "CSV")
    first = next(blocks, b"")
    if isinstance(first, LongLine):
        raise unreadable(path, "CSV", f"header: {first.problem}")
    if not first.strip():
        return
    header, text = _header(first, dialect, path, wanted)
    line = 0
    while True:
        following = next(blocks, None)
        final = following is None or isinstance(following, LongLine)
        found = find_records(text, dialect, len(header), final=final)
        if found.lines:
            try:
                yield _parse(found, header, dialect, line)
            except pa.ArrowInvalid as error:
                raise unreadable(path, "CSV", error) from error
        line += found.lines
        if following is None:
            return
        if isinstance(following, LongLine):
            rejected = [(line, following.head, following.problem)]
            yield Piece(_no_rows(header), np.zeros(0, np.int64), 1, rejected)
            line, text = line + 1, b""
        else:
            text = found.rest + following


def _header(
    text: bytes, dialect: CsvDialect, path: str, wanted: Collection[str]
) -> tuple[list[str], bytes]:
    """Returns the names of the columns, and the lines below the header."""
    line, _, rest = text.partition(b"\n")
    if not line.strip():
        raise DataError(
            f"{path} has no header line; expected the names of the columns in the "
            "first line; write them, or move the file away"
        )
    if b"\0" in line:
        raise DataError(
            f"{path} has NUL bytes in its header, as UTF-16 text has; write the file "
            "as UTF-8"
        )
    line += b"\n"
    found = find_records(line, dialect, 0, final=True)
    if found.malformed:
        raise unreadable(path, "CSV", f"header: {found.malformed[0].reason}")
    # Arrow parses the line, so that quoting means the same as in the records.
    try:
        parsed = pyarrow.csv.read_csv(
            pa.BufferReader(found.text),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=dialect.delimiter, quote_char=dialect.quote or False
            ),
        )
        names = list(parsed.column_names)
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        raise unreadable(path, "CSV", f"header: {error}") from error
    for name in wanted:
        if names.count(name) > 1:
            raise DataError(
                f"{path} names the column {name!r} {names.count(name)} times in its "
                "header; expected it once, as either could be meant; rename the others"
            )
    return _unique(names), rest


def _unique(names: list[str]) -> list[str]:
    """Returns names that differ; nobody reads the columns whose names were alike."""
    taken = set(names)
    seen: set[str] = set()
    unique = []
    for name in names:
        free = name
        if name in seen:
            numbered = (f"{name} ({count})" for count in itertools.count(2))
            free = next(other for other in numbered if other not in taken)
        seen.add(free)
        taken.add(free)
        unique.append(free)
    return unique


def _no_rows(header: list[str]) -> pa.Table:
    return pa.table({name: pa.array([], pa.string()) for name in header})


def _parse(
    found: Records, header: list[str], dialect: CsvDialect, first_line: int
) -> Piece:
    starts = found.starts + first_line
    malformed = [
        (bad.line + first_line, as_text(bad.text), bad.reason)
        for bad in found.malformed
    ]
    table, kept, rejected = _no_rows(header), starts, []
    if found.text:
        text, wrong = _of_width(found.text, dialect, len(header))
        rejected = [(int(starts[row]), *why) for row, why in wrong.items()]
        kept = np.delete(starts, list(wrong)) if wrong else starts
        table = _values(text, header, dialect) if text else table
    return Piece(
        table,
        kept,
        len(starts) + len(found.malformed),
        sorted([*malformed, *rejected]),
        found.lines - len(found.malformed) - len(starts),
    )


def _of_width(
    text: bytes, dialect: CsvDialect, columns: int
) -> tuple[bytes, dict[int, tuple[str, str]]]:
    """Takes records of another width out, before Arrow sees them.

    Arrow's parser writes the values of a record into an array that has room for records
    of the right width, and beyond its end if a record has more.

    Args:
        text: Records, see `Records.text`.
        dialect: How they are written.
        columns: Columns of a record.

    Returns:
        The records of the right width; text and reason of each other one, by its
        position. An empty line is a record without values.
    """
    buffer = np.frombuffer(text, np.uint8)
    ends = positions(buffer, NEWLINE)
    delimiters = positions(buffer, ord(dialect.delimiter))
    if dialect.quote is not None:
        marks = positions(buffer, ord(dialect.quote))
        if len(marks):
            ends = ends[np.searchsorted(marks, ends) % 2 == 0]
            delimiters = delimiters[np.searchsorted(marks, delimiters) % 2 == 0]
    widths = np.diff(np.searchsorted(delimiters, ends), prepend=0) + 1
    if (widths == columns).all():
        return text, {}
    starts = np.concatenate([[0], ends[:-1] + 1])
    wrong = {}
    for row in np.flatnonzero(widths != columns).tolist():
        record = as_text(text[starts[row] : ends[row]])
        if record:
            reason = f"{widths[row]} columns, the header has {columns}"
            wrong[row] = (record, reason)
    good = np.delete(np.arange(len(ends)), list(wrong))
    return joined_slices(text, starts[good], ends[good] + 1), wrong


def _values(text: bytes, header: list[str], dialect: CsvDialect) -> pa.Table:
    """Returns the values of records of the right width, as text."""
    return pyarrow.csv.read_csv(
        pa.BufferReader(text),
        pyarrow.csv.ReadOptions(
            use_threads=False, block_size=len(text) + 1, column_names=header
        ),
        pyarrow.csv.ParseOptions(
            delimiter=dialect.delimiter,
            quote_char=dialect.quote or False,
            ignore_empty_lines=False,
        ),
        # As text, also where it is not UTF-8: what a column means, and whether its
        # values can be used, is for the conversion to say.
        pyarrow.csv.ConvertOptions(
            check_utf8=False,
            column_types=dict.fromkeys(header, pa.string()),
            strings_can_be_null=True,
            null_values=["", *dialect.null_values],
        ),
    )
