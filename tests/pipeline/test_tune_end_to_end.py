"""Real tuning on a tiny simulated world whose later logs cannot be read."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import yaml

from pipeline.config.load import load_config
from pipeline.store.reader import Store
from pipeline.tuning.studies import TRIALS_FILE
from tests.pipeline.few_features import keep_features
from tests.pipeline.few_features import schema_of
from tests.pipeline.in_process import run_here

pytest.importorskip("optuna")
pytestmark = [pytest.mark.slow, pytest.mark.long]

ROOT = Path(__file__).parents[2]
DAY = "2024-01-11"
# 2024-01-10, the last day before.
LAST = 19_732
FEATURES = ("user_id", "item_id", "domain", "category", "refreshes")
NAMES = [
    "target_only",
    "logistic",
    "logistic + sources",
    "logistic_by_domain + sources",
]


class World:
    """Twelve days of feeds and ads, of which those from `DAY` on are spoilt."""

    def __init__(self, folder):
        self.folder = folder
        self.root = folder / "runs"
        settings = yaml.safe_load((ROOT / "configs" / "feeds_ads.yaml").read_text())
        settings.pop("tuned", None)
        settings |= {
            "root": str(self.root),
            "logs": str(folder / "logs"),
            "schema": str(folder / "schema.pbtxt"),
            "anchor_day": DAY,
            "levels": {
                "tpm": {"every_days": 2, "window_days": 2, "snapshots": 1},
                "cpm": {"every_days": 2, "window_days": 2},
                "target": {"window_days": 4},
            },
            "evaluation_days": 2,
            "network": {"width": 4, "hidden_units": [8]},
            "training": {"batch_size": 256, "seed": 17},
            "strategies": {"target_only": {}},
            "strategy": "target_only",
            "serving": {"directory": str(folder / "serving")},
        }
        settings["simulate"] |= {
            "truth": str(folder / "truth"),
            "preset": "small",
            "sparsity": 8,
        }
        keep_features(settings, FEATURES)
        self.settings = settings
        self.write()
        schema = schema_of(ROOT / "schema" / "feeds_ads.pbtxt", FEATURES)
        (folder / "schema.pbtxt").write_text(schema)

    def write(self, **changes):
        text = yaml.safe_dump({**self.settings, **changes})
        (self.folder / "config.yaml").write_text(text)

    def spoil_later_logs(self):
        """Makes logs of the day and later unreadable; returns how many there are."""
        later = [
            path
            for path in (self.folder / "logs").glob("*/date=*/*")
            if path.parent.name >= f"date={DAY}"
        ]
        for path in later:
            path.write_bytes(b"no log")
        return len(later)

    def run(self, *arguments):
        """Runs a command in the world's folder and returns what it printed."""
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            ran = run_here(*arguments)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """The world after a tuning of one trial, and after the same with two."""
    world = World(tmp_path_factory.mktemp("world"))
    world.run("simulate", "config.yaml")
    assert world.spoil_later_logs() > 0
    command = ("tune", "config.yaml", "--day", DAY, "--origins", "2")
    command += ("--strategies", "target_only,logistic", "--trials")
    return world, world.run(*command, "1"), world.run(*command, "2")


def test_nothing_of_the_day_or_later_is_read(tuned):
    world, *_ = tuned
    store = Store(world.root / "tune" / DAY)
    found = [
        stored
        for kind in ("Examples", "Model", "ReferenceScores")
        for stored in store.artifacts(kind)
    ]
    assert found
    assert max(stored.last_day for stored in found) <= LAST
    assert list(world.root.iterdir()) == [world.root / "tune"]
    assert (world.root / "tune" / DAY / TRIALS_FILE).is_file()


def test_trials_are_ingested_once_and_go_on(tuned):
    world, first, second = tuned
    store = Store(world.root / "tune" / DAY)
    # One trial at two origins each: no training is repeated.
    assert len(store.artifacts("Model")) == 2 * 2
    assert len(store.artifacts("ReferenceScores")) == 2 * 2
    days = [
        (stored.first_day, stored.last_day) for stored in store.transformed_blocks()
    ]
    assert len(days) == len(set(days))
    assert "target_only, trial 1/1: log loss 0." in first
    assert "target_only, trial 1/2" not in second
    assert "target_only, trial 2/2: log loss 0." in second


def test_the_frozen_values_are_those_of_the_best_trial_and_can_be_used(tuned):
    world, *_ = tuned
    with (world.folder / "tuned" / "config.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [line["name"] for line in lines] == [
        name for name in NAMES for _ in range(2)
    ]
    for name in NAMES:
        trials = [line for line in lines if line["name"] == name]
        (frozen,) = [line for line in trials if line["frozen"] == "1"]
        assert float(frozen["log_loss"]) == min(float(t["log_loss"]) for t in trials)
    world.write(tuned="tuned/config.yaml")
    config = load_config(world.folder / "config.yaml")
    frozen = next(line for line in lines if line["frozen"] == "1")
    target = config.training_of("target", "target_only")
    assert f"batch_size={target.batch_size} " in frozen["values"]
