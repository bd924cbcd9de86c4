"""Short hashes of contents: in fingerprints, vocabularies and snapshots."""

from __future__ import annotations

import hashlib
from pathlib import Path

_DIGITS = 16
_PIECE_BYTES = 1 << 20


def short_hash(content: bytes) -> str:
    """Returns the first 16 hexadecimal digits of the SHA-256 of `content`.

    Example:
        >>> short_hash(b"")
        'e3b0c44298fc1c14'
    """
    return _shortened(hashlib.sha256(content).hexdigest())


def short_hash_of_file(path: Path) -> str:
    """Returns `short_hash` of a file's content, which is read piece by piece.

    Raises:
        OSError: The file cannot be read.
    """
    found = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            found.update(piece)
    return _shortened(found.hexdigest())


def _shortened(digest: str) -> str:
    return digest[:_DIGITS]
