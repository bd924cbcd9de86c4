"""Decision of the Gate, rule by rule."""

import json
import math

import numpy as np
import pytest
import sklearn.metrics

from components.evaluation.constant import constant_metrics
from components.evaluation.judgement import Judgement
from components.evaluation.judgement import judge
from components.evaluation.metrics import RESAMPLED
from components.gate.logic import decide
from components.gate.thresholds import GateThresholds
from tests.components.gate_examples import GOOD
from tests.components.gate_examples import THRESHOLDS
from tests.components.gate_examples import on_all_rows


def refused(decision):
    return [str(found) for found in decision.reasons if found.outcome == "refused"]


def test_a_cold_start_needs_the_value_thresholds_alone():
    decision = decide(on_all_rows(GOOD), THRESHOLDS)
    assert (decision.approved, decision.state) == (True, "cold_start")
    *held, noted = decision.reasons
    assert all(reason.outcome == "held" for reason in held)
    assert "no model is live yet (cold start)" in noted.text


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"auc": 0.59}, "AUC 0.5900, needed is 0.6000: refused"),
        ({"example_count": 99.0}, "99 evaluation rows, needed are 100: refused"),
        ({"calibration": 0.7}, "predicted / actual clicks 0.700"),
        ({"calibration": 1.3}, "predicted / actual clicks 1.300"),
        ({"auc": math.nan}, "AUC nan"),
        ({"calibration": math.nan}, "clicks nan"),
        ({"click_count": 19.0}, "19 clicks and 81 impressions without one, needed"),
        ({"click_count": 81.0}, "81 clicks and 19 impressions without one, needed"),
        ({"click_count": math.nan}, "nan clicks"),
        ({"normalized_entropy": 1.0}, "normalized entropy 1.0000, needed is below 1"),
        ({"normalized_entropy": math.nan}, "normalized entropy nan"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_each_value_threshold_refuses_alone(changes, reason):
    decision = decide(on_all_rows({**GOOD, **changes}), THRESHOLDS)
    assert not decision.approved
    assert reason in str(decision.reasons[0])
    assert len(refused(decision)) == 1


@pytest.mark.parametrize(
    ("clicks", "text"),
    [
        (0.0, "no click in 100 rows, so there is no AUC, needed is 0.6"),
        (100.0, "no impression without a click in 100 rows, so there is no AUC"),
    ],
)
def test_labels_that_are_all_equal_are_named(clicks, text):
    metrics = {**GOOD, "auc": math.nan, "click_count": clicks}
    assert any(text in one for one in refused(decide(on_all_rows(metrics), THRESHOLDS)))


def test_metrics_that_are_absent_refuse():
    decision = decide(on_all_rows({}), THRESHOLDS)
    assert not decision.approved
    assert len(refused(decision)) == 5


# === What the defaults refuse ===

# A model of a small data set that the Gate once published: its scores cost more log
# loss than the click rate alone, and it expected two thirds of the clicks.
NONSENSE = {
    "auc": 0.55,
    "calibration": 0.62,
    "click_count": 200.0,
    "example_count": 1000.0,
    "gauc": 0.52,
    "log_loss": 0.58,
    "normalized_entropy": 1.15,
}
FINE = {**NONSENSE, "calibration": 1.1, "normalized_entropy": 0.95}


def test_a_model_worse_than_the_click_rate_is_refused_with_every_reason():
    judgement = on_all_rows(NONSENSE, entropy_between=(1.05, 1.3))
    decision = decide(judgement, GateThresholds())
    assert not decision.approved
    assert refused(decision) == [
        "normalized entropy 1.1500, needed is below 1.0000: refused",
        "upper end of normalized entropy's interval 1.3000, needed is below 1.0000: "
        "refused",
        "predicted / actual clicks 0.620, allowed are 0.80 to 1.25: refused",
    ]


@pytest.mark.parametrize("live", [None, {**FINE, "auc": 0.5}], ids=["cold", "live"])
@pytest.mark.parametrize(
    ("between", "approved"),
    [((0.9, 0.999), True), ((0.9, 1.0), False), ((0.9, 1.2), False), (None, False)],
    ids=["below 1", "up to 1", "beyond 1", "no interval"],
)
def test_the_whole_interval_must_be_better_than_the_click_rate(between, approved, live):
    decision = decide(
        on_all_rows(FINE, live, entropy_between=between), GateThresholds()
    )
    assert decision.approved is approved
    if not approved:
        (reason,) = refused(decision)
        assert "interval" in reason


def test_an_interval_that_is_missing_is_named():
    (reason,) = refused(decide(on_all_rows(FINE), GateThresholds()))
    assert reason.startswith("normalized entropy has no interval, as fewer than ten ")


@pytest.mark.parametrize(
    ("given", "min_clicks", "entropy"),
    [
        ({}, 100, 1.0),
        ({"min_examples": 1000}, 100, 1.0),
        ({"min_examples": 10}, 2, 1.0),
        ({"min_examples": "10"}, 2, 1.0),
        ({"min_examples": 1}, 1, 1.0),
        ({"min_examples": 10, "min_clicks": 7}, 7, 1.0),
        ({"min_auc": 0.5}, 100, 1.0),
        ({"min_auc": 0.0}, 100, None),
        ({"min_auc": 0.0, "max_normalized_entropy": 1.1}, 100, 1.1),
    ],
    ids=str,
)
def test_defaults_follow_what_is_given(given, min_clicks, entropy):
    thresholds = GateThresholds(**given)
    assert thresholds.min_clicks == min_clicks
    assert thresholds.max_normalized_entropy == entropy
    # What is passed on to the component, or printed and loaded again, is the same.
    again = GateThresholds.model_validate_json(thresholds.model_dump_json())
    assert again == thresholds


def test_without_a_rule_a_model_worse_than_the_click_rate_is_noted():
    loose = GateThresholds(min_auc=0.0, min_calibration=0.5)
    decision = decide(on_all_rows(NONSENSE), loose)
    assert decision.approved
    assert any(
        str(reason)
        == "normalized entropy 1.1500 is no better than a constant click rate, "
        "and gate.max_normalized_entropy is null: noted"
        for reason in decision.reasons
    )
    noted = [r for r in decide(on_all_rows(FINE), loose).reasons if "entropy" in r.text]
    assert noted == []


# === The constant ===


def test_the_constant_is_scored_as_any_model_on_the_same_impressions():
    labels = np.array([1] * 30 + [0] * 70)
    found = constant_metrics(0.2, {**GOOD, "gauc_coverage": 0.5})
    loss = sklearn.metrics.log_loss(labels, np.full(100, 0.2))
    best = sklearn.metrics.log_loss(labels, np.full(100, 0.3))
    assert found == pytest.approx(
        {
            "click_rate": 0.2,
            "example_count": 100.0,
            "click_count": 30.0,
            "auc": 0.5,
            "gauc": 0.5,
            "gauc_coverage": 0.5,
            "log_loss": loss,
            "normalized_entropy": loss / best,
            "calibration": 20 / 30,
        }
    )
    # No constant beats the evaluation rows' own click rate.
    assert found["normalized_entropy"] > 1
    assert constant_metrics(0.3, GOOD)["normalized_entropy"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("clicks", "undefined"),
    [
        (0.0, {"auc", "normalized_entropy", "calibration"}),
        (100.0, {"auc", "normalized_entropy"}),
    ],
)
def test_a_constant_on_equal_labels_has_no_auc(clicks, undefined):
    found = constant_metrics(
        0.2, {"example_count": 100.0, "click_count": clicks, "gauc_coverage": 0.0}
    )
    assert {k for k, v in found.items() if math.isnan(v)} == {*undefined, "gauc"}


def test_a_constant_of_a_window_without_clicks_has_a_finite_log_loss():
    assert math.isfinite(constant_metrics(0.0, GOOD)["log_loss"])


def test_the_decision_carries_the_constant_and_judges_nothing_by_it():
    constant = constant_metrics(0.2, GOOD)
    decision = decide(on_all_rows(GOOD), THRESHOLDS, constant=constant)
    assert decision.to_json()["constant"]["click_rate"] == 0.2
    assert decision.reasons == decide(on_all_rows(GOOD), THRESHOLDS).reasons
    assert decide(on_all_rows(GOOD), THRESHOLDS).to_json()["constant"] is None


@pytest.mark.parametrize(
    ("live_auc", "approved"),
    [(0.65, True), (0.719, True), (0.721, False), (math.nan, False)],
)
def test_a_candidate_may_not_fall_far_behind_the_live_model(live_auc, approved):
    decision = decide(on_all_rows(GOOD, {**GOOD, "auc": live_auc}), THRESHOLDS)
    assert (decision.approved, decision.state) == (approved, "compared")


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ({"min_gauc": 0.61}, "GAUC 0.6000, needed is 0.6100"),
        ({"max_normalized_entropy": 0.8}, "normalized entropy 0.9000, needed is below"),
        ({"max_gauc_drop": 0.01}, "GAUC -0.1000 against the live model, allowed is -0"),
        ({"max_log_loss_rise": 0.05}, "log loss +0.1000 against the live model, allow"),
        ({"max_log_loss_rise": 0.0}, "log loss +0.1000 against the live model, allowe"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_other_rules_refuse_once_they_are_set(rule, reason):
    judgement = on_all_rows(GOOD, {**GOOD, "gauc": 0.7, "log_loss": 0.2})
    assert decide(judgement, THRESHOLDS).approved
    decision = decide(judgement, THRESHOLDS.model_copy(update=rule))
    assert not decision.approved
    assert reason in str(decision.reasons[0])


def test_an_undefined_gauc_refuses_only_if_it_has_a_rule():
    judgement = on_all_rows({**GOOD, "gauc": math.nan}, GOOD)
    assert decide(judgement, THRESHOLDS).approved
    strict = THRESHOLDS.model_copy(update={"max_gauc_drop": 0.5})
    assert "GAUC +nan against" in decide(judgement, strict).reasons[0].text


# === Slices ===


def part(value, auc, live_auc, rows=50.0, spread=None):
    """Returns one slice; `spread` is how far the draws of the change scatter."""
    candidate = {**GOOD, "auc": auc, "example_count": rows}
    live = {**candidate, "auc": live_auc}
    draws = [None, None]
    if spread is not None:
        draws = [np.full((3, len(RESAMPLED)), x) for x in (auc, live_auc)]
        draws[0][:, 0] += [-spread, 0, spread]
    return judge(
        dimension="slice_user_history",
        value=value,
        candidate=candidate,
        live=live,
        candidate_replicates=draws[0],
        live_replicates=draws[1],
    )


OVERALL = on_all_rows(GOOD, GOOD)


@pytest.mark.parametrize(
    ("slices", "reason"),
    [
        pytest.param(
            [part("0", 0.6, 0.66), part("1-5", 0.7, 0.7)],
            "slice user history 0 (50 rows): AUC -0.0600 against the live model, "
            "allowed is -0.0500: refused",
            id="one falls",
        ),
        pytest.param(
            [part("0", 0.6, 0.66, spread=0.01)],
            "AUC -0.0600 (-0.0695 to -0.0505) against the live model",
            id="beyond chance",
        ),
    ],
)
def test_a_slice_that_falls_refuses_alone(slices, reason):
    decision = decide(OVERALL, THRESHOLDS, slices)
    assert not decision.approved
    (text,) = refused(decision)
    assert reason in text


@pytest.mark.parametrize(
    ("slices", "reason"),
    [
        pytest.param([part("0", 0.62, 0.66)], "worst user history 0 -0.0400", id="few"),
        pytest.param(
            [part("0", 0.6, 0.66, spread=0.1)], "unless it is within", id="chance"
        ),
        pytest.param(
            [part("0", 0.1, 0.9, rows=49.0)],
            "1 of 1 slices have fewer than 50 rows and were not judged: noted",
            id="few rows",
        ),
        pytest.param([part("0", math.nan, 0.9)], "AUC 0.7000, needed", id="undefined"),
    ],
)
def test_slices_that_do_not_refuse(slices, reason):
    decision = decide(OVERALL, THRESHOLDS, slices)
    assert decision.approved
    assert any(reason in str(found) for found in decision.reasons)


def test_slices_can_be_left_unjudged_and_do_not_count_on_a_cold_start():
    bad = [part("0", 0.1, 0.9)]
    off = THRESHOLDS.model_copy(update={"max_slice_auc_drop": None})
    assert decide(OVERALL, off, bad).approved
    assert decide(on_all_rows(GOOD), THRESHOLDS, bad).approved


# === What is written ===


def test_json_has_no_nan_and_marks_slices_with_few_rows():
    slices = [part("0", math.nan, 0.9, rows=49.0), part("1-5", 0.7, 0.7, spread=0.1)]
    decision = decide(on_all_rows({**GOOD, "gauc": math.nan}, GOOD), THRESHOLDS, slices)
    plain = json.loads(json.dumps(decision.to_json(), allow_nan=False))
    assert plain["candidate"]["gauc"] is None
    assert plain["live"] == GOOD
    assert plain["approved"] is True
    assert plain["changes"]["auc"] == {"value": 0.0, "low": None, "high": None}
    few, enough = plain["slices"]
    assert (few["slice"], few["value"], few["few_rows"]) == ("user_history", "0", True)
    assert few["candidate"]["auc"] is None
    assert enough["few_rows"] is False
    assert enough["intervals"]["auc"] == pytest.approx(
        {"value": 0.7, "low": 0.605, "high": 0.795}
    )


def test_draws_that_leave_a_metric_undefined_are_left_out():
    draws = np.full((4, len(RESAMPLED)), np.nan)
    draws[:2, 0] = [0.5, 0.7]
    found = judge(
        dimension="", value="", candidate=GOOD, live=None, candidate_replicates=draws
    )
    interval = found.intervals["auc"]
    assert (interval.low, interval.high) == pytest.approx((0.505, 0.695))
    assert math.isnan(found.intervals["gauc"].low)
    assert found.changes == {}


def test_missing_counts_are_zero_rows():
    assert Judgement("", "", {}).num_rows == 0.0
