"""Files in which the Beam workers leave a block's counts for the executor."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa

from components.attempts import replacing
from models.data.arrow_files import pq

# An id space, or its lists, and a domain.
Key = tuple[str, str]


def write_counts(item: tuple[Key, pa.Table], folder: str) -> None:
    """Writes the counts of an id space and domain, as a Beam step.

    Args:
        item: Key and counts.
        folder: The Vocabulary artifact that is written.
    """
    (space, domain), counts = item
    path = _counts_folder(folder, space) / f"{domain}.parquet"
    path.parent.mkdir(exist_ok=True)
    with replacing(path) as beside:
        pq.write_table(counts, beside)


def take_counts(folder: Path, space: str) -> dict[str, pa.Table]:
    """Returns a space's counts by domain, sorted, and removes their files."""
    counts_folder = _counts_folder(folder, space)
    paths = sorted(counts_folder.glob("*.parquet"))
    counts = {path.stem: pq.read_table(path) for path in paths}
    shutil.rmtree(counts_folder)
    return counts


def _counts_folder(folder: str | Path, space: str) -> Path:
    return Path(folder) / f"{space}.counts"
