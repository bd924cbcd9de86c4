"""Variants of the backbone on earlier periods of an ingested data set.

Usage: `python -m benchmarks.backbone_study configs/xmarket.yaml 2017-01-01:2017-12-31
2018-01-01:2018-12-31 [--sources] [--seeds 3] [--only NAME ...]`

Every variant is trained on the target's window before each period, on the target alone
or, with `--sources`, on all domains, and scored on the target's impressions of the
period. The days must have been ingested (`crossctr ingest CONFIG --to DAY`); nothing is
written.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.trainee import Trainee
from components.evaluation.ranking import auc
from components.evaluation.ranking import log_losses
from models.artifact_files import split_folder
from models.data.batches import ExampleReader
from models.days import DayRange
from models.days import to_day
from models.networks.backbone import Backbone
from models.networks.linear import LinearNetwork
from models.networks.network import Network
from models.training.batch_sizes import fitted
from models.training.norm_statistics import count_statistics
from pipeline.config.load import load_config
from pipeline.config.schema import Config

_BATCH = 8_192
_OLD = {"wide": False, "product": False, "zero_start": False}
# Changes of `network` and of `training`; `linear` has no backbone.
VARIANTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "linear": ({}, {}),
    "deep part alone, random start": (_OLD, {}),
    "no wide part": ({"wide": False}, {}),
    "no product": ({"product": False}, {}),
    "random start": ({"zero_start": False}, {}),
    "defaults": ({}, {}),
    "no BatchNorm": ({"batch_norm": False}, {}),
    "two passes": ({}, {"epochs": 2}),
}


def main() -> None:
    """Prints a line per variant and period: mean AUC and log loss over the seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("periods", nargs="+")
    parser.add_argument("--sources", action="store_true")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=list(VARIANTS))
    arguments = parser.parse_args()
    config = load_config(arguments.config)
    domains = config.domains if arguments.sources else (config.target,)
    for text in arguments.periods:
        period = DayRange(*(to_day(date.fromisoformat(d)) for d in text.split(":")))
        for name in arguments.only or VARIANTS:
            found = np.array(
                [
                    measure(config, domains, period, name, seed)
                    for seed in range(arguments.seeds)
                ]
            )
            (area, loss), spread = found.mean(axis=0), found.std(axis=0)
            print(
                f"{text} | {name:26} | AUC {area:.4f} ± {spread[0]:.4f} | "
                f"log loss {loss:.4f} ± {spread[1]:.4f}",
                flush=True,
            )


def measure(
    config: Config, domains: tuple[str, ...], period: DayRange, name: str, seed: int
) -> tuple[float, float]:
    """Returns AUC and log loss of a variant on a period."""
    import tf_keras as keras

    days = config.levels.target.window_days
    window = _reader(config, domains, DayRange(period.first - days, period.first - 1))
    summary = window.summarise()
    sizes, settings = VARIANTS[name]
    training = config.training_of("target").model_copy(
        update={"seed": seed, **settings}
    )
    keras.utils.set_random_seed(seed)
    network: Network = (
        LinearNetwork(config.table)
        if name == "linear"
        else Backbone(config.table, config.network.model_copy(update=sizes))
    )
    if not summary.num_rows:
        raise SystemExit(f"no impressions before {period}; ingest these days first")
    network.set_base_rate(summary.num_clicks / summary.num_rows)
    trainee = Trainee(network, fitted(training, summary.num_rows))
    trainee.train(window, moving=True)
    count_statistics(network, window, seed=seed)
    chances, labels = [], []
    for batch in _batches(_reader(config, (config.target,), period)):
        chances.append(trainee.probabilities(batch.rows))
        labels.append(batch.labels)
    scores, clicked = np.concatenate(chances), np.concatenate(labels)
    return float(auc(scores, clicked)), float(log_losses(scores, clicked).mean())


def _batches(reader: ExampleReader) -> Iterator[Any]:
    return reader.batches(batch_size=_BATCH, shuffle_rows=_BATCH, seed=0)


def _reader(config: Config, domains: tuple[str, ...], days: DayRange) -> ExampleReader:
    folder = config.root / "artifacts" / "Transform" / "transformed_examples"
    patterns = [
        f"{block / split_folder(domain)}/*.parquet"
        for block in sorted(folder.iterdir())
        for domain in domains
    ]
    return ExampleReader(patterns, config.table, days.first, days.last)


if __name__ == "__main__":
    main()
