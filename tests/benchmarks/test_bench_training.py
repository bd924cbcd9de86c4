"""Tables and keys of the training benchmark."""

from __future__ import annotations

import pytest

from benchmarks.bench_training import compared_keys
from benchmarks.bench_training import engines_table
from benchmarks.training_engines import IDS
from benchmarks.training_engines import OURS
from benchmarks.training_engines import PEERS
from benchmarks.training_engines import TORCH_ADAGRAD
from benchmarks.training_engines import TORCH_SPARSE_ADAM
from pipeline.terminal.plain_text import Console


def _run(cpu_rate=50.0, rate=40.0, auc=0.7):
    return {"rate": rate, "cpu_rate": cpu_rate, "auc": auc}


def _runs(**changed):
    runs = {engine.name: _run() for engine in PEERS}
    return {OURS.name: _run(100.0, 20.0, 0.71), **runs, **changed}


@pytest.mark.parametrize("engine", [OURS, *PEERS], ids=lambda engine: engine.name)
def test_a_table_says_what_updates_the_tables(engine):
    console = Console(width=200)
    with console.capture() as captured:
        console.print(engines_table("ids", {engine.name: _run()}))
    assert engine.optimizer in captured.get()


def test_sparse_torch_is_its_faster_optimizer_by_cpu_time():
    few = _runs(**{TORCH_ADAGRAD.name: _run(80.0)})
    many = _runs(**{TORCH_SPARSE_ADAM.name: _run(25.0), TORCH_ADAGRAD.name: _run(20.0)})
    keys = compared_keys(dict(zip(IDS, (few, many), strict=True)))
    assert keys["speedup_vs_sparse_torch_1e4"] == 1.25
    assert keys["speedup_vs_sparse_torch_1e6"] == 4


def test_deepctr_is_compared_by_both_clocks():
    keys = compared_keys(dict.fromkeys(IDS, _runs()))
    assert keys["speedup_vs_deepctr_1e6"] == 0.5
    assert keys["speedup_vs_deepctr_1e6_cpu"] == 2


def test_the_gap_is_the_best_peers_auc_minus_ours_at_the_worse_size():
    better = _runs(**{TORCH_ADAGRAD.name: _run(auc=0.73)})
    keys = compared_keys(dict(zip(IDS, (_runs(), better), strict=True)))
    assert keys["auc_gap_vs_best_peer"] == pytest.approx(0.02)


def test_without_peers_nothing_is_said_of_them():
    assert set(compared_keys({}).values()) == {None}
