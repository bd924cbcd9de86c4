"""Files of the Vocabulary artifact.

`<space>.txt` holds one raw id a line, in row order: line i (from 0) is row
`first_id_row + i`. `<space>.pending.parquet` holds the ids still below `min_count`.
`<space>.sightings.parquet`, of users and items, has a column for each domain with the
first day on which it showed each id.
`vocabulary.json` says, per space, as of which day it is, how full, its hash and its
parent's hash. A hashed space keeps no ids: its files are empty, and `vocabulary.json`
says how many of the block's ids share a row.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from components.vocabulary.collisions import Collisions
from components.vocabulary.logic import PENDING_SCHEMA
from components.vocabulary.logic import Growth
from components.vocabulary.logic import Vocabulary
from components.vocabulary.sharing import NEVER
from components.vocabulary.sharing import Sightings
from models.artifact_files import VOCABULARY_FILE
from models.data.arrow_files import pq
from models.days import to_date
from models.features.id_space import IdSpace
from models.short_hash import short_hash


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
    return short_hash(content)


def read_sightings(folder: str | Path, space: str) -> Sightings:
    """Reads the sightings of one space; empty if none are kept."""
    path = _sightings_path(folder, space)
    if not path.exists():
        return {}
    table = pq.read_table(path)
    return {
        domain: table.column(domain).fill_null(NEVER).to_numpy()
        for domain in table.column_names
    }


def write_sightings(folder: str | Path, space: str, sightings: Sightings) -> None:
    """Writes the sightings of one space."""
    columns = {
        domain: pa.array(days, pa.int64(), mask=days == NEVER)
        for domain, days in sorted(sightings.items())
    }
    pq.write_table(pa.table(columns), _sightings_path(folder, space))


def _sightings_path(folder: str | Path, space: str) -> Path:
    return Path(folder) / f"{space}.sightings.parquet"


def summarise(
    growth: Growth,
    space: IdSpace,
    last_day: int,
    content_hash: str,
    parent_hash: str | None,
) -> dict[str, Any]:
    """Returns what `vocabulary.json` says of one append-only space.

    Args:
        growth: What the block added.
        space: The space's settings.
        last_day: The block's last day, days since 1970-01-01.
        content_hash: Hash of the ids.
        parent_hash: Hash of the ids before the block; None for the first block.

    Returns:
        JSON-able; `grown` holds, for each day that added ids, its date and the number
        of ids after it.
    """
    size = len(growth.vocabulary.ids)
    before = size - sum(growth.new.values())
    sizes = before + np.cumsum(list(growth.new.values()), dtype=np.int64)
    dates = [str(to_date(day)) for day in growth.new]
    return {
        "encoding": space.encoding,
        "day": str(to_date(last_day)),
        "ids": size,
        "ids_before": before,
        "new": size - before,
        "grown": [list(pair) for pair in zip(dates, sizes.tolist(), strict=True)],
        "refused": growth.refused,
        "unusable": growth.unusable,
        "pending": len(growth.vocabulary.pending),
        "capacity": space.capacity,
        "fill": size / space.capacity,
        "hash": content_hash,
        "parent_hash": parent_hash,
    }


def summarise_hashed(
    found: Collisions, space: IdSpace, last_day: int
) -> dict[str, Any]:
    """Returns what `vocabulary.json` says of one hashed space."""
    return {
        "encoding": space.encoding,
        "day": str(to_date(last_day)),
        "capacity": space.capacity,
        "collision_rate": found.rate,
        **dataclasses.asdict(found),
    }


def read_summary(folder: str | Path) -> dict[str, dict[str, Any]]:
    """Reads `vocabulary.json`; empty when `folder` holds none."""
    path = Path(folder) / VOCABULARY_FILE
    if not path.exists():
        return {}
    summary: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return summary
