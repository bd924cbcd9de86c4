"""Engines of the training benchmark: equal budgets, command lines, tuned rates."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
import pytest

from benchmarks import training_engines
from benchmarks.training_engines import DEEPCTR
from benchmarks.training_engines import DEEPCTR_SPARSE
from benchmarks.training_engines import OURS
from benchmarks.training_engines import PEERS
from benchmarks.training_engines import RECHUB
from benchmarks.training_engines import TORCH_ADAGRAD
from benchmarks.training_engines import read_tuned
from benchmarks.training_engines import tuned_rates
from benchmarks.tune_training import TUNED
from benchmarks.tune_training import choice

ENGINES = {engine.name: engine for engine in (OURS, *PEERS)}


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
def test_every_engine_has_as_many_settings(engine):
    assert len(set(engine.rates)) == len(engine.rates) == len(OURS.rates)


def test_an_engine_that_shares_rates_is_not_tuned_itself():
    names = {engine.name for engine in TUNED}
    assert names == ENGINES.keys() - {DEEPCTR.name, RECHUB.name}
    assert {DEEPCTR.tuned_as, RECHUB.tuned_as} <= names


def test_command_lines():
    ours = OURS.command(Path("rows"), 10, (0.005, 0.01))
    assert ours[0] == sys.executable
    assert ours[-5:] == ["rows", "10", "1024", "0.005", "0.01"]
    torch = TORCH_ADAGRAD.command(Path("rows"), 10, (0.005, 0.01))
    assert torch[-5:] == ["rows", "1024", "0.005", "0.01", "adagrad"]
    sparse = DEEPCTR_SPARSE.command(Path("rows"), 10, (0.5,))
    assert sparse[-4:] == ["rows", "1024", "0.5", "no_l2"]


def test_the_highest_auc_is_chosen_with_its_trials():
    trials = [{"rates": [0.1], "auc": 0.6}, {"rates": [0.2], "auc": 0.7}]
    assert choice(trials) == {"rates": [0.2], "trials": trials}


@pytest.fixture
def _stored(tmp_path, monkeypatch):
    path = tmp_path / "tuned.json"
    tuned = {"10000": {DEEPCTR_SPARSE.name: {"rates": [0.5], "trials": []}}}
    path.write_text(json.dumps(tuned))
    monkeypatch.setattr(training_engines, "TUNED_FILE", path)


@pytest.mark.usefixtures("_stored")
def test_rates_are_the_chosen_ones_or_those_of_the_engine_they_are_shared_with():
    assert tuned_rates(DEEPCTR_SPARSE, 10_000) == (0.5,)
    assert tuned_rates(DEEPCTR, 10_000) == (0.5,)


@pytest.mark.usefixtures("_stored")
@pytest.mark.parametrize(("engine", "ids"), [(OURS, 10_000), (DEEPCTR, 1_000_000)])
def test_untuned_rates_are_an_error_that_says_what_to_run(engine, ids):
    with pytest.raises(click.ClickException, match="make tune-training"):
        tuned_rates(engine, ids)


@pytest.mark.checkout
def test_the_stored_choice_is_the_best_of_the_engines_settings():
    for engines in read_tuned().values():
        for name, chosen in engines.items():
            tried = {tuple(t["rates"]): t["auc"] for t in chosen["trials"]}
            assert set(tried) == set(ENGINES[name].rates), name
            assert tried[tuple(chosen["rates"])] == max(tried.values()), name
