"""Variables that a training has stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from models.artifact_files import WEIGHTS_FILE
from models.training.checkpoints import read_rows
from models.training.checkpoints import variable_shapes


def stored_shapes(train_dir: Path) -> dict[str, tuple[int, ...]]:
    """Returns the shapes of all variables in the checkpoint of a training's folder."""
    return variable_shapes(train_dir / WEIGHTS_FILE)


def stored_values(train_dir: Path, name: str) -> Any:
    """Returns the values of one of these variables."""
    rows = stored_shapes(train_dir)[name][0]
    chunks = read_rows(train_dir / WEIGHTS_FILE, name, rows)
    return np.concatenate([chunk for _, chunk in chunks])
