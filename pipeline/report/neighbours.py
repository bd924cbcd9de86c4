"""Nearest neighbours of an id in an embedding snapshot, by cosine."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from models.compat import read_table
from models.data.arrow_files import pq
from models.errors import ConfigError
from models.errors import DataError


class Neighbour(NamedTuple):
    """A neighbour of an id.

    Attributes:
        id: Raw id.
        similarity: Cosine of the angle between the two embeddings, in [-1, 1].
        impressions: Impressions of the id in the period's days.
    """

    id: str
    similarity: float
    impressions: int


def nearest(folder: Path, space: str, raw_id: str, count: int) -> list[Neighbour]:
    """Returns the ids of `space` with the most similar embeddings.

    Ids whose embedding is all zeros are left out, as their cosine is undefined.

    Args:
        folder: Folder of an EmbeddingSnapshot.
        space: Id space, such as `item`.
        raw_id: The id to start from, which is not its own neighbour.
        count: Number of neighbours.

    Raises:
        DataError: The snapshot has no such space.
        ConfigError: The snapshot has no such id, or its embedding is all zeros.
    """
    path = folder / f"{space}.parquet"
    if not path.is_file():
        there = ", ".join(sorted(p.stem for p in folder.glob("*.parquet"))) or "nothing"
        raise DataError(
            f"the snapshot at {folder} has no embeddings of {space!r}; it has {there}. "
            "Train the TPM period again"
        )
    with pq.ParquetFile(path) as file:
        table = read_table(file)
    ids = table.column("id").to_pylist()
    vectors = np.stack(table.column("embedding").to_numpy()).astype(np.float64)
    if raw_id not in ids:
        alike = difflib.get_close_matches(raw_id, ids, n=3, cutoff=0.5)
        hint = f"closest: {', '.join(alike)}. " if alike else ""
        raise ConfigError(
            f"{space} {raw_id!r} is not in this snapshot of {len(ids):,} ids, which "
            f"has those with an impression in this period or an earlier one; {hint}"
            "Check the spelling, or choose another --day"
        )
    lengths = np.linalg.norm(vectors, axis=1)
    at = ids.index(raw_id)
    if lengths[at] == 0:
        raise ConfigError(
            f"the embedding of {space} {raw_id!r} is all zeros, so its cosine is "
            "undefined; expected a trained embedding. Train TPM on more impressions"
        )
    with np.errstate(invalid="ignore"):
        similarity = vectors @ vectors[at] / (lengths * lengths[at])
    similarity[lengths == 0] = -np.inf
    similarity[at] = -np.inf
    order = np.argsort(-similarity, kind="stable")[:count]
    impressions = table.column("impressions").to_numpy()
    return [
        Neighbour(ids[i], float(similarity[i]), int(impressions[i]))
        for i in order
        if np.isfinite(similarity[i])
    ]
