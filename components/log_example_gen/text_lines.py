"""Text files as blocks of whole lines, memory bounded."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from components.log_example_gen.pieces import unreadable

BLOCK_BYTES = 8 << 20
# A longer line is no line of a log, and would have to be held in memory.
MAX_LINE_BYTES = 8 << 20

NEWLINE, CARRIAGE_RETURN = 10, 13
Positions = npt.NDArray[np.int64]


def line_blocks(path: str, kind: str) -> Iterator[bytes]:
    """Yields the file's lines in blocks; each block ends with a newline.

    A byte order mark is left out, and a missing newline at the end is added.

    Args:
        path: A text file; gzip-compressed if the name ends in `.gz`.
        kind: Format of the file, for error messages.

    Raises:
        DataError: The file cannot be read, or a line is longer than `MAX_LINE_BYTES`.
    """
    lines = 0
    try:
        with _open(path) as stream:
            block = stream.read(BLOCK_BYTES).removeprefix(codecs.BOM_UTF8)
            rest = b""
            while block:
                end = block.rfind(b"\n") + 1
                if len(rest) + (block.find(b"\n") if end else len(block)) > (
                    MAX_LINE_BYTES
                ):
                    raise unreadable(
                        path,
                        kind,
                        f"line {lines + 1:,} is longer than {MAX_LINE_BYTES:,} bytes",
                    )
                if end:
                    whole = rest + block[:end]
                    lines += whole.count(b"\n")
                    rest = block[end:]
                    yield whole
                else:
                    rest += block
                block = stream.read(BLOCK_BYTES)
            if rest:
                yield rest + b"\n"
    except (pa.ArrowInvalid, OSError, EOFError) as error:
        raise unreadable(path, kind, error) from error


def _open(path: str) -> Any:
    compression = "gzip" if path.endswith(".gz") else None
    return pa.input_stream(path, compression=compression)


def positions(buffer: npt.NDArray[np.uint8], byte: int) -> Positions:
    """Returns where `byte` is, ascending."""
    return np.flatnonzero(buffer == byte)


def escaped_by(
    buffer: npt.NDArray[np.uint8], marks: Positions, escape: int
) -> tuple[npt.NDArray[np.bool_], Positions]:
    r"""Finds marks that an odd number of escape characters stands before.

    Args:
        buffer: The bytes.
        marks: Positions of the characters that may be escaped.
        escape: The escape character, which escapes itself, too.

    Returns:
        Which marks are escaped, bool of the shape of `marks`; and positions of escape
        characters that are escaped themselves: the second of each pair.

    Example:
        >>> text = np.frombuffer(rb'a\"b\\"', np.uint8)
        >>> escaped_by(text, positions(text, 34), 92)
        (array([ True, False]), array([5]))
    """
    escapes = positions(buffer, escape)
    if not len(escapes):
        return np.zeros(len(marks), np.bool_), escapes
    begins = np.concatenate([[True], np.diff(escapes) > 1])
    run_start = np.maximum.accumulate(np.where(begins, escapes, 0))
    offset = escapes - run_start
    # The escape character right before a mark, if there is one.
    before = np.searchsorted(escapes, marks) - 1
    adjacent = (before >= 0) & (escapes[before] == marks - 1)
    return adjacent & (offset[before] % 2 == 0), escapes[offset % 2 == 1]
