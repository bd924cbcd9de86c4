"""Study of possible causes for the worse log loss of models warm-started from CPM.

Trains TPM, CPM and the target in this process on ingested impressions, for a validation
day before the day whose results are reported. Prints, for each possible cause, AUC,
GAUC, log loss, the calibration slope (the factor for the logits; below 1 the model is
overconfident), and the log loss on the target's own training impressions.

    crossctr ingest CONFIG --to <last evaluation day>
    python -m benchmarks.warm_start_study CONFIG --day DAY --evaluation-days DAYS
"""

from __future__ import annotations

import argparse
import datetime
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras as keras
from sklearn.linear_model import LogisticRegression

from components.evaluation.ranking import auc
from components.evaluation.ranking import grouped_auc
from components.evaluation.ranking import log_losses
from models.artifact_files import COUNTS_FILE
from models.artifact_files import WEIGHTS_FILE
from models.artifact_files import split_folder
from models.compat import save_arrays
from models.data import snapshots
from models.data.batches import ExampleReader
from models.data.id_lists import read_ids
from models.days import DayRange
from models.days import to_day
from models.features.feature import USER_FEATURE
from models.features.id import SNAPSHOT_SPACES
from models.networks.backbone import Backbone
from models.networks.network import Network
from models.networks.tpm import TinyModel
from models.settings import TrainingConfig
from models.training import optimizers
from models.training import warm_start
from models.training.checkpoints import save_variables
from models.training.loop import fit
from models.training.norm_statistics import count_statistics
from models.training.snapshot_export import export_snapshot
from pipeline.config.load import load_config
from pipeline.config.named_strategies import with_strategies
from pipeline.config.schema import Config
from pipeline.store.reader import Store

# Without and with a target that starts from CPM.
STRATEGIES = ("target_only", "ecdctr")
# By possible cause, the changes to the default: three epochs for every level and
# BatchNorm's running averages as training left them.
SUSPECTS: dict[str, dict[str, Any]] = {
    "as it was": {},
    "statistics counted": {"count": True},
    "BatchNorm loaded too": {"load_batch_norm": True},
    "base rate fitted again": {"refit_base_rate": True},
    "a third of the rates": {"target": {"rates": 1 / 3}},
    "accumulator 0.1": {"accumulator": 0.1},
    "dropout 0.5": {"dropout": 0.5},
    "target 1 epoch": {"target": {"epochs": 1}},
    "target 1 epoch, counted": {"target": {"epochs": 1}, "count": True},
    "both 1 epoch, counted": {
        "cpm": {"epochs": 1},
        "target": {"epochs": 1},
        "count": True,
    },
}


def training_of(
    config: Config, level: str, *, transfer: bool, seed: int, change: dict[str, Any]
) -> TrainingConfig:
    """Returns the training settings of a level as a run has them, with a change.

    Args:
        config: The configuration, with an entry for each of `STRATEGIES`.
        level: The level.
        transfer: Whether the target starts from CPM.
        seed: Seed of the training.
        change: One of `SUSPECTS`.
    """
    strategy = STRATEGIES[transfer] if level == "target" else ""
    training = config.training_of(level, strategy)
    own = change.get(level, {})
    rates = own.get("rates", 1.0)
    return training.model_copy(
        update={
            "seed": seed,
            "epochs": own.get("epochs", 3),
            "dense_learning_rate": training.dense_learning_rate * rates,
            "embedding_learning_rate": training.embedding_learning_rate * rates,
        }
    )


