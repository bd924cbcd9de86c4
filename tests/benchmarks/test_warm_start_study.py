"""Settings of the warm-start study: those of a run, changed one at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.warm_start_study import STRATEGIES
from benchmarks.warm_start_study import SUSPECTS
from benchmarks.warm_start_study import training_of
from pipeline.config.load import load_config
from pipeline.config.named_strategies import with_strategies

CONFIG = Path(__file__).parents[2] / "configs" / "first_run.yaml"


@pytest.mark.parametrize(
    ("level", "transfer", "strategy"),
    [
        ("tpm", True, ""),
        ("cpm", True, ""),
        ("target", True, "ecdctr"),
        ("target", False, "target_only"),
    ],
)
def test_a_level_is_trained_as_in_a_run(level, transfer, strategy):
    config = with_strategies(load_config(CONFIG), STRATEGIES)
    own = config.training_of(level, strategy)
    training = training_of(config, level, transfer=transfer, seed=5, change={})
    assert training == own.model_copy(update={"seed": 5, "epochs": 3})
    assert training.table_factor is not None


def test_a_change_is_of_its_level_alone():
    config = with_strategies(load_config(CONFIG), STRATEGIES)
    change = SUSPECTS["a third of the rates"]
    for level, strategy, factor in (("cpm", "", 1.0), ("target", "ecdctr", 1 / 3)):
        own = config.training_of(level, strategy)
        found = training_of(config, level, transfer=True, seed=5, change=change)
        for rate in ("dense_learning_rate", "embedding_learning_rate"):
            assert getattr(found, rate) == pytest.approx(getattr(own, rate) * factor)
