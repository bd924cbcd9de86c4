"""Export of a trained TPM's tables as an EmbeddingSnapshot."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.artifact_files import COUNTS_FILE
from models.artifact_files import TRAIN_FOLDER
from models.artifact_files import WEIGHTS_FILE
from models.data import snapshots
from models.data.id_lists import describe_ids
from models.data.id_lists import read_ids
from models.errors import DataError
from models.features.id import SNAPSHOT_SPACES
from models.features.table import FeatureTable
from models.training.checkpoints import read_rows
from models.training.checkpoints import variable_shapes

# Prefix of the counts of the periods that a TPM continues.
_EARLIER = "earlier:"


def counts_of_chain(
    impressions: Mapping[str, npt.NDArray[np.int64]], parent: Path | None
) -> dict[str, npt.NDArray[np.int64]]:
    """Returns the counts that a TPM keeps: its own, and those of earlier periods.

    Args:
        impressions: Impressions per table row, by table, in the period's days.
        parent: Folder of the Model artifact that the period starts from, or None.
    """
    counts = dict(impressions)
    if parent is None:
        return counts
    with np.load(parent / TRAIN_FOLDER / COUNTS_FILE) as stored:
        former = {name: stored[name] for name in stored.files}
    for table, own in impressions.items():
        earlier = np.zeros_like(own)
        for name in (table, f"{_EARLIER}{table}"):
            # A table may have grown since.
            known = former.get(name, earlier[:0])[: len(own)]
            earlier[: len(known)] += known
        counts[f"{_EARLIER}{table}"] = earlier
    return counts


def export_snapshot(
    train_dir: Path,
    vocabulary_dir: Path,
    features: FeatureTable,
    out_dir: Path,
    *,
    period_day: int,
    spaces: Sequence[str] = SNAPSHOT_SPACES,
) -> None:
    """Writes the tables of a trained TPM as an EmbeddingSnapshot.

    Args:
        train_dir: The TPM's `Format-Train` folder.
        vocabulary_dir: The vocabulary it was trained with.
        features: All features.
        out_dir: Folder of the snapshot.
        period_day: The TPM's run day; its window ends the day before.
        spaces: Id spaces to export.

    Raises:
        DataError: The model lacks the table of a space, or the spaces' widths differ.
    """
    checkpoint = train_dir / WEIGHTS_FILE
    width = _common_width(checkpoint, spaces)
    out_dir.mkdir(parents=True, exist_ok=True)
    vocabularies = {space: describe_ids(vocabulary_dir, space) for space in spaces}
    written = {}
    with np.load(train_dir / COUNTS_FILE) as counts:
        for space in spaces:
            ids = read_ids(vocabulary_dir, space)
            first = features.vocabularies[space].first_id_row
            chunks = read_rows(checkpoint, _table(space), len(ids), first_row=first)
            rows, earlier = slice(first, first + len(ids)), f"{_EARLIER}{space}"
            written[space] = snapshots.write_space(
                out_dir,
                space,
                ids,
                counts[space][rows],
                ((start - first, chunk.numpy()) for start, chunk in chunks),
                width,
                {
                    "period_day": period_day,
                    "vocabulary_hash": vocabularies[space]["hash"],
                },
                counts[earlier][rows] if earlier in counts else None,
            )
    snapshots.write_summary(
        out_dir,
        period_day=period_day,
        width=width,
        vocabularies=vocabularies,
        rows=written,
    )


def _table(space: str) -> str:
    """Returns the variable of a space's embedding table."""
    return f"embedding/{space}/table"


def _common_width(checkpoint: Path, spaces: Sequence[str]) -> int:
    """Returns the width of the tables; raises DataError unless they have one."""
    shapes = variable_shapes(checkpoint)
    lacking = [space for space in spaces if _table(space) not in shapes]
    if lacking:
        raise DataError(
            f"the model at {checkpoint.parent} has no table of {', '.join(lacking)}; "
            "mark a feature of that vocabulary with `tpm: true`"
        )
    widths = {space: shapes[_table(space)][1] for space in spaces}
    if len(set(widths.values())) != 1:
        raise DataError(
            f"the exported tables must have one width; received {widths}. Give the "
            "features of these vocabularies the same width"
        )
    return widths[spaces[0]]
