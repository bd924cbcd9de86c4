"""Tables of the training benchmark."""

from __future__ import annotations

import pytest

from benchmarks.bench_training import OURS
from benchmarks.bench_training import PEERS
from benchmarks.bench_training import rates_table
from pipeline.terminal.plain_text import Console


def _shown(*names: str) -> str:
    run = {"rate": 100_000.0, "cpu_rate": 90_000.0, "auc": 0.77}
    console = Console(width=200)
    with console.capture() as captured:
        console.print(rates_table("1,000,000 ids", dict.fromkeys(names, run)))
    return captured.get()


@pytest.mark.parametrize("peer", PEERS)
def test_a_table_with_a_peer_says_that_optimizers_are_compared(peer):
    shown = " ".join(_shown(OURS, peer).split())
    assert "dense Adam over every table row" in shown
    assert "sparse Adagrad" in shown


def test_a_table_of_ours_alone_does_not():
    assert "Adam" not in _shown("10,000", "100,000")
