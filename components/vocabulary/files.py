"""The Vocabulary artifact on disk.

`<space>.txt` holds one raw id a line, in row order: line i (from 0) is row
`first_id_row + i`. `<space>.pending.parquet` holds the ids still below `min_count`.
`vocabulary.json` says, per space, how full it is, its hash and its parent's hash.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from components.vocabulary.logic import PENDING_SCHEMA
from components.vocabulary.logic import Growth
from components.vocabulary.logic import Vocabulary
from models.features import IdSpace

SUMMARY_FILE = "vocabulary.json"


def ids_path(folder: str | Path, space: str) -> Path:
    """Returns the file of ids of `space`."""
    return Path(folder) / f"{space}.txt"


def read_vocabulary(folder: str | Path, space: str) -> Vocabulary:
    """Reads one space of the Vocabulary artifact in `folder`; empty if it is new."""
    path = ids_path(folder, space)
    if not path.exists():
        return Vocabulary.empty()
    lines = path.read_bytes().split(b"\n")[:-1]
    pending = pq.read_table(Path(folder) / f"{space}.pending.parquet")
    return Vocabulary(pa.array(lines, pa.large_binary()), pending.cast(PENDING_SCHEMA))


def write_vocabulary(folder: str | Path, space: str, vocabulary: Vocabulary) -> str:
    """Writes one space and returns the hash of its ids, 16 hexadecimal digits."""
    content = b"".join(line + b"\n" for line in vocabulary.ids.to_pylist())
    ids_path(folder, space).write_bytes(content)
    pq.write_table(vocabulary.pending, Path(folder) / f"{space}.pending.parquet")
    return hashlib.sha256(content).hexdigest()[:16]


def summarise(
    growth: Growth, space: IdSpace, content_hash: str, parent_hash: str | None
) -> dict[str, Any]:
    """Returns what `vocabulary.json` says of one space."""
    size = len(growth.vocabulary.ids)
    return {
        "ids": size,
        "new": growth.new,
        "refused": growth.refused,
        "unusable": growth.unusable,
        "pending": len(growth.vocabulary.pending),
        "capacity": space.capacity,
        "fill": size / space.capacity,
        "hash": content_hash,
        "parent_hash": parent_hash,
    }


def read_summary(folder: str | Path) -> dict[str, dict[str, Any]]:
    """Reads `vocabulary.json`; empty when `folder` holds none."""
    path = Path(folder) / SUMMARY_FILE
    if not path.exists():
        return {}
    summary: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return summary
