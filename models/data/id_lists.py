"""Id lists of a Vocabulary artifact: line i is table row `first_id_row + i`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from models.short_hash import short_hash
from models.vocabulary_files import read_ids_file

_LINE_BREAK = 10
_PIECE_BYTES = 1 << 26


def split_lines(content: bytes) -> pa.LargeBinaryArray:
    """Returns the lines of a file of ids, without the line breaks; (N,)."""
    data = np.frombuffer(content, np.uint8)
    ends = np.concatenate(
        [
            np.empty(0, np.int64),
            *(
                np.flatnonzero(data[start : start + _PIECE_BYTES] == _LINE_BREAK)
                + start
                for start in range(0, len(data), _PIECE_BYTES)
            ),
        ]
    )
    # Ends of the lines once the line breaks before them are removed.
    offsets = np.concatenate([[0], ends - np.arange(len(ends))]).astype(np.int64)
    text = content.replace(b"\n", b"")
    return pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(ends), [None, pa.py_buffer(offsets), pa.py_buffer(text)]
    )


def read_ids(folder: str | Path, space: str) -> pa.LargeStringArray:
    """Returns the raw ids of `space` in the order of their table rows.

    Bytes that are not valid UTF-8 are escaped in one fixed way, so that joins still
    work.

    Raises:
        DataError: The artifact in `folder` has no such space, or is damaged.
    """
    content = read_ids_file(folder, space)
    ids = split_lines(content)
    try:
        return ids.cast(pa.large_string())
    except pa.ArrowInvalid:
        escaped = content.decode("utf-8", "backslashreplace").encode()
        return split_lines(escaped).cast(pa.large_string())


def describe_ids(folder: str | Path, space: str) -> dict[str, Any]:
    """Returns size and hash of `space`, for `is_prefix` and for lineage."""
    content = read_ids_file(folder, space)
    return {
        "ids": content.count(b"\n"),
        "bytes": len(content),
        "hash": _hash(content),
    }


def is_prefix(known: dict[str, Any], folder: str | Path, space: str) -> bool:
    """Whether the list in `folder` begins with the one that `known` describes."""
    content = read_ids_file(folder, space)[: known["bytes"]]
    return len(content) == known["bytes"] and _hash(content) == known["hash"]


def _hash(content: bytes) -> str:
    return short_hash(content)
