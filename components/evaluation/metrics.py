"""Lists of metrics, each in the order in which it is computed or shown."""

from __future__ import annotations

# Columns of a redrawn evaluation set; a comparison of strategies draws the first of
# them. GAUC, AUC and log loss of a comparison are shown in an order of their own.
COMPARED = ("auc", "gauc", "log_loss")
RESAMPLED = (*COMPARED, "normalized_entropy", "calibration")
COMPARISON_COLUMNS = ("gauc", "auc", "log_loss")
# Shown as means, without a difference.
COMPARISON_MEANS = ("normalized_entropy", "calibration")
COMPARISON_PANELS = ("gauc", "auc")

# Of a model that the Evaluator has measured.
EVALUATED = (
    "auc",
    "gauc",
    "gauc_coverage",
    "log_loss",
    "normalized_entropy",
    "calibration",
    "calibration_error",
    "click_count",
    "example_count",
)

# Columns of the tables that `run` prints.
RESULT_COLUMNS = (
    "auc",
    "gauc",
    "gauc_coverage",
    "log_loss",
    "normalized_entropy",
    "calibration",
    "example_count",
    "click_count",
)
SLICE_COLUMNS = ("auc", "gauc", "log_loss", "calibration")

# Names in tables and sentences.
NAMES = {
    "auc": "AUC",
    "gauc": "GAUC",
    "gauc_coverage": "coverage",
    "log_loss": "log loss",
    "normalized_entropy": "normalized entropy",
    "calibration": "predicted/actual",
    "example_count": "impressions",
    "click_count": "clicks",
}
