"""Differences between the models of a run, on the same draws of users."""

import numpy as np
import pytest

from components.evaluation.replicates import MeasuredModel
from components.references.stored import StoredReference
from components.references.stored import StoredReferences
from pipeline.report.judged import describe
from pipeline.report.paired import differences
from tests.pipeline.report.stored import DECISION

LUCK = np.linspace(-0.1, 0.1, 41)


def judged(strategy, auc, draws=None):
    decision = {**DECISION, "candidate": {**DECISION["candidate"], "auc": auc}}
    replicates = {} if draws is None else {"auc": draws}
    return describe(
        decision, strategy=strategy, fingerprint=strategy, replicates=replicates
    )


def references(auc):
    metrics = {**DECISION["candidate"], "auc": auc}
    best = StoredReference(metrics, 1, 1, "", {"auc": auc + LUCK})
    poor = StoredReference({**metrics, "auc": 0.5}, 1, 1, "", {"auc": 0.5 + LUCK})
    return StoredReferences({"constant": poor, "gbdt": best}, {}, None)


MODELS = [judged("ecdctr", 0.65, 0.65 + LUCK), judged("target_only", 0.6, 0.6 - LUCK)]


def test_strategies_are_compared_with_the_baseline_and_the_best_reference():
    found = differences(MODELS, references(0.63), 0.95)
    assert [(one.strategy, one.against) for one in found] == [
        ("ecdctr", "target_only"),
        ("ecdctr", "gbdt"),
        ("target_only", "gbdt"),
    ]
    # Opposite luck adds up, equal luck cancels.
    apart, paired, _ = (one.values["auc"] for one in found)
    assert (apart.low, apart.high) == pytest.approx((-0.14, 0.24))
    assert (paired.value, paired.low, paired.high) == pytest.approx((0.02,) * 3)
    assert [one.apart for one in found] == [[], ["auc"], []]
    assert set(found[0].values) == {"auc"}


def test_the_published_strategy_is_the_baseline_without_target_only():
    models = [MODELS[0], judged("joint", 0.66, 0.66 + LUCK)]
    (one,) = differences(models, None, 0.95)
    assert (one.strategy, one.against) == ("joint", "ecdctr")
    assert one.values["auc"].value == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("models", "beside"),
    [
        pytest.param([], references(0.6), id="no model"),
        pytest.param(MODELS[:1], None, id="one model"),
        pytest.param([MODELS[0], judged("old", 0.6)], None, id="no replicates"),
    ],
)
def test_nothing_is_compared_without_a_pair(models, beside):
    assert differences(models, beside, 0.95) == []


def test_a_decision_is_measured_as_it_is_shown():
    assert MODELS[0].measured == MeasuredModel(
        {**DECISION["candidate"], "auc": 0.65}, MODELS[0].measured.replicates
    )
