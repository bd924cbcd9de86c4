"""Trainings of `prove_cctl_network`: alignment and own vectors at weights of 1.

Weights of 1 keep the network's parts apart from what weighs source impressions: every
variant takes the same steps on the same batches in the same order, in memory.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras as keras

from benchmarks.simulated_rows import Rows
from benchmarks.simulated_rows import draw
from benchmarks.study_metrics import metrics_of
from models.cctl.losses import log_losses
from models.cctl.losses import take_step
from models.cctl.network import CompanionNetwork
from models.data.batches import Batch
from models.features.feature import DOMAIN_FEATURE
from models.features.feature import Feature
from models.features.kind import MISSING_ROW
from models.features.kind import PADDING_ROW
from models.features.table import FeatureTable
from models.networks.backbone import Backbone
from models.networks.network import Network
from models.settings import CctlConfig
from models.settings import NetworkConfig
from models.settings import TrainingConfig
from models.training.norm_statistics import count_statistics
from models.training.optimizers import build_optimizer
from pipeline.datasets.simulation.settings import SimulationConfig
from pipeline.datasets.simulation.settings import plan_domains

SOURCE, TARGET = "feeds", "ads"
NETWORK = NetworkConfig(width=8, hidden_units=(32, 16))
# Many rows of the target are drawn, so that it is judged on many; few are trained on.
_WORLD = {
    "days": 20,
    "rows_per_day": 4_000,
    "users": 1_500,
    "items": 400,
    "sparsity": 2,
    "theta": 0,
}
_JUDGED_DAYS, _TRAINED_SHARE = 4, 0.15
_BATCH, _EPOCHS = 512, 3
_SCORED_ROWS = 16_384
# Codes that `permute_codes` changes, and fields for a source alone.
CODED = ("segment", "device", "category", "interests")
ONE_SIDED = ("interests", "refreshes", "score")

Rng = np.random.Generator


@dataclass(frozen=True)
class World:
    """A world's training rows of both domains, and the target's rows to judge by."""

    table: FeatureTable
    source: Rows
    target: Rows
    judged: Rows

    def mapped(self, change: Callable[[Rows], Rows], table: FeatureTable) -> World:
        """Returns the world with changed rows and another table of features."""
        parts = (change(one) for one in (self.source, self.target, self.judged))
        return World(table, *parts)


@functools.lru_cache(maxsize=1)
def make_world(seed: int, knobs: tuple[tuple[str, Any], ...] = ()) -> World:
    """Draws a world; `knobs` are other keys of `simulate`, those of feeds by a dot."""
    own = {name[6:]: value for name, value in knobs if name.startswith("feeds.")}
    rest = {name: value for name, value in knobs if not name.startswith("feeds.")}
    simulation = SimulationConfig.model_validate(
        {**_WORLD, "truth": Path(), "seed": seed, "domains": {SOURCE: own}, **rest}
    )
    days = simulation.num_days
    table, rows = draw(plan_domains(simulation, (SOURCE,), TARGET), seed, days)
    last = days - _JUDGED_DAYS
    ads, feeds = rows[TARGET], rows[SOURCE]
    past = ads.columns["day"] < last
    kept = np.random.default_rng(seed).random(len(ads)) < _TRAINED_SHARE
    return World(
        table,
        feeds.where(feeds.columns["day"] < last),
        ads.where(past & kept),
        ads.where(~past),
    )


def declared(world: World, names: tuple[str, ...], *, target_has: bool) -> World:
    """Returns the world with features that belong to one domain.

    Args:
        world: The world.
        names: The features: each becomes `theirs_<name>` of the source, with a table of
            its own.
        target_has: Whether the target keeps the feature, for itself alone; otherwise
            only the source has it.
    """
    features: list[Feature] = []
    spaces = dict(world.table.vocabularies)
    for feature in world.table.features:
        if feature.name not in names:
            features.append(feature)
            continue
        own: dict[str, Any] = {"name": f"theirs_{feature.name}", "domains": (SOURCE,)}
        if feature.vocabulary is not None:
            own["vocabulary"] = f"theirs_{feature.vocabulary}"
            spaces[own["vocabulary"]] = spaces[feature.vocabulary]
        features.append(feature.model_copy(update=own))
        if target_has:
            features.append(feature.model_copy(update={"domains": (TARGET,)}))
    table = FeatureTable(features=tuple(features), vocabularies=spaces, target=TARGET)
    source = int(world.source.columns[DOMAIN_FEATURE][0])

    def change(rows: Rows) -> Rows:
        columns = dict(rows.columns)
        is_source = columns[DOMAIN_FEATURE] == source
        for name in names:
            for column in world.table[name].columns:
                values = columns.pop(column)
                nothing = 0
                if column == name:
                    is_list = world.table[name].is_list
                    nothing = PADDING_ROW if is_list else MISSING_ROW
                mask = is_source if values.ndim == 1 else is_source[:, None]
                columns[f"theirs_{column}"] = np.where(mask, values, nothing).astype(
                    values.dtype
                )
                if target_has:
                    columns[column] = np.where(mask, nothing, values).astype(
                        values.dtype
                    )
        return dataclasses.replace(rows, columns=columns)

    return world.mapped(change, table)


def train_cctl(world: World, seed: int, **settings: Any) -> dict[str, float]:
    """Trains CCTL's mixed tower with all weights 1; returns metrics on `judged`."""
    keras.utils.set_random_seed(seed)
    cctl = CctlConfig.model_validate({"estimator": "uniform", **settings})
    domain = int(world.source.columns[DOMAIN_FEATURE][0])
    network = CompanionNetwork(world.table, NETWORK, cctl, (SOURCE,), {SOURCE: domain})
    rates = {
        name: float(rows.columns["label"].mean())
        for name, rows in ((SOURCE, world.source), (TARGET, world.target))
    }
    network.set_base_rate(rates[TARGET])
    network.set_domain_rates(rates, continues=False)

    def loss_of(rows: Any, labels: Any, is_target: Any) -> Any:
        del is_target
        logits = network.logits(network.mixed, rows, training=True)
        loss = tf.reduce_sum(log_losses(labels, logits))
        if cctl.enhancement:
            contrast = network.contrast(rows, tf.ones_like(labels))
            count = tf.cast(tf.shape(labels)[0], tf.float32)
            loss += cctl.enhancement * count * contrast
        return loss

    return _trained(world, network, network.trained_variables, loss_of, seed)


