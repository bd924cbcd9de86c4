"""Networks of CTNet's study: built from a configuration, with the study's seed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tf_keras as keras

from benchmarks.trainee import Trainee
from models.artifact_files import COUNTS_FILE
from models.artifact_files import WEIGHTS_FILE
from models.artifact_files import split_folder
from models.compat import save_arrays
from models.ctnet.network import Ctnet
from models.ctnet.settings import CtnetConfig
from models.data import snapshots
from models.data.batches import ExampleReader
from models.data.id_lists import read_ids
from models.features.id import SNAPSHOT_SPACES
from models.networks.backbone import Backbone
from models.networks.network import Network
from models.networks.tpm import TinyModel
from models.training.checkpoints import save_variables
from models.training.snapshot_export import export_snapshot
from pipeline.config.schema import Config
from pipeline.store.reader import Store

# Settings by variant; the defaults are `reload`, adapter `glu` and no snapshots.
CTNETS: dict[str, dict[str, Any]] = {
    "ctnet": {},
    "ctnet, no reload": {"reload": False},
    "ctnet, gate": {"adapter": "gate"},
    "ctnet, linear": {"adapter": "linear"},
    "ctnet, snapshots": {"snapshots": True},
}


@dataclass
class Trainees:
    """Networks of a study.

    Attributes:
        source: Source model, trained on in each step.
        target: `target_only`, trained on in each step.
        with_snapshots: The target model with snapshots that CTNet with snapshots starts
            from; None if the study has no such CTNet.
        ctnets: CTNet by variant.
        restarts: `finetune` and `joint`, which restart in each step.
        pretrained: Source model that `finetune` starts from; None without `finetune`.
    """

    source: Trainee
    target: Trainee
    with_snapshots: Trainee | None
    ctnets: dict[str, Trainee]
    restarts: dict[str, Trainee]
    pretrained: Trainee | None

    @property
    def scored(self) -> dict[str, Trainee]:
        """Models that are compared, by name."""
        plain = {"target_only": self.target, "source alone": self.source}
        return {**plain, **self.ctnets, **self.restarts}

    def parent(self, ctnet: str) -> Trainee:
        """Returns the target model that a variant of CTNet starts from."""
        if self.with_snapshots and CTNETS[ctnet].get("snapshots"):
            return self.with_snapshots
        return self.target


class Builder:
    """Builder of networks and readers for one configuration and seed.

    Args:
        config: The configuration, whose logs are ingested already.
        seed: Seed of weights, shuffling and dropout.
        last: Last day of the history, on which snapshots are trained.
    """

    def __init__(self, config: Config, seed: int, last: int) -> None:
        self._config, self._seed, self._last = config, seed, last
        self._first = config.first
        store = Store(config.root)
        self._folders = [stored.uri for stored in store.transformed_blocks()]
        self._vocabulary = Path(store.artifacts("Vocabulary")[-1].uri)

    def trainees(self, folder: Path, models: list[str]) -> Trainees:
        """Builds the networks of a study, and trains the snapshots if needed.

        Args:
            folder: Folder for snapshots.
            models: Models beside `target_only` and the source alone.
        """
        source = self.trainee(self.backbone(), "source")
        target = self.trainee(self.backbone(), "target")
        tables = self._snapshots(folder) if "ctnet, snapshots" in models else {}
        return Trainees(
            source=source,
            target=target,
            with_snapshots=(
                self.trainee(self.backbone(tables), "target") if tables else None
            ),
            ctnets={
                name: self.trainee(self.ctnet(about, tables), "target")
                for name, about in CTNETS.items()
                if name in models
            },
            restarts={
                name: self.trainee(self.backbone(), "target")
                for name in ("finetune", "joint")
                if name in models
            },
            pretrained=(
                self.trainee(self.backbone(), "cpm") if "finetune" in models else None
            ),
        )

    def backbone(self, tables: Any = None) -> Backbone:
        """Builds a backbone, with the tables of snapshots if given."""
        keras.utils.set_random_seed(self._seed)
        return Backbone(self._config.table, self._config.network, tables)

    def ctnet(self, about: dict[str, Any], tables: Any) -> Ctnet:
        """Builds CTNet with the settings of a variant."""
        keras.utils.set_random_seed(self._seed)
        ctnet = CtnetConfig(adapter=about.get("adapter", "glu"))
        own = tables if about.get("snapshots") else None
        return Ctnet(self._config.table, self._config.network, ctnet, own)

    def trainee(self, network: Network, level: str) -> Trainee:
        """Wraps a network for training with the settings of a level."""
        training = self._config.training_of(level)
        return Trainee(network, training.model_copy(update={"seed": self._seed}))

    def _patterns(self, domains: Iterable[str]) -> list[str]:
        return [f"{f}/{split_folder(d)}/*" for f in self._folders for d in domains]

    def reader(self, domains: Iterable[str], first: int, last: int) -> ExampleReader:
        """Returns the impressions of some domains and days."""
        return ExampleReader(self._patterns(domains), self._config.table, first, last)

    def _snapshots(self, folder: Path) -> dict[str, Any]:
        """Trains one TPM period on the history and returns its aligned tables."""
        table = self._config.table
        keras.utils.set_random_seed(self._seed)
        network = TinyModel(table, self._config.network)
        trainee = self.trainee(network, "tpm")
        last = self._last
        reader = ExampleReader(
            self._patterns(self._config.sources), network.features, self._first, last
        )
        trainee.train(reader, moving=True)
        trained, period = folder / "trained", folder / "period"
        trained.mkdir(parents=True, exist_ok=True)
        save_variables(trained / WEIGHTS_FILE, network.named_variables())
        save_arrays(trained / COUNTS_FILE, reader.summarise().impressions)
        vocabulary = self._vocabulary
        export_snapshot(trained, vocabulary, table, period, period_day=last + 1)
        return {
            space: snapshots.align(
                [period], read_ids(vocabulary, space), space, table.vocabularies[space]
            )
            for space in SNAPSHOT_SPACES
        }
