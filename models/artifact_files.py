"""Names of the files and folders inside artifacts; each is said here alone."""

from __future__ import annotations

from pathlib import Path

# --- Model artifact: what TFX's Trainer names, and what a level adds beside it.
SERVING_FOLDER = "Format-Serving"
TRAIN_FOLDER = "Format-Train"
# In TRAIN_FOLDER: checkpoint prefix, impressions of each table row, scores of the days
# that calibrate, layout of the tables, report, and what further workers are given.
WEIGHTS_FILE = "weights"
COUNTS_FILE = "impressions.npz"
SCORED_FILE = "scored_days.npz"
LAYOUT_FILE = "layout.json"
REPORT_FILE = "report.json"
INPUTS_FILE = "inputs.json"

# --- Examples artifact: one folder per domain.
_SPLIT = "Split-"


def split_folder(split: str) -> str:
    """Returns the folder of a split, as TFX names it.

    Example:
        >>> split_folder("ads")
        'Split-ads'
    """
    return f"{_SPLIT}{split}"


def model_report(model: Path) -> Path:
    """Returns the path of a Model artifact's training report."""
    return model / TRAIN_FOLDER / REPORT_FILE
