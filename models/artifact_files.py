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

# In SERVING_FOLDER. TF Serving reads nothing but WARMUP_FILE from `assets.extra`.
SAVED_MODEL_FILE = "saved_model.pb"
CONTRACT_FILE = "assets.extra/contract.json"
WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"
LINEAGE_FILE = "assets.extra/crossctr.json"

# --- Examples artifact: one folder per domain; the rows' accounting and hashes of the
# log files of each day beside raw ones, counts of ids beside transformed ones.
_SPLIT = "Split-"
ACCOUNTING_FILE = "accounting.json"
LOG_DAYS_FILE = "log_days.json"
ENCODING_FILE = "encoding.json"

# --- What each other artifact says of itself.
VOCABULARY_FILE = "vocabulary.json"
SNAPSHOT_FILE = "snapshot.json"
GUARD_FILE = "report.json"
DECISION_FILE = "decision.json"
# Of ReferenceScores: what each reference came to, and its scores by evaluation row.
REFERENCES_FILE = "references.json"
REFERENCE_SCORES_FILE = "reference_scores.parquet"
# Of an InfraBlessing: requests for WARMUP_FILE, or why no server could use the model.
REQUESTS_FILE = "tf_serving_warmup_requests"
REASON_FILE = "reason.txt"


def split_folder(split: str) -> str:
    """Returns the folder of a split, as TFX names it; `*` gives the pattern of all.

    Example:
        >>> split_folder("ads")
        'Split-ads'
    """
    return f"{_SPLIT}{split}"


def split_of(folder: str) -> str:
    """Returns the split whose folder it is.

    Example:
        >>> split_of("examples/Split-ads")
        'ads'
    """
    return Path(folder).name.removeprefix(_SPLIT)


def model_report(model: Path) -> Path:
    """Returns the path of a Model artifact's training report."""
    return model / TRAIN_FOLDER / REPORT_FILE
