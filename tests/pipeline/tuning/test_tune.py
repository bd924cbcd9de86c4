"""Tuning: what is trained for a trial, what is judged, and what is written."""

from __future__ import annotations

import csv
import io
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from sklearn.metrics import log_loss

from models.errors import ConfigError
from models.errors import DataError
from models.errors import TrainingError
from pipeline.report.scoring import Scored
from pipeline.terminal.plain_text import Console
from pipeline.tuning import tune as tuning
from pipeline.tuning.results import best_of
from pipeline.tuning.results import budgets
from pipeline.tuning.results import frozen
from pipeline.tuning.results import table_of
from pipeline.tuning.results import write_results
from pipeline.tuning.tune import judged_of
from pipeline.tuning.tune import task_of
from pipeline.tuning.tune import tune
from tests.pipeline.planning.worlds import make_config

DAY = 61
LABELS = np.array([1, 0, 0, 1])
LOGISTIC = {"logistic", "logistic + sources", "logistic_by_domain + sources"}
USERS = np.array([b"a", b"a", b"b", b"b"], object)


class Machine:
    """What trains and fits, without TFX: it remembers what it was asked for."""

    def __init__(self, monkeypatch):
        self.trained = []
        self.fitted = []
        self.error = None
        monkeypatch.setattr(tuning, "run_trials", self.run)
        monkeypatch.setattr(tuning, "run_references", self.references)
        monkeypatch.setattr(tuning, "_data_of", lambda _: "the logs")

    @staticmethod
    def score(epochs):
        """The more passes up to five, the better."""
        return np.where(LABELS, 0.5 + 0.09 * min(epochs, 5), 0.4).astype(np.float32)

    def run(self, config, day, entries, num_seeds, _console, **how):
        assert how == {"references": False, "quiet": True}
        ((name, entry),) = entries.items()
        if self.error is not None and entry.training.target.epochs > 2:
            raise self.error
        self.trained.append((name, day, config.evaluation_days, entry, config.root))
        scored = Scored(USERS, LABELS, self.score(entry.training.target.epochs))
        return SimpleNamespace(complete={name: [(scored, None)] * num_seeds})

    def references(self, config, day, _console):
        settings = config.references.settings.by_name()
        self.fitted.append((day, settings))
        found = {
            name: SimpleNamespace(
                metrics={"log_loss": abs(np.log10(one.inverse_l2 / 0.1)), "auc": None}
            )
            for name, one in settings.items()
            if name.startswith("logistic")
        }
        return SimpleNamespace(by_name=found, scores=lambda: {"constant": LABELS})


@pytest.fixture
def machine(monkeypatch):
    pytest.importorskip("optuna")
    return Machine(monkeypatch)


@pytest.fixture
def screen():
    return Console(file=io.StringIO(), width=160)


def task(tmp_path, names, **changes):
    known = {"num_trials": 12, "num_origins": 3, "num_seeds": 1}
    config = make_config(
        root=tmp_path / "runs", references={"rows": 9}, evaluation_days=5
    )
    return task_of(config, DAY, names, **{**known, **changes})


def run(asked, screen):
    shown = []
    found = tune(asked, screen, lambda name, trial: shown.append((name, trial.number)))
    return found, shown


def test_a_trial_is_trained_up_to_every_origin_and_judged_after_it(
    machine, screen, tmp_path
):
    asked = task(tmp_path, ["target_only"], num_trials=1)
    found, _ = run(asked, screen)
    assert [day for _, day, *_ in machine.trained] == [
        origin.day for origin in asked.origins
    ]
    assert {days for _, _, days, *_ in machine.trained} == {5}
    assert max(origin.judged.last for origin in asked.origins) < DAY
    # A root of its own: no later run continues a trial's model.
    assert {root for *_, root in machine.trained} == {
        tmp_path / "runs" / "tune" / "1970-03-03"
    }
    (trial,) = found["target_only"]
    expected = log_loss(LABELS, machine.score(1))
    assert trial.judged.log_loss == pytest.approx(expected)
    assert trial.judged.by_origin == pytest.approx([expected] * 3)
    assert trial.judged.auc == 1.0


