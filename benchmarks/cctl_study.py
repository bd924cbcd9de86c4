"""Trainings of CCTL and its baselines on simulated impressions, for `prove_cctl`."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable
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
from benchmarks.simulated_rows import write
from benchmarks.study_metrics import metrics_of
from models.cctl.learner import CctlLearner
from models.cctl.network import CompanionNetwork
from models.cctl.window import target_share
from models.cctl.window import with_ratio_of
from models.data.batches import Batch
from models.data.batches import ExampleReader
from models.data.mixing import MixedRows
from models.features.table import FeatureTable
from models.networks.backbone import Backbone
from models.settings import CctlConfig
from models.settings import NetworkConfig
from models.settings import TrainingConfig
from models.training.epochs import TrainingResult
from models.training.loop import fit
from models.training.norm_statistics import count_statistics
from pipeline.datasets.simulation.settings import SimulationConfig
from pipeline.datasets.simulation.settings import plan_domains

# `few` users and items: the target alone is enough to learn their taste, so that a
# harmful source lowers the metrics visibly. `many`, as in real logs: agreement is no
# longer measured on the handful of items that the target shows.
_WORLDS = {
    "few": {"rows_per_day": 8_000, "users": 600, "items": 200},
    "many": {"rows_per_day": 4_000, "users": 3_000, "items": 1_000},
}
_WORLD = {"days": 30, "sparsity": 10}
TEST_DAYS = 5
_NETWORK = NetworkConfig(width=8, hidden_units=(32, 16))
_BATCH, _EPOCHS = 512, 2
_SCORED_ROWS = 8_192
# Domain of a source that is made of another domain's impressions.
_COPY = 5


@dataclass(frozen=True)
class World:
    """A simulated world, split by day into training and evaluation impressions.

    Attributes:
        table: The features.
        target: Training impressions of the target.
        judged: Evaluation impressions of the target: the last days.
        source: Impressions of the source on the same days as `target`.
    """

    table: FeatureTable
    target: Rows
    judged: Rows
    source: Rows

    def with_noise(self, seed: int) -> dict[str, Rows]:
        """Returns half of the source unchanged and half with shuffled labels."""
        rng = np.random.default_rng(seed)
        half = rng.random(len(self.source)) < 0.5
        noisy = self.source.where(~half)
        shuffled = rng.permutation(noisy.columns["label"])
        return {
            "clean": self.source.where(half),
            "noisy": noisy.relabelled(shuffled, domain=_COPY),
        }

    def with_copy(self) -> dict[str, Rows]:
        """Returns the target's own impressions as a source."""
        return {"copy": self.target.relabelled(self.target.columns["label"], _COPY)}


def make_world(
    seed: int,
    *,
    theta: float = 30.0,
    poison: float = 0.0,
    size: str = "few",
    **changes: int,
) -> World:
    """Draws a world; the target's impressions depend on the seed.

    Args:
        seed: Seed of the world.
        theta: Degrees between the taste of the source and of the target.
        poison: Share of the source's impressions with an accidental label.
        size: `few` or `many` users and items.
        **changes: Other settings of the simulation.
    """
    knobs = {"truth": Path(), "seed": seed, "theta": theta, "poison": poison, **changes}
    simulation = SimulationConfig.model_validate({**_WORLD, **_WORLDS[size], **knobs})
    days = simulation.num_days
    table, rows = draw(plan_domains(simulation, ("feeds",), "ads"), seed, days)
    ads, feeds = rows["ads"], rows["feeds"]
    last = days - TEST_DAYS
    return World(
        table,
        target=ads.where(ads.columns["day"] < last),
        judged=ads.where(ads.columns["day"] >= last),
        source=feeds.where(feeds.columns["day"] < last),
    )


@dataclass(frozen=True)
class Trained:
    """Result of a training.

    Attributes:
        metrics: `auc`, `gauc` and `log_loss` of the served form on the evaluation
            impressions.
        passes: CPU seconds of each pass over the target's impressions.
        measuring: CPU seconds before the first step, spent on CCTL's reference model;
            0 if not timed.
        weights: By source, the final weight of each impression; empty without CCTL.
        saw: Content of the `CctlRecord`; empty without CCTL.
    """

    metrics: dict[str, float]
    passes: tuple[float, ...]
    measuring: float
    weights: dict[str, npt.NDArray[np.float32]]
    saw: dict[str, Any]


def train_plain(
    world: World,
    parts: Mapping[str, Rows],
    seed: int,
    *,
    batch: int = _BATCH,
    epochs: int = _EPOCHS,
) -> Trained:
    """Trains the backbone on the impressions of all `parts`, mixed."""
    keras.utils.set_random_seed(seed)
    with tempfile.TemporaryDirectory(prefix="crossctr-") as name:
        folder = Path(name)
        reader = written(world, parts, folder)
        window = reader.summarise()
        network = Backbone(world.table, _NETWORK)
        network.set_base_rate(window.num_clicks / window.num_rows)
        result = fit(
            network,
            reader,
            TrainingConfig(batch_size=batch, epochs=epochs, seed=seed),
            rows_by_day=window.rows_by_day,
            run_dir=folder / "logs",
        )
        count_statistics(network, reader, seed=seed)
    return Trained(_metrics(network, world), _passes(result), 0.0, {}, {})


