"""Names of the files and folders inside artifacts; defined in this module alone."""

from __future__ import annotations

from pathlib import Path

# --- Model artifact: folders that TFX's Trainer names, and the files that a level adds.
SERVING_FOLDER = "Format-Serving"
TRAIN_FOLDER = "Format-Train"
# In TRAIN_FOLDER: checkpoint prefix, number of impressions per table row, scores of the
# calibration days, layout of the embedding tables, training report, and the inputs for
# further workers.
WEIGHTS_FILE = "weights"
COUNTS_FILE = "impressions.npz"
SCORED_FILE = "scored_days.npz"
LAYOUT_FILE = "layout.json"
REPORT_FILE = "report.json"
INPUTS_FILE = "inputs.json"

# In SERVING_FOLDER. TF Serving reads only WARMUP_FILE from `assets.extra`.
SAVED_MODEL_FILE = "saved_model.pb"
CONTRACT_FILE = "assets.extra/contract.json"
WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"
LINEAGE_FILE = "assets.extra/crossctr.json"
CARD_FILE = "assets.extra/model_card.json"
CARD_TEXT_FILE = "assets.extra/model_card.md"

# --- Examples artifact: one folder per domain. Raw Examples also hold the accounting of
# impressions and the hashes of each day's log files, transformed ones the counts of
# ids.
_SPLIT = "Split-"
ACCOUNTING_FILE = "accounting.json"
LOG_DAYS_FILE = "log_days.json"
ENCODING_FILE = "encoding.json"

# --- Descriptions in the other artifacts.
VOCABULARY_FILE = "vocabulary.json"
NUMBERS_FILE = "numbers.json"
SNAPSHOT_FILE = "snapshot.json"
GUARD_FILE = "report.json"
DECISION_FILE = "decision.json"
# Beside DECISION_FILE: the model's metrics on each draw of users.
REPLICATES_FILE = "replicates.npz"
# In ReferenceScores: metrics of each reference, and its scores by evaluation row.
REFERENCES_FILE = "references.json"
REFERENCE_SCORES_FILE = "reference_scores.parquet"
# In an InfraBlessing: requests for WARMUP_FILE, or the reason why no server could use
# the model.
REQUESTS_FILE = "tf_serving_warmup_requests"
REASON_FILE = "reason.txt"


def split_folder(split: str) -> str:
    """Returns TFX's folder name of a split; for `*`, the pattern of all splits.

    Example:
        >>> split_folder("ads")
        'Split-ads'
    """
    return f"{_SPLIT}{split}"


def split_of(folder: str) -> str:
    """Returns the split that a folder belongs to.

    Example:
        >>> split_of("examples/Split-ads")
        'ads'
    """
    return Path(folder).name.removeprefix(_SPLIT)


def model_report(model: Path) -> Path:
    """Returns the path of a Model artifact's training report."""
    return model / TRAIN_FOLDER / REPORT_FILE
