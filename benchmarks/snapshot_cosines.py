"""Cosine between neighbouring TPM snapshots, by what a period trains on.

    python -m benchmarks.snapshot_cosines [--seeds 3]

On simulated feeds of ten months, TPM's periods of 30 days are trained as the pipeline
does: with `trains_on: window` each on its 180 days again, with `newest` the first on
its 180 days and each later one on its own 30. The last line is JSON: by mode and id
space, the mean cosine between an id's vectors in two neighbouring periods, over the ids
with impressions in the days of both.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import tf_keras as keras

from benchmarks import simulated_rows
from benchmarks.trainee import Trainee
from models.data.batches import ExampleReader
from models.features.table import FeatureTable
from models.networks.tpm import TinyModel
from models.settings import NetworkConfig
from models.settings import TrainingConfig
from pipeline.datasets.simulation.settings import SimulationConfig
from pipeline.datasets.simulation.settings import plan_domains

DAYS, WINDOW, EVERY, PERIODS = 300, 180, 30, 5
SPACES = ("user", "item")


def main() -> None:
    """Trains the chains and prints the cosines."""
    parser = argparse.ArgumentParser(description="Cosines of neighbouring snapshots.")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=3_000, help="impressions a day")
    arguments = parser.parse_args()
    found: dict[str, dict[str, list[float]]] = {}
    for seed in range(1, arguments.seeds + 1):
        with tempfile.TemporaryDirectory(prefix="crossctr-") as folder:
            features = _world(seed, arguments.rows, Path(folder))
            for mode in ("window", "newest"):
                for space, cosine in _cosines(mode, features, folder, seed).items():
                    found.setdefault(mode, {}).setdefault(space, []).append(cosine)
    means = {
        mode: {space: round(float(np.mean(c)), 3) for space, c in by_space.items()}
        for mode, by_space in found.items()
    }
    print(json.dumps({"seeds": arguments.seeds, **means}))


def _world(seed: int, rows: int, folder: Path) -> FeatureTable:
    """Writes the feeds of a world and returns the features that TPM reads."""
    simulation = SimulationConfig(
        truth=folder / "truth",
        preset="small",
        days=DAYS,
        rows_per_day=rows,
        users=2_000,
        items=600,
    )
    feeds, _ = plan_domains(simulation, ["feeds"], "ads")
    table, drawn = simulated_rows.draw([feeds], seed, DAYS)
    simulated_rows.write(drawn["feeds"], folder / "feeds.parquet")
    kept = tuple(
        feature.model_copy(update={"tpm": feature.table in (*SPACES, "domain")})
        for feature in table.features
    )
    return FeatureTable(features=kept, vocabularies=table.vocabularies)


def _cosines(
    mode: str, features: FeatureTable, folder: str, seed: int
) -> dict[str, float]:
    """Returns the mean cosine of neighbouring periods, by id space."""
    keras.utils.set_random_seed(seed)
    network = TinyModel(features, NetworkConfig())
    trainee = Trainee(network, TrainingConfig(epochs=1, seed=seed))
    cosines: dict[str, list[float]] = {space: [] for space in SPACES}
    before: dict[str, tuple[Any, Any]] = {}
    for period in range(PERIODS):
        end = WINDOW + period * EVERY
        length = WINDOW if mode == "window" or not period else EVERY
        first = max(end - length, 0)
        reader = ExampleReader(
            [f"{folder}/*.parquet"], network.features, first, end - 1
        )
        trainee.train(reader, moving=True)
        shown = reader.summarise().impressions
        for space in SPACES:
            vectors = network.embedding.tables[space].numpy()
            if space in before:
                old, seen = before[space]
                both = (shown[space] > 0) & seen
                cosines[space].append(_mean_cosine(old[both], vectors[both]))
            before[space] = vectors, shown[space] > 0
    # The first period is long in both modes.
    return {space: float(np.mean(values[1:])) for space, values in cosines.items()}


def _mean_cosine(one: Any, other: Any) -> float:
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return float(
        np.mean(np.sum(one * other, axis=1)[lengths > 0] / lengths[lengths > 0])
    )


if __name__ == "__main__":
    main()
