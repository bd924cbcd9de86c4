"""Trainings of `prove_cctl_network`: alignment and own vectors at weights of 1.

Weights of 1 keep the network's parts apart from what weighs source impressions: every
variant takes the same steps on the same batches in the same order, in memory.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

from benchmarks.simulated_rows import Rows
from benchmarks.simulated_rows import draw
from benchmarks.study_metrics import metrics_of
from models.cctl.losses import log_losses
from models.cctl.losses import take_step
from models.cctl.network import CompanionNetwork
from models.data.batches import batch_signature
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
from models.training.optimizers import build_optimizer
from models.training.optimizers import optimizer_state
from pipeline.datasets.simulation.settings import SimulationConfig
from pipeline.datasets.simulation.settings import plan_domains

SOURCE, TARGET = "feeds", "ads"
NETWORK = NetworkConfig(width=8, hidden_units=(32, 16))
# Many rows of the target are drawn, so that it is judged on many; few are trained on.
_WORLD = {
    "days": 20,
    "rows_per_day": 4_000,
    "users": 400,
    "items": 600,
    "item_overlap": 0.5,
    "sparsity": 2,
    "theta": 0,
}
_JUDGED_DAYS, _TRAINED_SHARE = 4, 0.1
_BATCH, _EPOCHS = 256, 2
_CAPACITY = 1_000
# Impressions of the source for the statistics of BatchNorm.
_SAMPLE = 16_384
# Codes that `permute_codes` changes, and fields for a source alone.
CODED = ("segment", "device", "category", "interests")
ONE_SIDED = ("interests", "refreshes", "score")


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


def make_world(seed: int, knobs: Mapping[str, Any]) -> World:
    """Draws a world by keys of `simulate`, those of the source under `feeds`."""
    own = {name: value for name, value in knobs.items() if name != SOURCE}
    simulation = SimulationConfig.model_validate(
        {
            **_WORLD,
            **own,
            "truth": Path(),
            "seed": seed,
            "domains": {SOURCE: knobs.get(SOURCE, {})},
        }
    )
    days = simulation.num_days
    table, rows = draw(plan_domains(simulation, (SOURCE,), TARGET), seed, days)
    # Of one size for all seeds, so that these share one traced network.
    spaces = {
        name: space.model_copy(update={"capacity": max(space.capacity, _CAPACITY)})
        if name in ("user", "item")
        else space
        for name, space in table.vocabularies.items()
    }
    table = table.model_copy(update={"vocabularies": spaces})
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


class Trial:
    """A variant of the network, trained anew with each seed.

    Weights start as those of the first seed, in another order by seed: their
    distribution is the same, and nothing is traced again.

    Args:
        world: A world; later ones have its table of features.
        settings: Keys of `cctl`; None for the backbone.
        source: Whether the source's impressions are trained on.
    """

    def __init__(
        self, world: World, settings: Mapping[str, Any] | None, *, source: bool = True
    ) -> None:
        keras.utils.set_random_seed(0)
        table = world.table if source else world.table.of_target()
        self._source = source
        self._network: Network
        beside: list[Any] = []
        if settings is None:
            self._network = Backbone(table, NETWORK)
            variables, score = self._network.trainable_variables, self._network
        else:
            domain = int(world.source.columns[DOMAIN_FEATURE][0])
            cctl = CctlConfig.model_validate({"estimator": "uniform", **settings})
            network = CompanionNetwork(
                table, NETWORK, cctl, (SOURCE,), {SOURCE: domain}
            )
            variables, beside = network.trained_variables, network.helper_variables
            self._network = score = network
        training = TrainingConfig(batch_size=_BATCH)
        optimizer = build_optimizer(self._network.trained_part, training)
        helpers = keras.optimizers.Adam(training.dense_learning_rate, jit_compile=False)
        helpers.build(beside)

        def loss_of(rows: Mapping[str, Any], labels: Any) -> tuple[Any]:
            loss = tf.reduce_mean(log_losses(labels, score(rows, training=True)))
            if isinstance(score, CompanionNetwork) and score.cctl.enhancement:
                contrast = score.contrast(rows, tf.ones_like(labels))
                loss += score.cctl.enhancement * contrast
            return (loss,)

        def step(rows: Mapping[str, Any], labels: Any) -> None:
            parts = ((optimizer, variables), (helpers, beside))
            take_step(lambda: loss_of(rows, labels), *parts, rows=tf.shape(labels)[0])

        rows_spec, labels_spec, _ = batch_signature(table)
        self._step = tf.function(
            step, input_signature=(rows_spec, labels_spec), autograph=False
        )
        self._sums = [self._sums_of(i, rows_spec) for i in range(len(self._norms))]
        requested = {name: rows_spec[name] for name in table.of_target().columns}
        logits = self._network.serving_form().logits
        self._served = tf.function(
            logits,
            input_signature=(rows_spec if settings is None else requested,),
            autograph=False,
        )
        states = [*optimizer_state(optimizer).values(), *helpers.variables]
        self._slots = [(slot, slot.numpy()) for slot in states]
        self._weights = [(one, one.numpy()) for one in self._network.variables]

    @property
    def _norms(self) -> list[Any]:
        ((stack,),) = [stage for stage in self._network.stages[:1]]
        return list(stack.norms)

    def _sums_of(self, index: int, rows_spec: Any) -> Any:
        """Returns the traced moments of the input of a BatchNorm layer."""
        ((stack,),) = self._network.stages[:1]

        def moments(rows: Mapping[str, Any]) -> Any:
            with stack.watching() as read:
                self._network(rows, training=False)
            return tf.nn.moments(read[index], axes=[0])

        return tf.function(moments, input_signature=(rows_spec,), autograph=False)

    def run(self, world: World, seed: int) -> dict[str, float]:
        """Trains with a seed; returns the metrics of what is served on `judged`."""
        rng = np.random.default_rng(seed)
        for slot, value in self._slots:
            slot.assign(value)
        for variable, value in self._weights:
            variable.assign(rng.permutation(value.ravel()).reshape(value.shape))
        parts = [world.target, *([world.source] if self._source else [])]
        rates = [float(part.columns["label"].mean()) for part in parts]
        self._network.set_base_rate(rates[0])
        self._network.set_domain_rates(
            dict(zip((TARGET, SOURCE), rates, strict=False)), continues=False
        )
        names = list(self._network.features.columns)
        for chosen in _orders(world, rng):
            rows = [part.where(of) for part, of in zip(parts, chosen, strict=False)]
            self._step(*_tensors(rows, names))
        # Exact statistics, layer by layer, of the mixture that was trained on.
        sample, _ = _tensors(
            [
                part.where(rng.random(len(part)) < min(1, _SAMPLE / len(world.source)))
                for part in parts
            ],
            names,
        )
        for norm, sums in zip(self._norms, self._sums, strict=True):
            mean, variance = sums(sample)
            norm.moving_mean.assign(mean)
            norm.moving_variance.assign(variance)
        served = self._served.input_signature[0]
        judged, _ = _tensors([world.judged], list(served))
        scores = tf.sigmoid(self._served(judged)).numpy().astype(np.float64)
        columns = world.judged.columns
        return metrics_of(columns["user_id"], scores, columns["label"])


def _orders(world: World, rng: np.random.Generator) -> Iterator[tuple[Any, Any]]:
    """Yields each step's target and source impressions, at the ratio of all."""
    number = (len(world.target) + len(world.source)) // _BATCH
    for _ in range(_EPOCHS):
        yield from zip(
            *(
                np.array_split(rng.permutation(len(part)), number)
                for part in (world.target, world.source)
            ),
            strict=True,
        )


def _tensors(parts: list[Rows], names: list[str]) -> tuple[dict[str, Any], Any]:
    """Returns encoded features by column, and labels, of the rows of all parts."""

    def joined(name: str) -> Any:
        return np.concatenate([part.columns[name] for part in parts])

    labels = joined("label").astype(np.float32)
    return {name: tf.constant(joined(name)) for name in names}, tf.constant(labels)