def judge(losses, rows, num_seeds=1):
    asked = SimpleNamespace(origins=[None] * (len(losses) // num_seeds))
    return judged_of(asked, losses, [np.nan] * len(losses), rows, 1.0)


def test_trials_draw_no_intervals(tmp_path):
    assert task(tmp_path, ["gbdt"]).config.intervals.draws == 0
    assert make_config().intervals.draws > 0


def test_an_origin_counts_by_its_impressions_and_not_without_any():
    found = judge([0.5, np.nan, 0.2], [1, 0, 2])
    assert found.log_loss == pytest.approx(0.3)
    assert (found.auc, found.failure) == (None, "")
    assert judge([0.5, 0.7, 0.2, 0.4], [1] * 4, num_seeds=2).by_origin == (
        pytest.approx((0.6, 0.3))
    )


@pytest.mark.parametrize(
    ("losses", "rows", "why"),
    [
        ([0.5, np.nan], [2, 2], "diverged"),
        ([np.nan, np.nan], [0, 0], "no impressions on the days"),
    ],
    ids=["nan", "nothing judged"],
)
def test_a_trial_without_a_log_loss_has_failed(losses, rows, why):
    found = judge(losses, rows)
    assert found.log_loss is None
    assert why in found.failure


def test_every_name_has_the_same_budget_and_starts_from_its_configuration(
    machine, screen, tmp_path
):
    asked = task(tmp_path, ["target_only", "ecdctr", "logistic"], num_trials=4)
    found, shown = run(asked, screen)
    assert {name: len(trials) for name, trials in found.items()} == {
        "target_only": 4,
        "ecdctr": 4,
        "logistic": 4,
        "logistic + sources": 4,
        "logistic_by_domain + sources": 4,
    }
    assert len(shown) == 20
    # All references at once: four trials at three origins.
    assert len(machine.fitted) == 12
    first = machine.fitted[0][1]["logistic"]
    assert first.inverse_l2 == 1.0
    _, _, _, entry, _ = machine.trained[0]
    assert entry.training.target.batch_size == 1_024
    names = [name for name, *_ in machine.trained]
    assert names == ["target_only"] * 12 + ["ecdctr"] * 12


def test_a_stopped_tuning_goes_on_where_it_was(machine, screen, tmp_path):
    before, _ = run(task(tmp_path, ["target_only"], num_trials=3), screen)
    trained = len(machine.trained)
    after, shown = run(task(tmp_path, ["target_only"], num_trials=5), screen)
    assert after["target_only"][:3] == before["target_only"]
    assert shown == [("target_only", 3), ("target_only", 4)]
    assert len(machine.trained) == trained + 2 * 3
    fewer, shown = run(task(tmp_path, ["target_only"], num_trials=2), screen)
    assert (fewer["target_only"], shown) == (before["target_only"][:2], [])


def test_trials_of_other_settings_are_not_taken_over(machine, screen, tmp_path):
    run(task(tmp_path, ["target_only"], num_trials=1), screen)
    run(task(tmp_path, ["target_only"], num_trials=1, num_seeds=2), screen)
    run(task(tmp_path, ["target_only"], num_trials=1, num_origins=2), screen)
    assert len(machine.trained) == 3 + 3 + 2


@pytest.mark.usefixtures("machine")
def test_a_reference_that_is_not_fitted_says_so_and_freezes_nothing(screen, tmp_path):
    asked = task(tmp_path, ["gbdt"], num_trials=1)
    found, _ = run(asked, screen)
    (trial,) = found["gbdt"]
    assert trial.judged.failure.startswith("it is not fitted")
    assert frozen(asked, found) == {}


@pytest.mark.usefixtures("machine")
def test_the_best_values_are_frozen(screen, tmp_path):
    asked = task(tmp_path, ["target_only", "logistic"])
    found, _ = run(asked, screen)
    best = best_of(found["target_only"])
    assert best.judged.log_loss == min(
        one.judged.log_loss for one in found["target_only"]
    )
    kept = frozen(asked, found)
    assert (
        kept["strategies"]["target_only"]["training"]["target"]["epochs"]
        == (best.values["epochs"])
    )
    assert kept["references"]["settings"].keys() == LOGISTIC


def test_a_training_that_diverges_is_a_failed_trial(machine, screen, tmp_path):
    machine.error = TrainingError("the loss became nan")
    found, _ = run(task(tmp_path, ["target_only"]), screen)
    trials = found["target_only"]
    failed = [one for one in trials if one.judged.log_loss is None]
    assert 0 < len(failed) < len(trials) == 12
    assert failed[0].judged.failure == "the loss became nan"
    assert best_of(trials).values["epochs"] <= 2


def test_what_no_values_can_mend_ends_the_tuning(machine, screen, tmp_path):
    machine.error = DataError("there are no logs")
    with pytest.raises(DataError, match="there are no logs"):
        run(task(tmp_path, ["target_only"]), screen)


def test_without_references_none_can_be_tuned(tmp_path):
    config = make_config(root=tmp_path, references={"rows": 0})
    with pytest.raises(ConfigError, match=r"references\.rows is 0"):
        task_of(config, DAY, ["gbdt"], num_trials=1, num_origins=1, num_seeds=1)


@pytest.mark.usefixtures("machine")
def test_results_of_several_tunings_stand_in_one_file(screen, tmp_path):
    path = tmp_path / "tuned" / "ads.yaml"
    for names, trials in ((["target_only"], 3), (["logistic"], 3), (["ecdctr"], 2)):
        asked = task(tmp_path, names, num_trials=trials)
        found, _ = run(asked, screen)
        write_results(asked, found, path, "crossctr tune ...")
    kept = yaml.safe_load(path.read_text())
    assert kept["strategies"].keys() == {"target_only", "ecdctr"}
    assert kept["references"]["settings"].keys() == LOGISTIC
    with path.with_suffix(".csv").open() as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 3 + 3 * 3 + 2
    marked = [line for line in lines if line["frozen"] == "1"]
    assert len(marked) == 5
    epochs = kept["strategies"]["target_only"]["training"]["target"]["epochs"]
    assert f"epochs={epochs} " in marked[0]["values"]
    # Numbers stay numbers when the file is written again.
    assert isinstance(epochs, int)
    width = kept["strategies"]["target_only"]["network"]["width"]
    assert isinstance(width, int)
    assert "2 trials before 1970-03-03, 3 origins, 1 seeds: ecdctr" in budgets(path)


@pytest.mark.usefixtures("machine")
def test_the_table_marks_the_frozen_trial(screen, tmp_path):
    asked = task(tmp_path, ["target_only"], num_trials=3)
    found, _ = run(asked, screen)
    screen.print(table_of(asked, "target_only", found["target_only"]))
    shown = screen.file.getvalue()
    best = best_of(found["target_only"])
    assert f"{best.number}*" in shown
    assert f"{best.judged.log_loss:.4f}" in shown
