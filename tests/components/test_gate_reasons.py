"""Reasons of a decision as values, stored and read."""

from __future__ import annotations

import json

import pytest

from components.gate.logic import decide
from components.gate.reasons import Reason
from components.gate.reasons import reasons_of
from components.gate.thresholds import GateThresholds
from tests.components.gate_examples import GOOD
from tests.components.gate_examples import THRESHOLDS
from tests.components.gate_examples import on_all_rows


def test_a_stored_decision_has_the_same_reasons():
    decision = decide(on_all_rows({**GOOD, "auc": 0.59}, GOOD), THRESHOLDS)
    stored = json.loads(json.dumps(decision.to_json(), allow_nan=False))
    assert reasons_of(stored) == decision.reasons
    assert decision.reasons[0] == Reason(
        "min_auc", "refused", "AUC 0.5900, needed is 0.6000"
    )
    assert str(decision.reasons[0]) == "AUC 0.5900, needed is 0.6000: refused"


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        ("AUC 0.4: refused", Reason("", "refused", "AUC 0.4")),
        ("slice day: 3: AUC +0.1: held", Reason("", "held", "slice day: 3: AUC +0.1")),
        ("no model is live", Reason("", "noted", "no model is live")),
        ("what he said: nothing", Reason("", "noted", "what he said: nothing")),
    ],
)
def test_decisions_of_earlier_versions_are_read(stored, expected):
    assert reasons_of({"reasons": [stored]}) == (expected,)


def test_a_text_that_ends_like_an_outcome_decides_nothing():
    stored = {"rule": "min_auc", "outcome": "held", "text": "so it was not: refused"}
    assert reasons_of({"reasons": [stored]})[0].outcome == "held"


@pytest.mark.parametrize("live", [None, GOOD], ids=["cold start", "compared"])
def test_rules_are_named_by_the_key_that_sets_them(live):
    every_rule = GateThresholds(
        min_gauc=0.5, max_gauc_drop=0.1, max_log_loss_rise=0.1, min_examples=100
    )
    rules = [r.rule for r in decide(on_all_rows(GOOD, live), every_rule).reasons]
    assert len(set(rules)) == len(rules)
    assert set(rules) - {"cold_start"} <= set(GateThresholds.model_fields)
    assert ("cold_start" in rules) == (live is None)
