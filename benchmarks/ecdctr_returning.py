"""Study of E-CDCTR where users return after CPM's window: what TPM is for.

A world of feeds and ads in which part of the users is absent for months. Some of the
ads' impressions of old days are held out: no model is trained on them. At the end,
every variant of E-CDCTR scores them, and the impressions of the days that follow. The
levels are trained in one process as the pipeline plans them: TPM's first period on its
whole window and each later one on its own days, CPM on the feeds' newest month, A-CTR
on the ads' newest weeks from CPM's weights.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tf_keras as keras

from benchmarks import simulated_rows
from benchmarks.criteria import ReturningCriteria
from benchmarks.simulated_rows import Rows
from benchmarks.study_metrics import difference_text
from benchmarks.study_metrics import metrics_of
from benchmarks.trainee import Trainee
from benchmarks.trainee import assign
from benchmarks.trainee import values
from components.evaluation.differences import difference
from components.evaluation.differences import holm
from models.data.batches import ExampleReader
from models.data.snapshots import SnapshotTables
from models.features.id import SNAPSHOT_SPACES
from models.features.table import FeatureTable
from models.networks.backbone import Backbone
from models.networks.tpm import TinyModel
from models.settings import NetworkConfig
from models.settings import TrainingConfig
from models.strategies.ecdctr import Ecdctr
from models.strategies.ecdctr import EcdctrConfig
from models.training.warm_start import batch_norm_variables
from pipeline.datasets.simulation.settings import SimulationConfig
from pipeline.datasets.simulation.settings import plan_domains

WHOLE, PERIODS = "whole", 3
# Shards of the impressions that models are trained on.
FEEDS, ADS = "feeds.parquet", "ads.parquet"
# Metrics of each variant by part of the impressions, see `run`.
Result = dict[str, dict[str, dict[str, float]]]


@dataclass(frozen=True)
class Parts:
    """Impressions of a world.

    Attributes:
        features: The feature table; TPM reads users, items and domains.
        held_out: Impressions of ads on old days that no model is trained on.
        later: Impressions of ads on the days after the end.
        returning: Which of `later` are of users without an impression in the feeds in
            CPM's window, who had some before.
    """

    features: FeatureTable
    held_out: Rows
    later: Rows
    returning: Any


def variants() -> dict[str, dict[str, Any]]:
    """Returns the keys of each variant of E-CDCTR: the whole, and without each part."""
    whole = Ecdctr(EcdctrConfig())
    return {WHOLE: {}, **whole.ablations(PERIODS)}


def stored_result(criteria: ReturningCriteria, seed: int, folder: Path) -> Result:
    """Returns the result of a world, from `folder` if an earlier command stored it."""
    stored = folder / f"{seed}.json"
    if not stored.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="crossctr-") as world:
            result = run(criteria, seed, Path(world))
        stored.write_text(json.dumps(result), encoding="utf-8")
    content: Result = json.loads(stored.read_text(encoding="utf-8"))
    return content


def differences_of(results: Sequence[Result], part: str) -> dict[str, dict[str, Any]]:
    """Returns each variant's GAUC minus the whole's, with intervals over worlds.

    Args:
        results: A result for each world.
        part: Part of the impressions, see `run`.

    Returns:
        By variant its mean GAUC, the difference with its interval, whether it is told
        apart below the whole with Holm's correction for all variants, and `text`, the
        cells of a table.
    """

    def gauc(result: Result, name: str) -> float:
        return result[name][part]["gauc"]

    apart = {
        name: difference([gauc(r, name) - gauc(r, WHOLE) for r in results])
        for name in results[0]
        if name != WHOLE
    }
    adjusted = holm({name: found.p_value for name, found in apart.items()})
    found: dict[str, dict[str, Any]] = {}
    for name in results[0]:
        mean = float(np.mean([gauc(result, name) for result in results]))
        about: dict[str, Any] = {"gauc": mean, "text": (f"{mean:.4f}", "", "")}
        if name in apart:
            one = replace(apart[name], adjusted=adjusted[name])
            about |= {
                "minus_whole": [one.value, one.low, one.high],
                "told_apart_below": one.told_apart and one.value < 0,
                "text": (
                    f"{mean:.4f}",
                    difference_text((one.value, one.low, one.high)),
                    "" if one.adjusted is None else f"{one.adjusted:.3f}",
                ),
            }
        found[name] = about
    return found


def run(criteria: ReturningCriteria, seed: int, folder: Path) -> Result:
    """Trains and scores every variant in one world.

    Args:
        criteria: The world, the levels and what is held out.
        seed: Seed of world and trainings.
        folder: Empty folder for the impressions.

    Returns:
        Metrics by variant and part: `old`, the held-out impressions; `later`; and
        `returning`, those of `later` whose users were absent in CPM's window.
    """
    parts = _world(criteria, seed, folder)
    study = _Study(criteria, parts.features, seed, folder)
    scored = {
        "old": parts.held_out,
        "later": parts.later,
        "returning": parts.later.where(parts.returning),
    }
    result: Result = {}
    for name, keys in variants().items():
        model = study.trained(Ecdctr(EcdctrConfig(**keys)))
        result[name] = {
            part: metrics_of(
                rows.columns["user_id"],
                model.probabilities(
                    {f.name: rows.columns[f.name] for f in parts.features.features}
                ),
                rows.columns["label"],
            )
            for part, rows in scored.items()
        }
    return result


def _world(criteria: ReturningCriteria, seed: int, folder: Path) -> Parts:
    """Draws a world and writes the impressions that models may be trained on."""
    after = criteria.days + criteria.later_days
    simulation = SimulationConfig.model_validate(
        {"truth": folder / "truth", "preset": "small", "days": after, **criteria.world}
    )
    plans = plan_domains(simulation, ["feeds"], "ads")
    table, drawn = simulated_rows.draw(plans, seed, after)
    tpm = {"user", "item", "domain"}
    features = FeatureTable(
        features=tuple(
            feature.model_copy(update={"tpm": feature.table in tpm})
            for feature in table.features
        ),
        vocabularies=table.vocabularies,
    )
    feeds, ads = drawn["feeds"], drawn["ads"]
    days = ads.columns["day"]
    chosen = np.random.default_rng(seed).random(len(ads)) < criteria.held_out_share
    held_out = chosen & (days >= criteria.old_days[0]) & (days <= criteria.old_days[1])
    past = days < criteria.days
    later = ads.where(~past)
    simulated_rows.write(
        feeds.where(feeds.columns["day"] < criteria.days), folder / FEEDS
    )
    simulated_rows.write(ads.where(past & ~held_out), folder / ADS)
    of_feeds, seen = feeds.columns["user_id"], feeds.columns["day"]
    month = criteria.days - criteria.cpm_window
    recent = np.unique(of_feeds[(seen >= month) & (seen < criteria.days)])
    before = np.unique(of_feeds[seen < month])
    users = later.columns["user_id"]
    returning = np.isin(users, before) & ~np.isin(users, recent)
    return Parts(features, ads.where(held_out), later, returning)


class _Study:
    """Levels of one world, each trained once."""

    def __init__(
        self, criteria: ReturningCriteria, features: FeatureTable, seed: int, at: Path
    ) -> None:
        self._criteria, self._features, self._seed = criteria, features, seed
        self._folder = at
        self._sizes = NetworkConfig(width=8, hidden_units=(32, 16))
        self._cpms: dict[str, dict[str, Any]] = {}
        self._periods = self._trained_periods()

    def trained(self, strategy: Ecdctr) -> Trainee:
        """Returns A-CTR of a variant, trained until the end."""
        entry = strategy.config
        needs = strategy.needs(PERIODS)
        tables = self._tables(needs.tpm_periods)
        sizes = strategy.sizes(self._sizes)
        target = self._backbone(sizes, tables, batch_size=128)
        if needs.cpm:
            weights = self._cpm(sizes, needs.tpm_periods, tables)
            kept = {*weights}
            if not entry.load_batch_norm:
                kept -= batch_norm_variables(weights)
            named = target.network.named_variables()
            assign({name: named[name] for name in kept}, weights)
        self._train(target, ADS, self._criteria.target_window)
        return target

    def _cpm(
        self, sizes: NetworkConfig, periods: int, tables: dict[str, SnapshotTables]
    ) -> dict[str, Any]:
        key = f"{sizes.snapshot_pooling} {periods}"
        if key not in self._cpms:
            cpm = self._backbone(sizes, tables)
            self._train(cpm, FEEDS, self._criteria.cpm_window)
            self._cpms[key] = values(cpm.network.named_variables())
        return self._cpms[key]

    def _trained_periods(self) -> list[dict[str, tuple[Any, Any]]]:
        """Trains TPM's chain; returns vectors and impressions, newest period first."""
        criteria = self._criteria
        keras.utils.set_random_seed(self._seed)
        network = TinyModel(self._features, self._sizes)
        trainee = Trainee(network, TrainingConfig(epochs=1, seed=self._seed))
        periods: list[dict[str, tuple[Any, Any]]] = []
        ends = range(criteria.tpm_window, criteria.days + 1, criteria.tpm_every)
        for end in ends:
            first = end - criteria.tpm_every if periods else 0
            reader = self._reader(FEEDS, network.features, first, end - 1)
            trainee.train(reader, moving=True)
            shown = reader.summarise().impressions
            tables = network.embedding.tables
            periods.append(
                {
                    space: (tables[space].numpy(), shown[space])
                    for space in SNAPSHOT_SPACES
                }
            )
        return periods[::-1]

    def _tables(self, count: int) -> dict[str, SnapshotTables]:
        """Returns the newest periods; ids that none has are in the newest one."""
        tables = {}
        for space in SNAPSHOT_SPACES if count else ():
            newest = [period[space] for period in self._periods[:count]]
            present = np.stack([shown > 0 for _, shown in newest], axis=1)
            ever = np.any([period[space][1] > 0 for period in self._periods], axis=0)
            present[~present.any(axis=1) & ever, 0] = True
            vectors = np.stack([vectors for vectors, _ in newest], axis=1)
            tables[space] = SnapshotTables(vectors * present[..., None], present)
        return tables

    def _backbone(
        self,
        sizes: NetworkConfig,
        tables: dict[str, SnapshotTables],
        batch_size: int = 256,
    ) -> Trainee:
        keras.utils.set_random_seed(self._seed)
        network = Backbone(self._features, sizes, tables)
        training = TrainingConfig(epochs=1, seed=self._seed, batch_size=batch_size)
        return Trainee(network, training)

    def _train(self, trainee: Trainee, shard: str, window: int) -> None:
        last = self._criteria.days - 1
        reader = self._reader(shard, self._features, last + 1 - window, last)
        trainee.train(reader, moving=True)

    def _reader(
        self, shard: str, features: FeatureTable, first: int, last: int
    ) -> ExampleReader:
        return ExampleReader([str(self._folder / shard)], features, first, last)
