"""Example rules and evaluations for tests of the Gate."""

import numpy as np

from components.evaluation.judgement import judge
from components.evaluation.metrics import RESAMPLED
from components.gate.thresholds import GateThresholds

THRESHOLDS = GateThresholds(
    min_auc=0.6,
    min_examples=100,
    min_clicks=20,
    max_normalized_entropy_high=None,
    max_auc_drop=0.02,
    min_calibration=0.8,
    max_calibration=1.25,
    max_slice_auc_drop=0.05,
    min_slice_examples=50,
)
GOOD = {
    "auc": 0.7,
    "calibration": 1.0,
    "click_count": 30.0,
    "example_count": 100.0,
    "gauc": 0.6,
    "log_loss": 0.3,
    "normalized_entropy": 0.9,
}


def on_all_rows(candidate, live=None, *, entropy_between=None):
    """Returns a judgement; `entropy_between` are the ends of NE's interval."""
    draws = None
    if entropy_between is not None:
        draws = np.full((2, len(RESAMPLED)), np.nan)
        draws[:, RESAMPLED.index("normalized_entropy")] = entropy_between
    return judge(
        dimension="",
        value="",
        candidate=candidate,
        live=live,
        candidate_replicates=draws,
        level=1.0,
    )
