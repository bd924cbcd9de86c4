"""Pipeline on shipped logs for real runs."""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
from pathlib import Path

import ml_metadata
import yaml
from ml_metadata.proto import metadata_store_pb2

from pipeline.store.reader import METADATA_FILE
from tests.pipeline.feeds_ads import OPEN_GATE
from tests.pipeline.few_features import keep_features
from tests.pipeline.few_features import schema_of
from tests.pipeline.in_process import run_here

ROOT = Path(__file__).parents[2]
DAY, NEXT_DAY, DAY_AFTER = "2018-07-02", "2018-07-09", "2018-07-10"
FIRST_DAY = datetime.date(2017, 7, 1)
STRATEGIES = ["ecdctr", "target_only"]
FEATURES = (
    *("user_id", "item_id", "domain", "recent_items"),
    *("item_click_rate", "item_age_days", "user_impressions", "user_click_rate"),
)


class World:
    """A pipeline on two shipped markets and a year and a half of days."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "runs"
        self.config = folder / "config.yaml"
        settings = yaml.safe_load((ROOT / "configs" / "xmarket.yaml").read_text())
        settings |= {
            "root": str(self.root),
            "logs": str(folder / "logs"),
            "schema": str(folder / "schema.pbtxt"),
            "import": {
                "data": str(ROOT / "data" / "xmarket"),
                "last_day": "2018-12-31",
            },
            "first_day": str(FIRST_DAY),
            "sources": ["fr", "mx"],
            # mx has rows on one day a month, so a week of it can be empty.
            "missing_days": dict.fromkeys(("fr", "mx", "de"), "skip"),
            "anchor_day": "2018-07-02",
            "levels": {
                "tpm": {"every_days": 90, "window_days": 180, "snapshots": 2},
                "cpm": {"every_days": 90, "window_days": 180},
                "target": {"window_days": 300},
            },
            "evaluation_days": 90,
            "network": {"width": 4, "hidden_units": [8]},
            # As few steps as the batches make, of which runs and pages then speak.
            "training": {
                "batch_size": 256,
                "min_steps_per_pass": 0,
                "epochs": 1,
                "seed": 17,
            },
            "strategies": {name: {} for name in STRATEGIES},
            # One short epoch may end below chance: not what is tested here.
            "gate": OPEN_GATE,
            "serving": {"directory": str(folder / "serving")},
        }
        keep_features(settings, FEATURES)
        schema = schema_of(ROOT / "schema" / "xmarket.pbtxt", FEATURES)
        Path(settings["schema"]).write_text(schema)
        self.settings = settings
        self.serving = folder / "serving" / "xmarket"
        self.config.write_text(yaml.safe_dump(settings, sort_keys=False))

    def run(self, name: str, *options: str) -> subprocess.CompletedProcess[str]:
        """Runs a command on the world's configuration, in this process."""
        return run_here(name, str(self.config), *options)

    def run_in_own_process(
        self, name: str, *options: str
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command as from the shell."""
        return subprocess.run(
            [sys.executable, "-m", "pipeline", name, str(self.config), *options],
            capture_output=True,
            text=True,
            cwd=self.root.parent,
            # This checkout's code, wherever the installed package points.
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=False,
        )

    @property
    def metadata(self) -> ml_metadata.MetadataStore:
        """The world's ML Metadata."""
        connection = metadata_store_pb2.ConnectionConfig()
        connection.sqlite.filename_uri = str(self.root / METADATA_FILE)
        return ml_metadata.MetadataStore(connection)