def train_cctl(
    world: World,
    sources: Mapping[str, Rows],
    seed: int,
    *,
    later: Mapping[str, Rows] | None = None,
    batch: int = _BATCH,
    epochs: int = _EPOCHS,
    timed: bool = False,
    **settings: Any,
) -> Trained:
    """Trains CCTL with `settings` on the impressions of the target and of `sources`.

    With `timed` the measurement before the first step runs twice, and the second run is
    timed.

    Args:
        world: The world.
        sources: Impressions by source.
        seed: Seed of the training.
        later: Impressions of the sources in all passes but the first; the same by
            default.
        batch: Impressions of a step, target and sources together.
        epochs: Passes.
        timed: Whether to time the measurement.
        **settings: Keys of `cctl`.
    """
    keras.utils.set_random_seed(seed)
    sizes = {name: len(rows) for name, rows in sources.items()}
    cctl = with_ratio_of(
        CctlConfig.model_validate(settings), {**sizes, "ads": len(world.target)}, "ads"
    )
    training = target_share(
        TrainingConfig(batch_size=batch, epochs=epochs, seed=seed), cctl
    )
    network = _companion_network(world, sources, cctl)
    learners: list[_Timed] = []
    with tempfile.TemporaryDirectory(prefix="crossctr-") as name:
        folder = Path(name)
        everything = written(world, {**sources, "ads": world.target}, folder)

        def read(domains: Iterable[str]) -> ExampleReader:
            patterns = tuple(str(folder / domain / "*") for domain in domains)
            return ExampleReader(
                patterns, world.table, everything.first_day, everything.last_day
            )

        reader = read(["ads"])
        source_rows: Any = read(sources)
        if later is not None:
            parts = {f"later_{name}": rows for name, rows in later.items()}
            written(world, parts, folder)
            source_rows = _Turning(source_rows, read(parts))

        def make_learner(_search: bool) -> CctlLearner:
            learners.append(_Timed(network, source_rows, training))
            learners[-1].timed = timed
            return learners[-1]

        result = fit(
            network,
            reader,
            training,
            rows_by_day=reader.summarise().rows_by_day,
            run_dir=folder / "logs",
            make_learner=make_learner,
        )
        rows = MixedRows(reader, source_rows, cctl.source_ratio)
        count_statistics(network, rows, seed=seed)
    saw = learners[0].record.numbers()
    weights = {
        name: _weights(network, rows, index)
        for index, (name, rows) in enumerate(sources.items())
        if cctl.estimator == "gain"
    }
    metrics = _metrics(network, world)
    return Trained(metrics, _passes(result), learners[0].measuring, weights, saw)


def _companion_network(
    world: World, sources: Mapping[str, Rows], cctl: CctlConfig
) -> CompanionNetwork:
    """Builds CCTL's network, with the click rates of all domains."""
    domains = {name: int(r.columns["domain"][0]) for name, r in sources.items()}
    network = CompanionNetwork(world.table, _NETWORK, cctl, tuple(sources), domains)
    rates = {
        name: float(rows.columns["label"].mean())
        for name, rows in {**sources, "ads": world.target}.items()
    }
    network.set_base_rate(rates["ads"])
    network.set_domain_rates(rates, continues=False)
    return network


def _passes(result: TrainingResult) -> tuple[float, ...]:
    return tuple(result.rows / rate for rate in result.cpu_rates)


class _Turning:
    """Reader of impressions that change after the first pass."""

    def __init__(self, first: ExampleReader, later: ExampleReader) -> None:
        self._first, self._later = first, later

    def between(self, first_day: int, last_day: int) -> _Turning:
        """Returns the reader of some days."""
        return _Turning(
            self._first.between(first_day, last_day),
            self._later.between(first_day, last_day),
        )

    def prefetched(self, *, epoch: int = 0, **how: Any) -> Iterator[Batch]:
        """Yields the batches of a pass."""
        reader = self._later if epoch else self._first
        return reader.prefetched(epoch=epoch, **how)


class _Timed(CctlLearner):
    """CCTL learner that can begin twice and time the second beginning.

    TensorFlow optimizes its traced functions during the first.
    """

    timed = False
    measuring = 0.0

    def begin(self, reader: ExampleReader, num_rows: int) -> None:
        super().begin(reader, num_rows)
        if not self.timed:
            return
        for sums in (
            self._network.sums.sums,
            *self._network.gain_weights.sums.values(),
        ):
            sums.assign(tf.zeros_like(sums))
        started = time.process_time()
        super().begin(reader, num_rows)
        self.measuring = time.process_time() - started


def _weights(
    network: CompanionNetwork, rows: Rows, source: int
) -> npt.NDArray[np.float32]:
    inputs = {
        name: tf.constant(rows.columns[name]) for name in network.features.columns
    }
    weights: npt.NDArray[np.float32] = network.row_weights(
        inputs, tf.fill([len(rows)], source)
    ).numpy()
    return weights


def written(world: World, parts: Mapping[str, Rows], folder: Path) -> ExampleReader:
    """Writes impressions by part below `folder`; returns a reader of all parts."""
    for name, rows in parts.items():
        write(rows, folder / name / "part-0.parquet")
    days = world.target.columns["day"]
    patterns = tuple(str(folder / name / "*") for name in parts)
    return ExampleReader(patterns, world.table, int(days.min()), int(days.max()))


def _metrics(network: Any, world: World) -> dict[str, float]:
    rows = world.judged
    names = list(world.table.columns)
    served = network.serving_form()
    scores = np.concatenate(
        [
            tf.sigmoid(
                served.logits(
                    {
                        name: tf.constant(rows.columns[name][at : at + _SCORED_ROWS])
                        for name in names
                    }
                )
            ).numpy()
            for at in range(0, len(rows), _SCORED_ROWS)
        ]
    ).astype(np.float64)
    return metrics_of(rows.columns["user_id"], scores, rows.columns["label"])
