"""Simulated worlds of `prove_ctnet`: configuration, logs and ingest, by seed."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import yaml

from models.days import DayRange
from pipeline.config.load import load_config
from pipeline.config.schema import Config

ROOT = Path(__file__).parents[1]
RUNS = ROOT / "runs" / "prove_ctnet"
# Days of history before the study, and days that `finetune` and `joint` read.
HISTORY, WINDOW = 8, 8
# Days of the study on which the items' appeal is reversed in the world `planted`.
SOURCE_TURNS, TARGET_TURNS = 7, 9
WORLDS = ("plain", "planted")


def prepared(world: str, seed: int, arguments: argparse.Namespace) -> Config:
    """Writes configuration and logs of a world and ingests them.

    Args:
        world: One of `WORLDS`.
        seed: Seed of its impressions: each seed is a world of its own.
        arguments: Number of days and of impressions a day.
    """
    shipped = ROOT / "configs" / "feeds_ads.yaml"
    data = yaml.safe_load(shipped.read_text(encoding="utf-8"))
    # Tuned for more impressions than these worlds have.
    data.pop("tuned", None)
    folder = RUNS / world / str(seed)
    turns = {
        "feeds": {"turn_day": HISTORY + SOURCE_TURNS},
        "ads": {"turn_day": HISTORY + TARGET_TURNS},
    }
    days = HISTORY + arguments.days
    data |= {
        "name": f"ctnet_{world}_{seed}",
        "root": str(folder),
        "logs": str(folder / "logs"),
        "schema": str(ROOT / "schema" / "feeds_ads.pbtxt"),
        "simulate": {
            "truth": str(folder / "truth"),
            "preset": "small",
            "recent_items": 5,
            "seed": seed,
            "days": days,
            "rows_per_day": arguments.rows,
            # 15 source impressions per target impression, as is usual for ads.
            "sparsity": 15,
            "users": 1_500,
            "items": 400,
            "user_overlap": 0.8,
            # The feeds' reversal predicts that of the ads on shared items alone.
            "item_overlap": 0.1 if world == "plain" else 0.9,
            "domains": turns if world == "planted" else {},
        },
        "vocabularies": {
            name: {**about, "capacity": min(about["capacity"], 6_000)}
            for name, about in data["vocabularies"].items()
        },
        "network": {"width": 8, "hidden_units": [32, 16]},
        "training": {"batch_size": 256, "epochs": 1, "seed": 17},
        "levels": {"target": {"training": {"batch_size": 128}}},
        "strategy": "ctnet",
        "strategies": {"ctnet": {}, "target_only": {}},
        "serving": {"directory": str(folder / "serving")},
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    config = load_config(path)
    last = DayRange(config.first, config.first + days - 1)
    for command in (["simulate"], ["ingest", "--to", str(last).split("..")[-1]]):
        whole = [sys.executable, "-m", "pipeline", command[0], str(path), *command[1:]]
        subprocess.run(whole, check=True, cwd=ROOT)
    return config


def steps(config: Config, days: int) -> range:
    """Returns the first day of each step, and the day after the last one."""
    start = config.first + HISTORY
    return range(start, start + days + 1)
