"""JSON Lines files as pieces: lines are counted on the raw bytes, Arrow reads them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.json

from components.log_example_gen.jsonl_lines import NO_OBJECT
from components.log_example_gen.jsonl_lines import malformed_lines
from components.log_example_gen.jsonl_lines import whole_lines
from components.log_example_gen.pieces import Piece
from components.log_example_gen.text_lines import Positions
from components.log_example_gen.text_lines import line_blocks


def read_jsonl(path: str) -> Iterator[Piece]:
    """Yields the impressions of a JSON Lines file, a block at a time.

    Args:
        path: A file with one JSON object in each line; blank lines do not count.

    Raises:
        DataError: The file cannot be read.
    """
    first = 0
    for text in line_blocks(path, "JSON Lines"):
        starts, ends = whole_lines(text)
        numbers = np.arange(first, first + len(starts))
        first += len(starts)
        bad = malformed_lines(text, starts, ends)
        if bad:
            rejected = [
                (int(numbers[i]), _text(text[starts[i] : ends[i]]), reason)
                for i, reason in sorted(bad.items())
            ]
            empty = np.zeros(0, np.int64)
            yield Piece(pa.table({}), empty, len(rejected), rejected)
            starts, ends, numbers = (
                np.delete(values, list(bad)) for values in (starts, ends, numbers)
            )
        if len(starts):
            yield from _parse(_joined(text, starts, ends), ends - starts, numbers)


def _joined(text: bytes, starts: Positions, ends: Positions) -> bytes:
    """Returns the lines, without what is between them."""
    gaps = np.flatnonzero(starts[1:] != ends[:-1])
    begins = starts[np.concatenate([[0], gaps + 1])]
    stops = ends[np.concatenate([gaps, [len(ends) - 1]])]
    if len(begins) == 1:
        return text[begins[0] : stops[0]]
    return b"".join(text[a:b] for a, b in zip(begins, stops, strict=True))


def _parse(text: bytes, lengths: Positions, numbers: Positions) -> Iterator[Piece]:
    """Parses lines at once; where that fails, in halves, down to the bad line.

    Args:
        text: The lines.
        lengths: Bytes of each line.
        numbers: Position of each line in the file.
    """
    try:
        table = pyarrow.json.read_json(
            pa.BufferReader(text),
            pyarrow.json.ReadOptions(use_threads=False, block_size=len(text) + 1),
        )
        problem = f"it is read as {len(table):,} objects"
    except pa.ArrowInvalid as error:
        table = None
        problem = " ".join(str(error).split())
    if table is not None and len(table) == len(numbers):
        yield Piece(table, numbers, len(numbers))
    elif len(numbers) == 1:
        rejected = [(int(numbers[0]), _text(text), f"{NO_OBJECT} ({problem})")]
        yield Piece(pa.table({}), np.zeros(0, np.int64), 1, rejected)
    else:
        half = len(numbers) // 2
        cut = int(lengths[:half].sum())
        yield from _parse(text[:cut], lengths[:half], numbers[:half])
        yield from _parse(text[cut:], lengths[half:], numbers[half:])


def _text(line: bytes) -> str:
    return line.rstrip(b"\r\n").decode("utf-8", "backslashreplace")
