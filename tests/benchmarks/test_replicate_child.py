"""What a replicate's process stores, and strategies that start days before the run."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from benchmarks import replicate_child
from benchmarks.replicate_child import scores_table
from benchmarks.replicate_child import start_continued
from benchmarks.score_files import decoded
from pipeline.comparing.trials import Trial
from pipeline.comparing.trials import Trials
from pipeline.execution.failures import StrategiesFailedError
from pipeline.report.scoring import Scored
from tests.pipeline.comparing.examples import cost

USERS = np.array([b"a", b"b", None], object)
LABELS = np.array([0, 1, 1])


def trial(scores):
    return Trial(Scored(USERS, LABELS, np.array(scores), None, USERS), cost())


def test_scores_of_models_references_and_oracle_are_stored_by_row(monkeypatch):
    monkeypatch.setattr(
        replicate_child, "oracle_of", lambda *_: (np.array([0.1, 0.2, 0.3]), "")
    )
    trials = Trials(
        {"target_only": [trial([0.2, 0.4, 0.6])], "star": [trial([0.1, 0.1, 0.9])]},
        references=SimpleNamespace(scores=lambda: {"constant": np.full(3, 0.5)}),
    )
    table = scores_table(SimpleNamespace(baseline="target_only"), trials)
    found = table.to_pydict()
    assert found["user"] == found["item"] == [b"a", b"b", None]
    assert found["label"] == [0, 1, 1]
    for name, scores in (
        ("model:star", [0.1, 0.1, 0.9]),
        ("oracle", [0.1, 0.2, 0.3]),
        ("reference:constant", [0.5, 0.5, 0.5]),
    ):
        np.testing.assert_allclose(decoded(table[name]), scores, atol=7e-5)


def test_rows_without_items_and_oracle_have_no_such_column(monkeypatch):
    monkeypatch.setattr(replicate_child, "oracle_of", lambda *_: (None, ""))
    plain = Trial(Scored(USERS, LABELS, np.array([0.2, 0.4, 0.6])), cost())
    table = scores_table(
        SimpleNamespace(baseline="target_only"), Trials({"target_only": [plain]})
    )
    assert table.column_names == ["user", "label", "model:target_only"]


def test_continued_strategies_start_on_the_earlier_day(monkeypatch):
    asked = []

    def run(_, day, variants, *__, **___):
        asked.append((day, list(variants)))
        return Trials({}, failed={"ctnet": "seed 1: no source"})

    monkeypatch.setattr(replicate_child, "run_trials", run)
    failed = start_continued(None, 90, {"ctnet": None}, None)
    assert asked == [(90, ["ctnet"])]
    assert failed == {"ctnet": "seed 1: no source"}
    assert start_continued(None, 90, {}, None) == {}
    assert len(asked) == 1


def test_a_strategy_that_cannot_start_is_left_out_with_the_reason(monkeypatch):
    def run(*_, **__):
        raise StrategiesFailedError({"ctnet": "no memory"})

    monkeypatch.setattr(replicate_child, "run_trials", run)
    assert start_continued(None, 9, {"ctnet": None}, None) == {"ctnet": "no memory"}
