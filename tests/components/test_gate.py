"""The Gate's decision, rule by rule."""

import json
import math

import pytest

from components.gate.logic import GateThresholds
from components.gate.logic import decide

THRESHOLDS = GateThresholds(
    min_auc=0.6,
    min_examples=100,
    max_auc_drop=0.02,
    min_calibration=0.8,
    max_calibration=1.25,
)
GOOD = {"auc": 0.7, "calibration": 1.0, "example_count": 100.0, "gauc": 0.6}


def test_a_cold_start_needs_the_value_thresholds_alone():
    decision = decide(GOOD, None, THRESHOLDS)
    assert (decision.approved, decision.state) == (True, "cold_start")
    assert decision.live is None
    assert all(reason.endswith(": held") for reason in decision.reasons)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"auc": 0.59}, "AUC 0.5900, needed is 0.6000: refused"),
        ({"example_count": 99.0}, "99 evaluation rows, needed are 100: refused"),
        ({"calibration": 0.7}, "predicted / actual clicks 0.700"),
        ({"calibration": 1.3}, "predicted / actual clicks 1.300"),
        ({"auc": math.nan}, "AUC nan"),
        ({"calibration": math.nan}, "clicks nan"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_each_value_threshold_refuses_alone(changes, reason):
    decision = decide({**GOOD, **changes}, None, THRESHOLDS)
    assert not decision.approved
    assert reason in decision.reasons[0]
    assert sum(text.endswith(": refused") for text in decision.reasons) == 1


def test_metrics_that_are_absent_refuse():
    decision = decide({}, None, THRESHOLDS)
    assert not decision.approved
    assert sum(text.endswith(": refused") for text in decision.reasons) == 3


@pytest.mark.parametrize(
    ("live_auc", "approved"),
    [(0.65, True), (0.719, True), (0.721, False), (math.nan, False)],
)
def test_a_candidate_may_not_fall_far_behind_the_live_model(live_auc, approved):
    decision = decide(GOOD, {**GOOD, "auc": live_auc}, THRESHOLDS)
    assert (decision.approved, decision.state) == (approved, "compared")


def test_json_has_no_nan():
    decision = decide({**GOOD, "gauc": math.nan}, GOOD, THRESHOLDS)
    plain = json.loads(json.dumps(decision.to_json(), allow_nan=False))
    assert plain["candidate"]["gauc"] is None
    assert plain["live"] == GOOD
    assert plain["approved"] is True
