"""References are read back as the component has written them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from components.evaluation.impressions import ScoredImpressions
from components.evaluation.replicates import MeasuredModel
from components.evaluation.replicates import replicates
from components.references.logic import judge_references
from components.references.logic import resample_references
from components.references.logic import write_references
from components.references.stored import read_references
from models.references.fitting import Reference
from models.references.rows import Columns
from models.references.rows import Rows
from pipeline.comparing.standing import standing

LABELS = [1, 0, 1, 0]
COLUMNS = Columns(("user_id",), ("share",), frozenset())
EVALUATION = Rows(
    pa.table(
        {
            "user_id": pa.array([b"a", b"a", b"b", None], pa.large_binary()),
            "share": [0.5, np.nan, 0.25, 0.75],
            "label": LABELS,
            "day": [3, 3, 4, 4],
        }
    ),
    4,
)


def reference(name, scores, fitted=10, window=10, note=""):
    return Reference(name, np.array(scores), fitted, window, note)


@pytest.fixture
def references(tmp_path):
    """A constant, a good reference that saw a sample, and a poor one."""
    found = [
        reference("constant", [0.4] * 4),
        reference("gbdt + sources", [0.9, 0.1, 0.8, 0.2], 10, 2_000),
        reference("best_feature", [0.4, 0.6, 0.7, 0.1], note="share, more is better"),
    ]
    judged = judge_references(found, EVALUATION, COLUMNS)
    write_references(tmp_path, judged, found, {})
    return read_references(tmp_path)


def test_metrics_are_those_of_a_result_table(references):
    found = references.by_name["gbdt + sources"].metrics
    assert found["auc"] == 1
    assert found["gauc"] == 1
    assert found["gauc_coverage"] == 0.5
    # -log 0.9, 0.9, 0.8, 0.8.
    assert found["log_loss"] == pytest.approx((0.210721 + 0.446287) / 4, abs=1e-5)
    assert found["normalized_entropy"] == pytest.approx(0.164252 / 0.693147, abs=1e-5)
    assert found["calibration"] == pytest.approx(1)
    assert (found["example_count"], found["click_count"]) == (4, 2)
    assert references.by_name["constant"].metrics["auc"] == 0.5


def test_a_reference_is_resampled_on_the_draws_of_a_strategy_with_its_scores(tmp_path):
    rng = np.random.default_rng(3)
    users = [f"u{i % 15}".encode() if i % 7 else None for i in range(90)]
    users[5] = b""
    labels, scores = rng.integers(0, 2, 90), rng.random(90)
    table = pa.table(
        {
            "user_id": pa.array(users, pa.large_binary()),
            "share": np.zeros(90),
            "label": labels,
            "day": np.full(90, 3),
        }
    )
    found = [reference("gbdt", scores)]
    drawn = resample_references(found, Rows(table, 90), COLUMNS, 20)
    # As the Evaluator gathers them: any code for a user, -1 without one.
    ids = sorted({user for user in users if user}, reverse=True)
    codes = np.array([ids.index(user) if user else -1 for user in users])
    strategy = replicates(
        ScoredImpressions(codes, scores, labels.astype(float), np.ones(90), tuple(ids)),
        20,
    )
    np.testing.assert_allclose(drawn["gbdt"], strategy, rtol=1e-12)
    assert resample_references(found, Rows(table, 90), COLUMNS, 0) == {}
    judged = judge_references(found, Rows(table, 90), COLUMNS)
    write_references(tmp_path, judged, found, drawn)
    one = read_references(tmp_path).by_name["gbdt"]
    lower = {**one.metrics, "auc": one.metrics["auc"] - 0.1}
    other = MeasuredModel(lower, one.replicates)
    difference = one.measured.minus(other, "auc", 0.95)
    # The same replicates: nothing is left but the shift of the value.
    assert (difference.low, difference.high) == (0, 0)
    assert difference.value == pytest.approx(0.1)


def test_scores_keep_the_order_of_the_rows(references):
    found = references.scores()
    assert found["gbdt + sources"].tolist() == [0.9, 0.1, 0.8, 0.2]
    assert list(found) == ["constant", "gbdt + sources", "best_feature"]


def test_the_best_is_the_one_with_the_highest_auc(references):
    assert references.best == "gbdt + sources"
    assert list(references.models) == ["gbdt + sources", "best_feature"]


def test_a_sample_and_the_feature_are_told(references):
    assert references.by_name["gbdt + sources"].remark == (
        "fitted on a sample of 10 of 2,000 impressions (`references.rows`)"
    )
    assert references.by_name["best_feature"].remark == "share, more is better"
    assert references.by_name["constant"].remark == ""


def test_a_feature_without_movement_leaves_gauc_usable(references):
    assert references.mechanical == {"share": 0.5}
    assert references.guard == ""


@pytest.mark.parametrize(
    ("aucs", "told"),
    [
        ({"a": 0.7, "target_only": 0.6}, "No strategy is ahead of target_only and the"),
        ({"a": 1.1, "target_only": 1.2}, "No strategy is ahead of target_only and the"),
        ({"a": 1.1, "target_only": 0.6}, "a ahead of target_only and the best"),
        ({"a": 1.1, "b": 1.2}, "a, b ahead of the best reference, gbdt + sources"),
        ({"a": None, "target_only": 0.6}, "No strategy is ahead"),
    ],
)
def test_a_strategy_is_ahead_only_of_both(references, aucs, told):
    (sentence,) = standing(aucs, references)
    assert sentence.startswith(told)
    assert "nothing counts as a win" in sentence


def test_without_references_nothing_is_a_win():
    assert standing({"a": 0.9}, None) == [
        "No references: nothing here counts as a win."
    ]
