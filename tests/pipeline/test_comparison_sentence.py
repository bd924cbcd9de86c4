"""Sentence below a run's table: differences without a winner."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.store.results import TargetResult
from pipeline.terminal.tables import comparison

PLAIN = {"auc": 0.60, "log_loss": 0.395, "gauc": 0.43, "gauc_coverage": 0.252}
BETTER = {"auc": 0.67, "log_loss": 0.391, "gauc": 0.54, "gauc_coverage": 0.252}


def _results(**candidates: dict[str, float | None]) -> list[Any]:
    return [
        TargetResult(name, {"candidate": values}, report={}, published=None)
        for name, values in candidates.items()
    ]


def test_auc_and_log_loss_come_first_and_gauc_with_its_coverage():
    found = comparison(_results(ecdctr=BETTER, target_only=PLAIN), "ecdctr")
    assert found == (
        "ecdctr minus target_only, on one seed: AUC +0.0700, log loss -0.0040 (less is "
        "better), GAUC +0.1100 on 25.2% of the impressions"
    )


@pytest.mark.parametrize("gauc", [0.2, 0.43, 0.9])
def test_no_winner_is_named_whatever_gauc_says(gauc):
    results = _results(ecdctr={**BETTER, "gauc": gauc}, target_only=PLAIN)
    found = comparison(results, "ecdctr")
    assert "beat" not in found
    assert found.index("AUC +0.0700") < found.index("log loss") < found.index("GAUC")


def test_without_a_user_of_both_labels_auc_and_log_loss_are_said_all_the_same():
    missing = {"gauc": None, "gauc_coverage": 0.0}
    results = _results(ecdctr={**BETTER, **missing}, target_only={**PLAIN, **missing})
    assert comparison(results, "ecdctr") == (
        "ecdctr minus target_only, on one seed: AUC +0.0700, log loss -0.0040 (less is "
        "better), GAUC undefined: no user has both a click and an impression without "
        "one; evaluate on more days"
    )


def test_rows_of_one_label_have_no_auc():
    missing = {"auc": None, "gauc": None, "gauc_coverage": 0.0}
    results = _results(ecdctr={**BETTER, **missing}, target_only={**PLAIN, **missing})
    assert "AUC undefined, log loss -0.0040" in comparison(results, "ecdctr")


def test_there_is_no_sentence_without_both_models():
    assert comparison(_results(ecdctr=BETTER), "ecdctr") == ""
    assert comparison(_results(target_only=PLAIN), "target_only") == ""
