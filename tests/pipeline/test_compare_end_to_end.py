"""Real comparison on a tiny simulated world with a known oracle."""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from sklearn.metrics import roc_auc_score

from components.references.stored import read_references
from pipeline.comparing.record import read_json
from pipeline.datasets.simulation.oracle import score_oracle
from pipeline.store.reader import Store
from tests.pipeline.few_features import keep_features
from tests.pipeline.few_features import schema_of

pytestmark = [pytest.mark.slow, pytest.mark.long]

ROOT = Path(__file__).parents[2]
DAY = datetime.date(2024, 1, 8)
FEATURES = ("user_id", "item_id", "domain", "category", "interests", "score")


class World:
    """Twelve days of feeds and ads, and the pipeline that learns from them."""

    def __init__(self, folder):
        self.folder = folder
        self.root = folder / "runs"
        self.comparison = self.root / "comparisons" / str(DAY)
        settings = yaml.safe_load((ROOT / "configs" / "feeds_ads.yaml").read_text())
        settings.pop("tuned", None)
        settings |= {
            "root": str(self.root),
            "logs": str(folder / "logs"),
            "schema": str(folder / "schema.pbtxt"),
            "anchor_day": str(DAY),
            "levels": {
                "tpm": {"every_days": 7, "window_days": 7, "snapshots": 1},
                "cpm": {"every_days": 7, "window_days": 7},
                "target": {"window_days": 7},
            },
            "evaluation_days": 5,
            "network": {"width": 4, "hidden_units": [8]},
            "training": {"batch_size": 256, "seed": 17},
            "strategies": {"finetune": {}},
            "strategy": "finetune",
            "serving": {"directory": str(folder / "serving")},
        }
        settings["simulate"] |= {
            "truth": str(folder / "truth"),
            "preset": "small",
            "sparsity": 8,
        }
        keep_features(settings, FEATURES)
        (folder / "config.yaml").write_text(yaml.safe_dump(settings))
        schema = schema_of(ROOT / "schema" / "feeds_ads.pbtxt", FEATURES)
        (folder / "schema.pbtxt").write_text(schema)

    def run(self, command, *arguments):
        """Runs a command in a process of its own and returns what it printed."""
        ran = subprocess.run(
            [sys.executable, "-m", "pipeline", command, "config.yaml", *arguments],
            capture_output=True,
            text=True,
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    def models(self):
        """Returns the fingerprints of all trained models."""
        return sorted(
            model.fingerprint for model in Store(self.root).artifacts("Model")
        )


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """The world after a comparison and the same one again, with their words."""
    # A name that TFX and TensorFlow would take for a pattern.
    folder = tmp_path_factory.mktemp("world") / "team [ads] x"
    folder.mkdir()
    world = World(folder)
    world.run("simulate")
    command = ("compare", "--day", str(DAY), "--strategies", "finetune", "--seeds", "1")
    first = world.run(*command)
    models = world.models()
    again = world.run(*command)
    assert world.models() == models
    return world, first, again


def test_the_metrics_are_those_of_the_kept_scores(compared):
    world, *_ = compared
    found = read_json(world.comparison / "comparison.json")
    kept = [pq.read_table(path) for path in (world.root / "scores").iterdir()]
    assert len(kept) == 2
    expected = sorted(roc_auc_score(t["label"], t["score"]) for t in kept)
    assert sorted(model.metrics["auc"] for model in found.models) == pytest.approx(
        expected
    )
    assert [model.name for model in found.models] == ["finetune", "target_only"]
    assert found.rows == kept[0].num_rows == 1_250


def test_references_stand_beside_them_on_the_same_rows(compared):
    world, *_ = compared
    found = read_json(world.comparison / "comparison.json")
    names = [model.name for model in found.references]
    assert names[:3] == ["constant", "best_feature", "logistic"]
    assert found.best_reference in names
    (stored,) = Store(world.root).artifacts("ReferenceScores")
    (kept, *_) = (pq.read_table(path) for path in (world.root / "scores").iterdir())
    scores = read_references(Path(stored.uri)).scores()
    for model in found.references:
        auc = roc_auc_score(kept["label"], scores[model.name])
        assert model.metrics["auc"] == pytest.approx(auc)
    assert not any(model.wins for model in found.models)


def test_the_oracle_is_that_of_the_evaluation_days(compared):
    world, *_ = compared
    found = read_json(world.comparison / "comparison.json")
    truth = score_oracle(world.folder / "truth", "ads", DAY, 5)
    for metric in ("auc", "gauc", "log_loss"):
        assert found.oracle[metric] == pytest.approx(getattr(truth, metric))
    finetune, plain = (model.metrics["gauc"] for model in found.models)
    share = (finetune - plain) / (truth.gauc - plain)
    assert found.models[0].gap_share.value == pytest.approx(share)


def test_the_costs_are_those_of_all_levels(compared):
    world, *_ = compared
    costs = read_json(world.comparison / "comparison.json").costs
    assert costs["finetune"].levels == {"cpm": 1, "target": 1}
    # One epoch of seven days: 2,000 feed rows and 250 ad rows a day.
    assert costs["target_only"].rows_read == 7 * 250
    assert costs["finetune"].rows_read == 7 * 2_000 + 7 * 250
    for cost in costs.values():
        assert cost.train_seconds > 0
        assert 1 < cost.added_memory_mib < cost.peak_memory_mib < 20_000
        assert 0.05 < cost.model_mib < 100
        assert 0.1 < cost.milliseconds < 1_000


def test_the_same_command_again_trains_nothing(compared):
    _, first, again = compared
    assert "trial 2/2: target_only, seed 17" in first
    assert "Everything was done already" in again
    assert "Best means: AUC" in again
    assert "One seed: the intervals" in again


def test_nothing_is_gated_or_published(compared):
    world, *_ = compared
    assert Store(world.root).artifacts("GateDecision") == []
    assert not (world.folder / "serving").exists()
    files = sorted(path.name for path in world.comparison.iterdir())
    assert files == [f"comparison.{kind}" for kind in ("csv", "json", "md", "svg")]
    assert np.isfinite(read_json(world.comparison / "comparison.json").coverage)