def train_plain(world: World, seed: int, *, source: bool) -> dict[str, float]:
    """Trains the backbone on both domains, or with the same steps on the target."""
    keras.utils.set_random_seed(seed)
    table = world.table if source else world.table.of_target()
    network = Backbone(table, NETWORK)
    own = np.r_[world.target.columns["label"], world.source.columns["label"]]
    network.set_base_rate(float((own if source else own[: len(world.target)]).mean()))

    def loss_of(rows: Any, labels: Any, is_target: Any) -> Any:
        losses = log_losses(labels, network(rows, training=True))
        del is_target
        return tf.reduce_sum(losses)

    return _trained(
        world, network, network.trainable_variables, loss_of, seed, source=source
    )


def _trained(
    world: World,
    network: Network,
    variables: list[Any],
    loss_of: Callable[..., Any],
    seed: int,
    *,
    source: bool = True,
) -> dict[str, float]:
    training = TrainingConfig(batch_size=_BATCH, seed=seed)
    optimizer = build_optimizer(network.trained_part, training)
    helpers = keras.optimizers.Adam(training.dense_learning_rate, jit_compile=False)
    beside = network.helper_variables if isinstance(network, CompanionNetwork) else []
    helpers.build(beside)

    @tf.function(autograph=False, reduce_retracing=True)
    def step(rows: Mapping[str, Any], labels: Any, is_target: Any) -> None:
        count = tf.shape(labels)[0]
        take_step(
            lambda: (loss_of(rows, labels, is_target) / tf.cast(count, tf.float32),),
            (optimizer, variables),
            (helpers, beside),
            rows=count,
        )

    names = list(network.features.columns)
    for rows in _steps(world, names, seed, source=source):
        step(*rows)
    mixed = _Mixed(world, names, seed, source=source)
    count_statistics(network, mixed, seed=seed)  # type: ignore[arg-type]
    return _judged(network, world.judged)


def _steps(
    world: World, names: list[str], seed: int, *, source: bool
) -> Iterator[tuple[dict[str, Any], Any, Any]]:
    """Yields batches; each has the target's share of all rows."""
    rng = np.random.default_rng(seed)
    target, beside = world.target, world.source
    number = (len(target) + len(beside)) // _BATCH
    for _ in range(_EPOCHS):
        own = np.array_split(rng.permutation(len(target)), number)
        theirs = np.array_split(rng.permutation(len(beside)), number)
        for a, b in zip(own, theirs, strict=True):
            chosen = b if source else b[:0]
            columns = {
                name: np.r_[target.columns[name][a], beside.columns[name][chosen]]
                for name in names
            }
            labels = np.r_[target.columns["label"][a], beside.columns["label"][chosen]]
            is_target = np.arange(len(labels)) < len(a)
            yield (
                {name: tf.constant(values) for name, values in columns.items()},
                tf.constant(labels.astype(np.float32)),
                tf.constant(is_target.astype(np.float32)),
            )


class _Mixed:
    """The rows that were trained on, for BatchNorm's statistics."""

    def __init__(
        self, world: World, names: list[str], seed: int, *, source: bool
    ) -> None:
        parts = [world.target, *([world.source] if source else [])]
        self._columns = {
            name: np.concatenate([part.columns[name] for part in parts])
            for name in names
        }
        self._number = sum(len(part) for part in parts)
        self._seed = seed

    def batches(self, *, batch_size: int, **_: Any) -> Iterator[Batch]:
        order = np.random.default_rng(self._seed).permutation(self._number)
        for start in range(0, self._number, batch_size):
            chosen = order[start : start + batch_size]
            rows = {name: values[chosen] for name, values in self._columns.items()}
            nothing = np.zeros(len(chosen))
            yield Batch(rows, nothing.astype(np.float32), nothing.astype(np.int64))


def _judged(network: Network, rows: Rows) -> dict[str, float]:
    served = network.serving_form()
    logits = tf.function(served.logits, autograph=False, reduce_retracing=True)
    found: list[npt.NDArray[Any]] = []
    for start in range(0, len(rows), _SCORED_ROWS):
        part = slice(start, start + _SCORED_ROWS)
        names = network.features.of_target().columns
        if isinstance(network, Backbone):
            names = network.features.columns
        batch = {name: tf.constant(rows.columns[name][part]) for name in names}
        found.append(tf.sigmoid(logits(batch)).numpy())
    scores = np.concatenate(found).astype(np.float64)
    return metrics_of(rows.columns["user_id"], scores, rows.columns["label"])
