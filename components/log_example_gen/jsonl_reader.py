"""JSON Lines files as pieces: lines are counted on the raw bytes, Arrow reads them.

The wanted columns are read with types of our own, never with types that Arrow guesses.
Which types is a matter of speed alone: lines that do not fit are read one by one, and
mean the same there.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from components.log_example_gen.json_records import odd_places
from components.log_example_gen.json_records import original
from components.log_example_gen.json_records import parse_line
from components.log_example_gen.json_types import column_types
from components.log_example_gen.jsonl_lines import malformed_lines
from components.log_example_gen.jsonl_lines import whole_lines
from components.log_example_gen.loose_values import loose_table
from components.log_example_gen.pieces import Piece
from components.log_example_gen.text_lines import LongLine
from components.log_example_gen.text_lines import Positions
from components.log_example_gen.text_lines import as_text
from components.log_example_gen.text_lines import joined_slices
from components.log_example_gen.text_lines import line_blocks
from components.log_example_gen.values import EXACT_FLOAT
from components.log_example_gen.wanted import WantedColumns

# Lines that are read one by one where Arrow cannot take them together.
_FEW_LINES = 1024


@dataclass(frozen=True)
class _Lines:
    """Some lines of a block.

    Attributes:
        text: The block.
        starts: Where the lines begin.
        ends: Where they end.
        numbers: Their positions in the file.
    """

    text: bytes
    starts: Positions
    ends: Positions
    numbers: Positions

    def __len__(self) -> int:
        return len(self.starts)

    def take(self, which: Positions | slice) -> _Lines:
        """Returns some of the lines."""
        starts, ends = self.starts[which], self.ends[which]
        return _Lines(self.text, starts, ends, self.numbers[which])

    def line(self, index: int) -> bytes:
        """Returns a line."""
        return self.text[self.starts[index] : self.ends[index]]

    def joined(self) -> bytes:
        """Returns the lines, without what is between them."""
        return joined_slices(self.text, self.starts, self.ends)


def read_jsonl(path: str, wanted: WantedColumns) -> Iterator[Piece]:
    """Yields the impressions of a JSON Lines file, a block at a time.

    Args:
        path: A file with one JSON object in each line; blank lines do not count.
        wanted: The columns that are read; the table holds no others.

    Raises:
        DataError: The file cannot be read.
    """
    first = 0
    types: pa.Schema | None = None
    for block in line_blocks(path, "JSON Lines"):
        if isinstance(block, LongLine):
            yield _rejected([(first, block.head, block.problem)])
            first += 1
            continue
        starts, ends = whole_lines(block)
        lines = _Lines(block, starts, ends, np.arange(first, first + len(starts)))
        first += len(starts)
        bad = malformed_lines(block, starts, ends)
        if bad:
            yield _rejected(
                [
                    (int(lines.numbers[i]), as_text(lines.line(i)), reason)
                    for i, reason in sorted(bad.items())
                ]
            )
            lines = lines.take(np.delete(np.arange(len(lines)), list(bad)))
        places = odd_places(block)
        if places:
            odd = np.searchsorted(lines.ends, places, side="right")
            odd = np.unique(odd[odd < len(lines)])
            yield from _one_by_one(lines.take(odd), wanted)
            lines = lines.take(np.delete(np.arange(len(lines)), odd))
        if len(lines) and types is None:
            types = column_types(lines.line, len(lines), wanted)
        yield from _parse(lines, wanted, types)


def _original(lines: _Lines, row: int) -> Any:
    return original(lines.line(row))


def _rejected(rejected: list[tuple[int, str, str]]) -> Piece:
    none = np.zeros(0, np.int64)
    return Piece(pa.table({}), none, len(rejected), rejected, sparse=True)


def _parse(
    lines: _Lines, wanted: WantedColumns, types: pa.Schema | None
) -> Iterator[Piece]:
    """Parses lines at once; where that fails, in halves, at last one by one."""
    if not len(lines):
        return
    table = None if types is None else _together(lines.joined(), types, wanted)
    if table is not None and len(table) == len(lines):
        yield Piece(
            table,
            lines.numbers,
            len(lines),
            original=functools.partial(_original, lines),
            sparse=True,
        )
    elif types is None or len(lines) <= _FEW_LINES:
        yield from _one_by_one(lines, wanted)
    else:
        half = len(lines) // 2
        for part in (lines.take(slice(half)), lines.take(slice(half, None))):
            yield from _parse(part, wanted, column_types(part.line, len(part), wanted))


def _together(text: bytes, types: pa.Schema, wanted: WantedColumns) -> pa.Table | None:
    """Returns the values of some lines; None if one of them does not fit the types."""
    try:
        table = pyarrow.json.read_json(
            pa.BufferReader(text),
            pyarrow.json.ReadOptions(use_threads=False, block_size=len(text) + 1),
            pyarrow.json.ParseOptions(
                explicit_schema=types, unexpected_field_behavior="ignore"
            ),
        )
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    for name in types.names:
        if types.field(name).type == pa.float64() and not _is_exact(
            table.column(name), is_id=wanted[name].is_id
        ):
            return None
    return table


def _is_exact(values: pa.ChunkedArray, *, is_id: bool) -> bool:
    """Whether floating point has kept every digit, and ids are whole numbers.

    An id that is not whole is refused where lines are read one by one, so that of two
    problems of a line the same one is always named.
    """
    extremes = pc.min_max(values).as_py().values()
    if any(abs(value) > EXACT_FLOAT for value in extremes if value is not None):
        return False
    whole = pc.equal(pc.floor(values), values)
    return not is_id or bool(pc.all(whole.fill_null(True)).as_py() is not False)


def _one_by_one(lines: _Lines, wanted: WantedColumns) -> Iterator[Piece]:
    for begin in range(0, len(lines), _FEW_LINES):
        part = lines.take(slice(begin, begin + _FEW_LINES))
        records = [parse_line(part.line(i), wanted) for i in range(len(part))]
        good = np.array([i for i, r in enumerate(records) if r.values is not None], int)
        rejected = [
            (int(part.numbers[i]), as_text(part.line(i)), record.problem)
            for i, record in enumerate(records)
            if record.values is None
        ]
        kept = part.take(good)
        yield Piece(
            loose_table([records[i].values or {} for i in good], wanted),
            kept.numbers,
            len(part),
            rejected,
            original=functools.partial(_original, kept),
            sparse=True,
        )
