"""Files in which the Beam workers leave a block's counts for the executor."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa

from components.attempts import replacing
from models.data.arrow_files import pq

# An id space, or its lists, a domain and a bucket of ids.
Key = tuple[str, str, int]


def write_counts(item: tuple[Key, pa.Table], folder: str) -> None:
    """Writes the counts of an id space, domain and bucket, as a Beam step.

    Args:
        item: Key and counts.
        folder: The Vocabulary artifact that is written.
    """
    (space, domain, bucket), counts = item
    path = _bucket_folder(folder, space, bucket) / f"{domain}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as beside:
        pq.write_table(counts, beside)


def read_counts(folder: str | Path, space: str, bucket: int) -> dict[str, pa.Table]:
    """Returns the counts of a space's bucket by domain, sorted."""
    paths = sorted(_bucket_folder(folder, space, bucket).glob("*.parquet"))
    return {path.stem: pq.read_table(path) for path in paths}


def counted_impressions(folder: str | Path, space: str) -> int:
    """Returns the impressions of all counts of a space."""
    return sum(
        int(
            pq.read_table(path, columns=["impressions"])["impressions"].to_numpy().sum()
        )
        for path in sorted(_counts_folder(folder, space).glob("*/*.parquet"))
    )


def remove_counts(folder: str | Path, space: str) -> None:
    """Removes the counts of a space."""
    counts = _counts_folder(folder, space)
    if counts.exists():  # a block without impressions has none
        shutil.rmtree(counts)


def _bucket_folder(folder: str | Path, space: str, bucket: int) -> Path:
    return _counts_folder(folder, space) / f"{bucket:05d}"


def _counts_folder(folder: str | Path, space: str) -> Path:
    return Path(folder) / f"{space}.counts"