class Study:
    """One validation day of one configuration."""

    def __init__(self, config: Config, day: int, evaluation_days: int) -> None:
        self._config, self._day = config, day
        self._evaluation = DayRange(day, day + evaluation_days - 1)
        store = Store(config.root)
        self._folders = [stored.uri for stored in store.transformed_blocks()]
        self._vocabulary = Path(store.artifacts("Vocabulary")[-1].uri)
        self._temporary = Path(tempfile.mkdtemp())

    def run(self, seed: int, change: dict[str, Any], *, transfer: bool) -> list[float]:
        """Trains and measures one model."""
        optimizers.INITIAL_ACCUMULATOR = change.get("accumulator", 1.0)
        update = {"dropout": change["dropout"]} if "dropout" in change else {}
        shape = self._config.network.model_copy(update=update)
        folders = self._snapshots(seed) if transfer else []

        def build() -> Network:
            keras.utils.set_random_seed(seed)
            return Backbone(self._config.table, shape, self._aligned(folders))

        pretrained = None
        if transfer:
            pretrained = build()
            window = self._window("cpm", self._day)
            training = self._training("cpm", seed, change)
            self._train(pretrained, self._config.sources, window, training, change)
        network = build()
        window = self._window("target", self._day)
        if pretrained is not None:
            named = pretrained.named_variables()
            left = frozenset[str]()
            if not change.get("load_batch_norm"):
                left = warm_start.batch_norm_variables(named)
            for name, variable in network.named_variables().items():
                if name not in left:
                    variable.assign(named[name])
        fresh_base = pretrained is None or bool(change.get("refit_base_rate"))
        domains = (self._config.target,)
        training = self._training("target", seed, change, transfer=transfer)
        self._train(network, domains, window, training, change, fresh_base)
        return self._measure(network, window)

    def _training(
        self, level: str, seed: int, change: dict[str, Any], *, transfer: bool = True
    ) -> TrainingConfig:
        return training_of(
            self._config, level, transfer=transfer, seed=seed, change=change
        )

    def _window(self, level: str, day: int) -> DayRange:
        days = getattr(self._config.levels, level).window_days
        return DayRange(max(day - days, self._config.first), day - 1)

    def _reader(
        self, domains: tuple[str, ...], days: DayRange, network: Network
    ) -> ExampleReader:
        patterns = [f"{f}/{split_folder(d)}/*" for f in self._folders for d in domains]
        return ExampleReader(patterns, network.features, days.first, days.last)

    def _train(
        self,
        network: Network,
        domains: tuple[str, ...],
        days: DayRange,
        training: TrainingConfig,
        change: dict[str, Any],
        base_rate: bool = True,
    ) -> Any:
        reader = self._reader(domains, days, network)
        window = reader.summarise()
        if base_rate:
            network.set_base_rate(window.num_clicks / window.num_rows)
        folder = self._temporary / "tensorboard"
        fit(network, reader, training, rows_by_day=window.rows_by_day, run_dir=folder)
        if change.get("count"):
            count_statistics(network, reader, seed=training.seed)
        return window

    def _snapshots(self, seed: int) -> list[Path]:
        level, before = self._config.levels.tpm, None
        folders: list[Path] = []
        for back in reversed(range(level.snapshots)):
            period = self._day - back * level.every_days
            folder = self._temporary / f"{seed}-{period}"
            if not folder.exists():
                keras.utils.set_random_seed(seed)
                network = TinyModel(self._config.table, self._config.network)
                for name, variable in network.named_variables().items():
                    if before is not None:
                        variable.assign(before[name])
                days = self._window("tpm", period)
                training = self._training("tpm", seed, {})
                window = self._train(network, self._config.sources, days, training, {})
                before = network.named_variables()
                trained = folder.with_name(f"{folder.name}-trained")
                save_variables(trained / WEIGHTS_FILE, before)
                save_arrays(trained / COUNTS_FILE, window.impressions)
                table = self._config.table
                vocabulary = self._vocabulary
                export_snapshot(trained, vocabulary, table, folder, period_day=period)
            folders.insert(0, folder)
        return folders

    def _aligned(self, folders: list[Path]) -> dict[str, snapshots.SnapshotTables]:
        spaces = self._config.table.vocabularies
        return {
            space: snapshots.align(
                folders, read_ids(self._vocabulary, space), space, spaces[space]
            )
            for space in (SNAPSHOT_SPACES if folders else ())
        }

    def _measure(self, network: Network, window: DayRange) -> list[float]:
        users, labels, logits = self._logits(network, self._evaluation)
        scores = 1 / (1 + np.exp(-logits))
        scaled = LogisticRegression(C=np.inf).fit(logits[:, np.newaxis], labels)
        _, seen_labels, seen = self._logits(network, window)
        return [
            auc(scores, labels),
            grouped_auc(users, scores, labels).gauc,
            float(log_losses(scores, labels).mean()),
            float(scaled.coef_[0, 0]),
            float(log_losses(1 / (1 + np.exp(-seen)), seen_labels).mean()),
        ]

    def _logits(
        self, network: Network, days: DayRange
    ) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
        score: Callable[..., Any] = tf.function(lambda rows: network(rows))
        users, labels, logits = [], [], []
        reader = self._reader((self._config.target,), days, network)
        for batch in reader.batches(batch_size=4_096, shuffle_rows=16_384, seed=0):
            rows = {name: tf.constant(values) for name, values in batch.rows.items()}
            logits.append(score(rows).numpy().astype(np.float64))
            users.append(batch.rows[USER_FEATURE])
            labels.append(batch.labels)
        return np.concatenate(users), np.concatenate(labels), np.concatenate(logits)


def main() -> None:
    """Prints means over seeds, one line per possible cause and model."""
    parser = argparse.ArgumentParser(description="Suspects, one at a time.")
    parser.add_argument("config", type=Path)
    parser.add_argument("--day", required=True, help="YYYY-MM-DD")
    parser.add_argument("--evaluation-days", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    config = with_strategies(load_config(arguments.config), STRATEGIES)
    day = to_day(datetime.date.fromisoformat(arguments.day))
    study = Study(config, day, arguments.evaluation_days)
    heads = ("AUC", "GAUC", "log loss", "slope", "train loss")
    print(f"| {'possible cause':<25} | model       | " + " | ".join(heads) + " |")
    for name, change in SUSPECTS.items():
        for transfer in (False, True):
            runs = [
                study.run(config.training.seed + i, change, transfer=transfer)
                for i in range(arguments.seeds)
            ]
            cells = " | ".join(f"{value:.4f}" for value in np.mean(runs, axis=0))
            print(f"| {name:<25} | {STRATEGIES[transfer]:<11} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
