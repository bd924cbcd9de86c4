"""Short hashes of contents: in fingerprints, vocabularies, snapshots and logs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

_DIGITS = 16
_PIECE_BYTES = 1 << 20


def short_hash(content: bytes) -> str:
    """Returns the first 16 hexadecimal digits of the SHA-256 of `content`.

    Example:
        >>> short_hash(b"")
        'e3b0c44298fc1c14'
    """
    return _hash_of([content])


def short_hash_of_file(path: Path) -> str:
    """Returns `short_hash` of a file's content, which is read piece by piece.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        return _hash_of(iter(lambda: file.read(_PIECE_BYTES), b""))


def _hash_of(pieces: Iterable[bytes]) -> str:
    found = hashlib.sha256()
    for piece in pieces:
        found.update(piece)
    return found.hexdigest()[:_DIGITS]
