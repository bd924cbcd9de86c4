"""The world of configs/first_run.yaml, so small that a run takes seconds."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.pipeline.few_features import keep_features
from tests.pipeline.few_features import schema_of

ROOT = Path(__file__).parents[2]
CONFIG = "configs/first_run.yaml"
# Those that pages and notebooks name, and a list.
FEATURES = ("user_id", "item_id", "domain", "category", "interests", "slot", "score")


def write_tiny_world(folder: Path) -> None:
    """Writes the configuration and the schema, with their names, into a folder."""
    settings = yaml.safe_load((ROOT / CONFIG).read_text())
    keep_features(settings, FEATURES)
    name = Path(settings["schema"]).name
    (folder / "schema").mkdir()
    (folder / "schema" / name).write_text(schema_of(ROOT / "schema" / name, FEATURES))
    settings["simulate"] |= {
        "rows_per_day": 240,
        "users": 80,
        "items": 40,
        "sparsity": 4,
    }
    settings["vocabularies"] |= {"user": {"capacity": 400}, "item": {"capacity": 400}}
    settings["network"] |= {"width": 4, "hidden_units": [8], "cross_layers": 1}
    settings["intervals"] = {"draws": 0}
    # So few impressions make models that are no better than a constant.
    settings["gate"] = {
        "min_examples": 1,
        "min_clicks": 1,
        "min_auc": 0,
        "min_calibration": 0,
        "max_calibration": 100,
        "max_auc_drop": 1,
        "max_slice_auc_drop": 1,
    }
    (folder / "configs").mkdir()
    (folder / CONFIG).write_text(yaml.safe_dump(settings, sort_keys=False))
