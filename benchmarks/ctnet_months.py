"""Comparison of CTNet with other strategies over twelve months of real logs.

    make ctnet-months [SEEDS=2]

The data are the shipped logs of amazon (kitchen -> food) and xmarket (ca, uk, fr, mx ->
de), in steps of a month. `ctnet_study` says what each model reads and when it is
evaluated. Results are stored by data set and seed, so that an interrupted command
resumes. The last line is JSON.
"""

from __future__ import annotations

import argparse
import datetime
import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any
from typing import NamedTuple

import numpy as np
import yaml

from benchmarks.study_metrics import difference
from benchmarks.study_metrics import difference_text
from models.days import to_date
from models.days import to_day
from pipeline.config.load import load_config
from pipeline.config.schema import Config

ROOT = Path(__file__).parents[1]
RUNS = ROOT / "runs" / "ctnet_months"
MONTHS = 12


class DataSet(NamedTuple):
    """A shipped configuration and the first of the months.

    Attributes:
        base: File in configs/.
        first: First day of the first month.
        changes: Keys with other values than in the file.
    """

    base: str
    first: datetime.date
    changes: dict[str, Any]


DATA_SETS = {
    # The last year of the data; kitchen is the only source, as in docs/results.md.
    "amazon": DataSet("amazon.yaml", datetime.date(2013, 7, 1), {}),
    "xmarket": DataSet("xmarket.yaml", datetime.date(2018, 1, 1), {}),
}


def main() -> None:
    """Runs the combinations that are not stored yet and prints the tables."""
    parser = argparse.ArgumentParser(description="CTNet over months of real logs.")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--datasets", default=",".join(DATA_SETS))
    arguments = parser.parse_args()
    summary = {}
    for name in arguments.datasets.split(","):
        config = _prepared(name)
        results = [
            _result(name, config, config.training.seed + index)
            for index in range(arguments.seeds)
        ]
        summary[name] = _pooled(results)
        _print(name, config, results)
    print(json.dumps(summary))


def month_starts(first: datetime.date) -> list[int]:
    """Returns the first day of each month, and the day after the last one."""
    months = [first.year * 12 + first.month - 1 + i for i in range(MONTHS + 1)]
    return [to_day(datetime.date(m // 12, m % 12 + 1, 1)) for m in months]


def _prepared(name: str) -> Config:
    """Imports and ingests a data set, unless that is done already."""
    data_set = DATA_SETS[name]
    shipped = ROOT / "configs" / data_set.base
    data = yaml.safe_load(shipped.read_text(encoding="utf-8"))
    folder = RUNS / name
    steps = month_starts(data_set.first)
    last = to_date(steps[-1] - 1)
    source = load_config(shipped)
    assert source.imports is not None, "the shipped configurations import"
    data |= {
        "name": f"ctnet_{name}",
        "root": str(folder),
        "logs": str(folder / "logs"),
        "schema": str(source.schema_path),
        "import": {
            **data["import"],
            "data": str(source.imports.data),
            "last_day": str(last),
        },
        "strategy": "ctnet",
        "strategies": {"ctnet": {}},
        "serving": {"directory": str(folder / "serving")},
        **data_set.changes,
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    for command in (["import"], ["ingest", "--to", str(last)]):
        whole = [sys.executable, "-m", "pipeline", command[0], str(path), *command[1:]]
        subprocess.run(whole, check=True, cwd=ROOT)
    return load_config(path)


def _result(name: str, config: Config, seed: int) -> dict[str, Any]:
    stored = RUNS / name / f"{MONTHS}-months-{seed}.json"
    if not stored.is_file():
        # Late: it imports TensorFlow.
        from benchmarks.ctnet_study import Study
        from benchmarks.ctnet_trainees import CTNETS

        steps = month_starts(DATA_SETS[name].first)
        study = Study(
            config, seed, steps, config.levels.target.window_days, old_days=365
        )
        models = [*CTNETS, "finetune", "joint"]
        result = study.run(RUNS / name / f"snapshots-{seed}", models)
        stored.write_text(json.dumps(asdict(result)), encoding="utf-8")
    content: dict[str, Any] = json.loads(stored.read_text(encoding="utf-8"))
    return content


def _pooled(results: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    return {
        model: {
            metric: float(np.mean([r["pooled"][model][metric] for r in results]))
            for metric in ("gauc", "auc", "log_loss", "coverage")
        }
        for model in results[0]["pooled"]
    }


def _print(name: str, config: Config, results: list[dict[str, Any]]) -> None:
    steps = month_starts(DATA_SETS[name].first)
    print(
        f"\n{name}: {', '.join(config.sources)} -> {config.target}, {MONTHS} months "
        f"from {to_date(steps[0])}, {len(results)} seed(s)\n"
    )
    print(
        "| model | GAUC | AUC | log loss | GAUC of a month, minus target_only | AUC of "
        "a month, minus target_only | rows a month | GAUC at the end on held-out rows "
        "of the first year |"
    )
    print("| --- | ---: | ---: | ---: | --- | --- | ---: | ---: |")
    for model, values in _pooled(results).items():
        rows = np.mean([r["costs"][model]["rows"] for r in results])
        old = np.mean([r["forgetting"][model]["gauc"] for r in results])
        seeds = [r["pooled"][model]["gauc"] for r in results]
        spread = f" ± {np.std(seeds, ddof=1):.4f}" if len(seeds) > 1 else ""
        apart = ["", ""]
        if model != "target_only":
            apart = [
                difference_text(difference(results, model, "target_only", metric))
                for metric in ("gauc", "auc")
            ]
        print(
            f"| {model} | {values['gauc']:.4f}{spread} | {values['auc']:.4f} | "
            f"{values['log_loss']:.4f} | {apart[0]} | {apart[1]} | {rows:,.0f} | "
            f"{old:.4f} |"
        )
    print("\n| GAUC |", " | ".join(str(to_date(day))[:7] for day in steps[:-1]), "|")
    print("| --- |", " | ".join(["---:"] * MONTHS), "|")
    for model in results[0]["days"]:
        by_month = np.nanmean(
            [[day["gauc"] for day in r["days"][model]] for r in results], axis=0
        )
        print(f"| {model} |", " | ".join(f"{value:.3f}" for value in by_month), "|")


if __name__ == "__main__":
    main()
