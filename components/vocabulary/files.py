"""Files of the Vocabulary artifact.

`<space>.txt` holds one raw id a line, in row order: line i (from 0) is row
`first_id_row + i`. `<space>.pending.parquet` holds the ids still below `min_count`.
`<space>.sightings.parquet`, of users and items, has a column for each domain with the
first day on which it showed each id.
`vocabulary.json` says, per space, as of which day it is, how full, its hash and its
parent's hash, which `models.vocabulary_files` verifies. A hashed space keeps no ids:
its files are empty, and `vocabulary.json` says how many of the block's ids share a row.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.vocabulary.collisions import Collisions
from components.vocabulary.logic import PENDING_SCHEMA
from components.vocabulary.logic import Growth
from components.vocabulary.logic import Vocabulary
from components.vocabulary.sharing import NEVER
from components.vocabulary.sharing import Sightings
from models import durable_files
from models.data.arrow_files import pq
from models.data.id_lists import split_lines
from models.days import to_date
from models.features.id_space import IdSpace
from models.short_hash import short_hash_of_file
from models.vocabulary_files import check_pending
from models.vocabulary_files import check_sightings
from models.vocabulary_files import ids_path
from models.vocabulary_files import pending_path
from models.vocabulary_files import read_ids_file
from models.vocabulary_files import read_summary
from models.vocabulary_files import sightings_path

_PIECE = 1 << 20  # ids of a file that are written at a time


def read_vocabulary(folder: str | Path, space: str) -> Vocabulary:
    """Reads one space of the Vocabulary artifact in `folder`; empty if it is new.

    Raises:
        DataError: A file is missing or is not what was written.
    """
    summary = read_summary(folder)
    if space not in summary:
        return Vocabulary.empty()
    ids = split_lines(read_ids_file(folder, space))
    if summary[space]["encoding"] != "hash":
        check_pending(folder, space, summary[space])
    pending = pq.read_table(pending_path(folder, space))
    return Vocabulary(ids, pending.cast(PENDING_SCHEMA))


def write_vocabulary(
    folder: str | Path, space: str, vocabulary: Vocabulary
) -> dict[str, Any]:
    """Writes one space.

    Returns:
        What tells whether the files are those that were written: `bytes` and `hash` of
        the ids, `pending_hash`; hashes have 16 hexadecimal digits.
    """
    path = ids_path(folder, space)
    durable_files.write_pieces(path, _lines(vocabulary.ids))
    pending = pending_path(folder, space)
    pq.write_table(vocabulary.pending, pending)
    return {
        "bytes": path.stat().st_size,
        "hash": short_hash_of_file(path),
        "pending_hash": short_hash_of_file(pending),
    }


def _lines(ids: pa.Array) -> Iterator[bytes]:
    """Yields the content of the file of ids, piece by piece."""
    end, nothing = (pa.scalar(text, pa.large_binary()) for text in (b"\n", b""))
    for start in range(0, len(ids), _PIECE):
        lines = pc.binary_join_element_wise(ids.slice(start, _PIECE), nothing, end)
        # The lines of a piece lie one after the other.
        yield lines.buffers()[2].to_pybytes()


def read_sightings(folder: str | Path, space: str) -> Sightings:
    """Reads the sightings of one space; empty if none are kept.

    Raises:
        DataError: The file is missing or is not what was written.
    """
    about = read_summary(folder).get(space, {})
    if "sightings_hash" not in about:
        return {}
    check_sightings(folder, space, about)
    table = pq.read_table(sightings_path(folder, space))
    return {
        domain: table.column(domain).fill_null(NEVER).to_numpy()
        for domain in table.column_names
    }


def write_sightings(folder: str | Path, space: str, sightings: Sightings) -> str:
    """Writes the sightings of one space; returns the file's hash."""
    columns = {
        domain: pa.array(days, pa.int64(), mask=days == NEVER)
        for domain, days in sorted(sightings.items())
    }
    path = sightings_path(folder, space)
    pq.write_table(pa.table(columns), path)
    return short_hash_of_file(path)


def summarise(
    growth: Growth,
    space: IdSpace,
    last_day: int,
    written: Mapping[str, Any],
    parent: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Returns what `vocabulary.json` says of one append-only space.

    Args:
        growth: What the block added.
        space: The space's settings.
        last_day: The block's last day, days since 1970-01-01.
        written: What `write_vocabulary` returned.
        parent: What `vocabulary.json` says of the block before; None for the first.

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
        **written,
        "parent_bytes": (parent or {}).get("bytes"),
        "parent_hash": (parent or {}).get("hash"),
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
