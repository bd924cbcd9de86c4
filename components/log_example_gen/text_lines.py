"""Text files as blocks of whole lines, memory bounded."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from components.log_example_gen.file_names import PACKED
from components.log_example_gen.pieces import unreadable
from components.storage.files import open_input
from models.errors import DataError

BLOCK_BYTES = 8 << 20
# A longer line is no line of a log, and would have to be held in memory.
MAX_LINE_BYTES = 8 << 20

NEWLINE, CARRIAGE_RETURN = 10, 13
_HEAD_BYTES = 1000
_REPACK = "rename it so that its name ends in {}, or unpack it"
# Beginnings of files that are no plain text, with what to do about them.
_STARTS = (
    (b"\x1f\x8b", "gzip", _REPACK.format(".gz")),
    (b"\x28\xb5\x2f\xfd", "zstd", _REPACK.format(".zst")),
    (b"BZh", "bzip2", _REPACK.format(".bz2")),
    (b"PAR1", "Parquet", "rename it to end in .parquet"),
    (codecs.BOM_UTF16_LE, "UTF-16", "write it as UTF-8"),
    (codecs.BOM_UTF16_BE, "UTF-16", "write it as UTF-8"),
)
Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class LongLine:
    """A line that is too long to be read.

    Attributes:
        head: How it begins.
    """

    head: str

    @property
    def problem(self) -> str:
        """What is wrong with it."""
        return f"a line longer than {MAX_LINE_BYTES:,} bytes"


def line_blocks(path: str, kind: str) -> Iterator[bytes | LongLine]:
    """Yields the file's lines in blocks; each block ends with a newline.

    A byte order mark is left out, and a missing newline at the end is added. A line
    longer than `MAX_LINE_BYTES` comes on its own, without its text.

    Args:
        path: A text file; packed as its name says, see `file_names.PACKED`.
        kind: Format of the file, for error messages.

    Raises:
        DataError: The file cannot be read.
    """
    try:
        with open_packed(path) as stream:
            block = stream.read(BLOCK_BYTES)
            check_start(path, kind, block)
            block = block.removeprefix(codecs.BOM_UTF8)
            rest, skipping = b"", False
            while block:
                if skipping:
                    _, newline, block = block.partition(b"\n")
                    skipping = not newline
                first = block.find(b"\n")
                length = len(rest) + (len(block) if first < 0 else first)
                if length > MAX_LINE_BYTES:
                    yield LongLine(as_text((rest + block)[:_HEAD_BYTES]))
                    rest, skipping = b"", first < 0
                    block = block[first + 1 :] if first >= 0 else b""
                end = block.rfind(b"\n") + 1
                if end:
                    yield rest + block[:end]
                    rest = b""
                rest += block[end:]
                block = stream.read(BLOCK_BYTES)
            if rest:
                yield rest + b"\n"
    except (pa.ArrowInvalid, OSError, EOFError) as error:
        raise unreadable(path, kind, error) from error


def as_text(line: bytes) -> str:
    """Returns a line for people, without its end."""
    return line.rstrip(b"\r\n").decode("utf-8", "backslashreplace")


def open_packed(path: str) -> Any:
    """Opens a file to read bytes; packed as its name says, see `PACKED`."""
    return pa.input_stream(open_input(path), PACKED.get(Path(path).suffix))


def check_start(path: str, kind: str, start: bytes) -> None:
    """Raises `DataError` if a file begins like one of another kind."""
    for magic, found, advice in _STARTS:
        if start.startswith(magic):
            raise DataError(
                f"{path} cannot be read as {kind}: it begins like {found}; {advice}"
            )


def joined_slices(text: bytes, starts: Positions, ends: Positions) -> bytes:
    """Returns parts of a text, one after the other.

    Args:
        text: The text.
        starts: Where the parts begin, ascending.
        ends: Where they end.
    """
    if not len(starts):
        return b""
    gaps = np.flatnonzero(starts[1:] != ends[:-1])
    begins = starts[np.concatenate([[0], gaps + 1])]
    stops = ends[np.concatenate([gaps, [len(ends) - 1]])]
    if len(begins) == 1:
        return text[begins[0] : stops[0]]
    return b"".join(text[a:b] for a, b in zip(begins, stops, strict=True))


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
