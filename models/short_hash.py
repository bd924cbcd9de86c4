"""Short hashes of contents: in fingerprints, vocabularies and snapshots."""

from __future__ import annotations

import hashlib

_DIGITS = 16


def short_hash(content: bytes) -> str:
    """Returns the first 16 hexadecimal digits of the SHA-256 of `content`.

    Example:
        >>> short_hash(b"")
        'e3b0c44298fc1c14'
    """
    return hashlib.sha256(content).hexdigest()[:_DIGITS]
