"""Stored scores: read back unchanged, with the time of a request."""

from __future__ import annotations

import numpy as np
import pytest

from models.days import DayRange
from pipeline.planning.steps import Step
from pipeline.report import scoring
from pipeline.report.scoring import Scored
from pipeline.report.scoring import is_scored
from pipeline.report.scoring import score_step
from tests.pipeline.planning.worlds import make_config

STEP = Step("target", "t", 9, 9, DayRange(1, 8), "print", True, training="model")
USERS = np.array([b"a", None, b"b"], object)


@pytest.mark.parametrize("milliseconds", [2.125, None])
def test_scores_are_computed_once_and_read_back(tmp_path, monkeypatch, milliseconds):
    config = make_config(root=tmp_path)
    scores = np.array([0.1, 0.5, 0.9], np.float32)
    made = Scored(USERS, np.array([0, 1, 1]), scores, milliseconds)
    calls = []
    monkeypatch.setattr(scoring, "_compute", lambda *_: calls.append(1) or made)
    assert not is_scored(config, STEP)
    for _ in range(2):
        found = score_step(config, None, STEP)
        assert found.users.tolist() == [b"a", None, b"b"]
        assert found.labels.tolist() == [0, 1, 1]
        assert found.scores.tobytes() == scores.tobytes()
        assert found.milliseconds == milliseconds
    assert is_scored(config, STEP)
    assert calls == [1]


def test_the_time_of_a_request_is_that_of_the_fastest_warm_call():
    calls = []
    clock = iter(np.cumsum([*[0, 1] * 5, *[0, 9] * 30, *[0, 2] * 20]))

    def tick():
        return float(next(clock)) / 1e3

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scoring.time, "perf_counter", tick)
        found = scoring._milliseconds(lambda: calls.append(1))
    assert found == pytest.approx(2.0)
    assert len(calls) == 55
