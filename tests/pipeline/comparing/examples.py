"""Example comparison: three strategies, two seeds, made-up numbers."""

import datetime
import math

from components.evaluation.differences import Difference
from pipeline.comparing.costs import Cost
from pipeline.comparing.measure import Measured
from pipeline.comparing.record import Comparison

UNDEFINED = Difference(math.nan, math.nan, math.nan)


def metrics(gauc, auc=0.7, log_loss=0.4):
    return {
        "auc": auc,
        "gauc": gauc,
        "log_loss": log_loss,
        "normalized_entropy": 0.95,
        "calibration": 1.02,
    }


def differences(gauc, auc=None, log_loss=None):
    """Differences by metric, each given as (value, low, high)."""
    none = (0.0, -0.01, 0.01)
    return {
        "auc": Difference(*(auc or none)),
        "gauc": Difference(*gauc),
        "log_loss": Difference(*(log_loss or none)),
    }


def cost(**changes):
    known = {
        "levels": {"tpm": 2, "cpm": 1, "target": 1},
        "rows_read": 29_750.0,
        "train_seconds": 10.44,
        "peak_memory_mib": 1_567.2,
        "added_memory_mib": 245.1,
        "model_mib": 4.53,
        "milliseconds": 2.118,
    }
    return Cost(**{**known, **changes})


TARGET_ONLY = Measured(
    "target_only",
    (metrics(0.60), metrics(0.62)),
    {},
    None,
    Difference(-0.05, -0.08, -0.02),
)
ECDCTR = Measured(
    "ecdctr",
    (metrics(0.65), metrics(0.67)),
    differences((0.05, 0.02, 0.08), log_loss=(-0.02, -0.03, -0.01)),
    Difference(0.5, 0.2, 0.8),
)
STAR = Measured(
    "star",
    (metrics(0.64), metrics(0.66)),
    differences((0.04, -0.01, 0.09), auc=(-0.03, -0.05, -0.01)),
    Difference(0.4, -0.1, 0.9),
    Difference(-0.01, -0.03, 0.01),
)


LOGISTIC = Measured(
    "logistic",
    (metrics(0.61, auc=0.68),),
    differences((0.01, -0.01, 0.03), auc=(-0.02, -0.04, 0.0)),
)


def comparison(**changes):
    known = {
        "name": "feeds_ads",
        "target": "ads",
        "sources": ("feeds", "partner"),
        "day": datetime.date(2024, 2, 23),
        "last_day": datetime.date(2024, 2, 29),
        "seeds": (17, 18),
        "baseline": "target_only",
        "rows": 7_105,
        "clicks": 690,
        "users": 1_900,
        "coverage": 0.75,
        "models": (ECDCTR, STAR, TARGET_ONLY),
        "costs": {
            "ecdctr": cost(),
            "star": cost(
                levels={"target": 1},
                peak_memory_mib=None,
                steps={"target": 1_279},
                batch_size=57,
            ),
            "target_only": cost(levels={"target": 1}, milliseconds=None),
        },
        "oracle": metrics(0.71),
        "references": (LOGISTIC,),
        "best_reference": "logistic",
        "random_effects": True,
        "note": "",
        "command": "crossctr compare configs/feeds_ads.yaml --day 2024-02-23",
        "written": datetime.datetime(2024, 3, 1, 4, 5, tzinfo=datetime.timezone.utc),
    }
    return Comparison(**{**known, **changes})
