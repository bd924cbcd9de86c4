"""CSV files as pieces: records are found on the raw bytes, Arrow reads the values."""

from __future__ import annotations

import itertools
from collections.abc import Collection
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from components.log_example_gen.csv_dialect import CsvDialect
from components.log_example_gen.csv_records import Records
from components.log_example_gen.csv_records import find_records
from components.log_example_gen.pieces import Piece
from components.log_example_gen.pieces import unreadable
from components.log_example_gen.text_lines import LongLine
from components.log_example_gen.text_lines import as_text
from components.log_example_gen.text_lines import line_blocks
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
    if not found.text:
        table, skipped, rejected = _no_rows(header), [], []
    elif _is_utf8(found.text):
        table, skipped, rejected = _values(found.text, header, dialect)
    else:
        table, skipped, rejected = _values_of_bytes(found.text, header, dialect)
    wrong = zip(skipped, rejected, strict=True)
    return Piece(
        table,
        np.delete(starts, skipped) if skipped else starts,
        len(starts) + len(found.malformed),
        sorted([*malformed, *((int(starts[row]), *why) for row, why in wrong)]),
        found.lines - len(found.malformed) - len(starts),
    )


def _values(
    text: bytes, header: list[str], dialect: CsvDialect
) -> tuple[pa.Table, list[int], list[tuple[str, str]]]:
    """Returns the values of records of the right width.

    Returns:
        The values as text, positions of the other records, their texts and reasons.
    """
    skipped: list[int] = []
    rejected: list[tuple[str, str]] = []

    def set_aside(row: Any) -> str:
        skipped.append(int(row.number) - 1)  # Arrow counts from 1
        reason = f"{row.actual_columns} columns, the header has {row.expected_columns}"
        rejected.append((row.text, reason))
        return "skip"

    table = pyarrow.csv.read_csv(
        pa.BufferReader(text),
        pyarrow.csv.ReadOptions(
            use_threads=False, block_size=len(text) + 1, column_names=header
        ),
        pyarrow.csv.ParseOptions(
            delimiter=dialect.delimiter,
            quote_char=dialect.quote or False,
            # Else an empty line would shift the numbers of the records after it.
            ignore_empty_lines=False,
            invalid_row_handler=set_aside,
        ),
        # What a column means is for the conversion to say.
        pyarrow.csv.ConvertOptions(
            check_utf8=False,
            column_types=dict.fromkeys(header, pa.string()),
            strings_can_be_null=True,
            null_values=["", *dialect.null_values],
        ),
    )
    return table, skipped, rejected


def _values_of_bytes(
    text: bytes, header: list[str], dialect: CsvDialect
) -> tuple[pa.Table, list[int], list[tuple[str, str]]]:
    """Does what `_values` does, with text that is not UTF-8 throughout.

    pyarrow cannot hand over a record of the wrong width that is not UTF-8. So it gets
    each byte as a character, and what comes out is turned back.
    """
    nulls = tuple(null.encode().decode("latin-1") for null in dialect.null_values)
    table, skipped, rejected = _values(
        text.decode("latin-1").encode(),
        header,
        dialect.model_copy(update={"null_values": nulls}),
    )
    columns = [_as_bytes(column.combine_chunks()) for column in table.columns]
    texts = [
        (record.encode("latin-1").decode("utf-8", "backslashreplace"), reason)
        for record, reason in rejected
    ]
    return pa.table(columns, header), skipped, texts


def _as_bytes(values: pa.Array) -> pa.Array:
    """Returns texts with each character turned back into the byte that it was."""
    if pc.all(pc.string_is_ascii(values)).as_py() is not False:
        return values
    raw = [None if v is None else v.encode("latin-1") for v in values.to_pylist()]
    return pa.array(raw, pa.binary()).view(pa.string())


def _is_utf8(text: bytes) -> bool:
    if text.isascii():
        return True
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
