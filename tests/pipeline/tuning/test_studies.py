"""Trials on disk: resumed, and proposed as if nothing had stopped."""

from __future__ import annotations

import builtins

import pytest

from models.errors import ConfigError
from pipeline.tuning.space import Knob
from pipeline.tuning.studies import Judged
from pipeline.tuning.studies import Studies

# An extra of the package.
pytest.importorskip("optuna")

KNOBS = (
    Knob("epochs", 1, 8, whole=True),
    Knob("rate", 1e-3, 1.0),
    Knob("dropout", 0.0, 0.5, log=False),
)
FIRST = {"epochs": 2, "rate": 0.1, "dropout": 0.25}


def judged(values):
    loss = abs(values["epochs"] - 3) + abs(values["rate"] - 0.3) + values["dropout"]
    return Judged(loss, 0.5, (loss, loss), 2.0)


def run(folder, count, stop_in=None):
    """Runs trials until there are `count`; stops in the middle of one if asked to."""
    study = Studies(folder, 17).study("mine", KNOBS, FIRST)
    while len(study.finished()) < count:
        asked = study.ask()
        if len(study.finished()) == stop_in:
            break
        study.tell(asked, judged(asked.params))
    return study.finished()


def test_the_first_trial_has_the_values_that_were_given(tmp_path):
    (first,) = run(tmp_path, 1)
    assert dict(first.values) == FIRST
    assert first.judged == judged(FIRST)


def test_values_lie_within_the_bounds_and_differ(tmp_path):
    found = run(tmp_path, 12)
    for trial in found:
        for knob in KNOBS:
            assert knob.low <= trial.values[knob.name] <= knob.high
    assert len({trial.values["rate"] for trial in found}) == 12


def test_a_study_that_was_stopped_proposes_what_it_would_have(tmp_path):
    whole = run(tmp_path / "whole", 13)
    for stop in (0, 2, 9):
        assert len(run(tmp_path / "stopped", 13, stop_in=stop)) == stop
    assert run(tmp_path / "stopped", 13) == whole


def test_finished_trials_are_not_run_again(tmp_path):
    before = run(tmp_path, 3)
    assert run(tmp_path, 3) == before
    assert run(tmp_path, 5)[:3] == before


def test_trials_that_cannot_be_compared_are_kept_apart(tmp_path):
    run(tmp_path, 2)
    other = Studies(tmp_path, 17).study("other", KNOBS, FIRST)
    assert other.finished() == []


def test_a_failed_trial_counts_and_says_why(tmp_path):
    study = Studies(tmp_path, 17).study("mine", KNOBS, FIRST)
    study.tell(study.ask(), Judged(None, None, (), 1.0, "the loss became nan"))
    again = Studies(tmp_path, 17).study("mine", KNOBS, FIRST)
    (failed,) = again.finished()
    assert failed.judged.failure == "the loss became nan"
    again.tell(second := again.ask(), judged(second.params))
    assert [one.number for one in again.finished()] == [0, 1]
    assert second.params != FIRST


def test_without_optuna_a_line_says_what_to_install(tmp_path, monkeypatch):
    imported = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "optuna":
            raise ImportError(name)
        return imported(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError, match=r"pip install 'crossctr\[tune\]'"):
        Studies(tmp_path, 17)
