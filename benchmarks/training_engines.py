"""Engines of the training benchmark: their processes, and rates tuned alike.

Every engine trains the same network on the same impressions. Each has the same number
of settings to choose from. The best, by held-out AUC after one epoch, stands in
`peers/tuned.json`, which `benchmarks.tune_training` writes on impressions of another
seed.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from benchmarks.peers.environments import ROOT
from benchmarks.peers.environments import python_of
from benchmarks.peers.environments import script_of

TUNED_FILE = Path(script_of("tuned.json"))
BATCH = 1024
# Ids of each large field where engines are compared.
IDS = (10_000, 1_000_000)

Rates = tuple[float, ...]


def _pairs(dense: Rates, tables: Rates) -> tuple[Rates, ...]:
    return tuple(itertools.product(dense, tables))


def _single(*rates: float) -> tuple[Rates, ...]:
    return tuple((rate,) for rate in rates)


@dataclass(frozen=True)
class Engine:
    """One way to train the network.

    Attributes:
        name: Its name in tables.
        optimizer: What updates the embedding tables, and which of their rows.
        rates: Settings to choose from: rates of the dense part and of the tables, or
            one of a single optimizer.
        environment: Its virtual environment, see `python_of`; empty for this one.
        script: Its script among the peers.
        options: Arguments after the rates.
        tuned_as: Name of the engine whose choice of rates it shares, if another's.
    """

    name: str
    optimizer: str
    rates: tuple[Rates, ...]
    environment: str = ""
    script: str = ""
    options: tuple[str, ...] = ()
    tuned_as: str = ""

    def command(self, folder: Path, num_ids: int, rates: Rates) -> list[str]:
        """Returns the command line that trains on the impressions of a folder."""
        numbers = [f"{rate:g}" for rate in rates]
        if not self.environment:
            module = [sys.executable, "-m", "benchmarks.training_child", "train"]
            return [*module, str(folder), str(num_ids), str(BATCH), *numbers]
        script = [python_of(self.environment), script_of(self.script)]
        return [*script, str(folder), str(BATCH), *numbers, *self.options]


_ADAGRAD = "Adagrad, the batch's rows"
OURS = Engine("crossctr", _ADAGRAD, _pairs((0.002, 0.005), (0.005, 0.01, 0.02)))
TORCH_ADAGRAD = Engine(
    "PyTorch, sparse, Adagrad",
    _ADAGRAD,
    OURS.rates,
    "torch",
    "torch_child.py",
    ("adagrad",),
)
TORCH_SPARSE_ADAM = Engine(
    "PyTorch, sparse, SparseAdam",
    "SparseAdam, the batch's rows",
    _pairs((0.002, 0.005), (0.0003, 0.001, 0.003)),
    "torch",
    "torch_child.py",
    ("sparse_adam",),
)
_DEEPCTR_RATES = _single(0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
DEEPCTR = Engine(
    "DeepCTR, adagrad",
    "Adagrad, all rows (its L2 term)",
    _DEEPCTR_RATES,
    "deepctr",
    "deepctr_child.py",
    tuned_as="DeepCTR, adagrad, L2 term removed",
)
DEEPCTR_SPARSE = Engine(
    "DeepCTR, adagrad, L2 term removed",
    _ADAGRAD,
    _DEEPCTR_RATES,
    "deepctr",
    "deepctr_child.py",
    ("no_l2",),
)
_ADAM_RATES = _single(0.0003, 0.0005, 0.001, 0.002, 0.003, 0.005)
# Its batches are cut before the clock starts, so that only its network is measured.
RECHUB_READY = Engine(
    "torch-rechub, batches ready",
    "Adam, all rows",
    _ADAM_RATES,
    "torch",
    "rechub_child.py",
)
RECHUB = Engine(
    "torch-rechub",
    "Adam, all rows",
    _ADAM_RATES,
    "torch",
    "rechub_child.py",
    ("own_loader",),
    tuned_as=RECHUB_READY.name,
)
PEERS = (
    TORCH_ADAGRAD,
    TORCH_SPARSE_ADAM,
    DEEPCTR,
    DEEPCTR_SPARSE,
    RECHUB,
    RECHUB_READY,
)


def tuned_rates(engine: Engine, num_ids: int) -> Rates:
    """Returns the chosen rates of an engine.

    Raises:
        ClickException: They have not been tuned.
    """
    found = read_tuned().get(str(num_ids), {}).get(engine.tuned_as or engine.name)
    if found is None:
        raise click.ClickException(
            f"{engine.name} has no tuned rates for {num_ids:,} ids; run `make "
            "tune-training`"
        )
    return tuple(found["rates"])


def read_tuned() -> dict[str, dict[str, Any]]:
    """Returns choices and their trials by number of ids and engine."""
    if not TUNED_FILE.exists():
        return {}
    loaded: dict[str, dict[str, Any]] = json.loads(TUNED_FILE.read_text("utf-8"))
    return loaded


def environment_of(threads: int) -> dict[str, str]:
    """Returns the environment of a measured process; 0 leaves threads to it."""
    found = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    if threads:
        names = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
        found |= dict.fromkeys(names, str(threads))
    return found


def run_child(command: list[str], environment: Mapping[str, str]) -> dict[str, Any]:
    """Runs a measured process and returns its line of JSON.

    Raises:
        ClickException: It failed.
    """
    ran = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, check=False, env=environment
    )
    if ran.returncode != 0:
        raise click.ClickException(
            f"{' '.join(command)} failed with {ran.returncode}:\n{ran.stderr[-3000:]}"
        )
    result: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return result
