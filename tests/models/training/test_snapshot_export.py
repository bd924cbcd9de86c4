"""Counts of impressions that a TPM period keeps of itself and of earlier periods."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.artifact_files import COUNTS_FILE
from models.artifact_files import TRAIN_FOLDER
from models.compat import save_arrays
from models.training.snapshot_export import counts_of_chain


def stored(folder: Path, counts: dict[str, np.ndarray]) -> Path:
    """Stores the counts of a TPM and returns the folder of its model."""
    (folder / TRAIN_FOLDER).mkdir(parents=True)
    save_arrays(folder / TRAIN_FOLDER / COUNTS_FILE, counts)
    return folder


def test_counts_of_all_periods_add_up(tmp_path: Path) -> None:
    first = {"user": np.array([1, 0, 2]), "item": np.array([5, 0])}
    assert counts_of_chain(first, None) == first
    parent = stored(tmp_path / "first", first)
    second = counts_of_chain(
        {"user": np.array([0, 0, 3]), "item": np.array([0, 1])}, parent
    )
    parent = stored(tmp_path / "second", second)
    # The vocabulary of users has grown since.
    third = counts_of_chain(
        {"user": np.array([7, 0, 0, 4]), "item": np.array([0, 0])}, parent
    )
    assert {name: counts.tolist() for name, counts in third.items()} == {
        "user": [7, 0, 0, 4],
        "earlier:user": [1, 0, 5, 0],
        "item": [0, 0],
        "earlier:item": [5, 1],
    }
