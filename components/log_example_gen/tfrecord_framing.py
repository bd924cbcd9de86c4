"""Framing of TFRecord files: the number of records, and whether the last is whole.

TensorFlow's reader takes up to eleven bytes after the last whole record, and a gzip
stream that breaks off there, for the end of the file, so a truncated file would lose
records without an error. A record is framed as

    length, 8 bytes, little-endian    checksum, 4 bytes    content    checksum, 4 bytes

and checksums are left to TensorFlow.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pyarrow as pa

from components.log_example_gen.pieces import unreadable
from components.log_example_gen.text_lines import check_start
from components.log_example_gen.text_lines import open_packed

KIND = "TFRecord of tf.Examples"
_LENGTH = struct.Struct("<Q")
_HEADER_BYTES = 12
_CHECKSUM_BYTES = 4
_BLOCK_BYTES = 8 << 20


def count_records(path: str, copy: str | None = None) -> int:
    """Returns how many records a file has.

    Args:
        path: The file; gzip-compressed if the name ends in `.gz`.
        copy: A local copy of it to read instead, if there is one.

    Raises:
        DataError: The file cannot be read, or ends inside a record.
    """
    count = position = 0
    block = start = b""
    try:
        for more in _blocks(copy or path):
            start = start or more
            left = block[position:]
            # A record may end several blocks further on.
            position = max(position - len(block), 0)
            block = left + more
            while position + _HEADER_BYTES <= len(block):
                (length,) = _LENGTH.unpack_from(block, position)
                position += _HEADER_BYTES + length + _CHECKSUM_BYTES
                count += 1
    except (pa.ArrowInvalid, OSError, EOFError) as error:
        raise unreadable(path, KIND, error) from error
    if position == len(block):
        return count
    check_start(path, KIND, start)
    inside = count if position > len(block) else count + 1
    raise unreadable(path, KIND, f"it ends inside record {inside:,}")


def _blocks(path: str) -> Iterator[bytes]:
    with open_packed(path) as stream:
        while block := stream.read(_BLOCK_BYTES):
            yield block
