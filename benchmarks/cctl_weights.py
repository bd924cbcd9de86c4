"""Weights of CCTL from the gain alone: `python -m benchmarks.cctl_weights`.

Three worlds by seed, of 15,000 target impressions and four sources of 30,000: `mixed`
has a source with shuffled labels in four of twelve segments, one with shuffled labels,
one with permuted user and item ids, and one with permuted users in a bucket of four (as
`ID_BUCKETS`: other divisions of ids are not found); in `clean` nothing is changed; in
`bad` the labels of all four are shuffled. Weights are those before the first step, no
tower is trained. Nothing of what was changed is shown to the learner.

Criteria are those of `criteria.yaml`, key `cctl_weights`, of means over the seeds: AUC
by which weights tell changed impressions from all unchanged ones of `mixed`, the ratio
of their mean weights, and the mean weights of `clean` and `bad`.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.criteria import CRITERIA
from benchmarks.simulated_rows import Rows
from benchmarks.simulated_rows import draw
from models.data.batches import Batch
from models.data.mixing import join
from models.features.table import FeatureTable
from pipeline.datasets.simulation.settings import SimulationConfig
from pipeline.datasets.simulation.settings import plan_domains

SOURCES = ("segments", "shuffled", "ids", "bucket")
WORLDS = ("mixed", "clean", "bad")
_USERS, _ITEMS, _DAYS, _TRAINED_DAYS = 1_000, 300, 20, 15
_TARGET_ROWS, _SOURCE_ROWS, _DRAWN_A_DAY = 15_000, 30_000, 4_000
_OVERLAP = {"user_overlap": 0.8, "item_overlap": 0.5}
_SEGMENTS = 4
Marks = dict[str, npt.NDArray[np.bool_]]


@dataclasses.dataclass(frozen=True)
class World:
    """Impressions of the target, and of the sources by name."""

    table: FeatureTable
    target: Rows
    judged: Rows
    sources: dict[str, Rows]


def make_world(seed: int) -> World:
    """Draws a world without changes; the target's last days are for evaluation."""
    simulation = SimulationConfig.model_validate(
        {
            "truth": Path(),
            "seed": seed,
            "theta": 30.0,
            "users": _USERS,
            "items": _ITEMS,
            "days": _DAYS,
            "rows_per_day": _SOURCE_ROWS // _TRAINED_DAYS,
            "sparsity": 1,
            **_OVERLAP,
            "domains": {SOURCES[0]: _OVERLAP},
        }
    )
    plans = [
        dataclasses.replace(
            plan,
            users=_USERS,
            items=_ITEMS,
            rows_per_day=_DRAWN_A_DAY if plan.is_target else plan.rows_per_day,
        )
        for plan in plan_domains(simulation, SOURCES, "ads")
    ]
    table, rows = draw(plans, seed, _DAYS)
    target = rows.pop("ads")
    past = target.columns["day"] < _TRAINED_DAYS
    share = _TARGET_ROWS / (_DRAWN_A_DAY * _TRAINED_DAYS)
    kept = np.random.default_rng(seed).random(len(target)) < share
    return World(
        table,
        target.where(past & kept),
        target.where(~past),
        {
            name: one.where(one.columns["day"] < _TRAINED_DAYS)
            for name, one in rows.items()
        },
    )


def changed(world: World, kind: str, seed: int) -> tuple[dict[str, Rows], Marks]:
    """Returns a world's sources with changes, and which impressions these are.

    Args:
        world: The world.
        kind: `mixed`, `clean` or `bad`.
        seed: Seed of the changes.
    """
    from models.cctl.derivative import ID_BUCKETS

    rng = np.random.default_rng(seed + 7)
    sources = dict(world.sources)
    marks = {name: np.zeros(len(rows), bool) for name, rows in sources.items()}
    if kind == "bad":
        for name, rows in sources.items():
            sources[name] = shuffled(rows, np.ones(len(rows), bool), rng)
            marks[name][:] = True
    if kind == "mixed":
        segment = sources["segments"].columns["segment"]
        chosen = rng.permutation(np.unique(segment))[:_SEGMENTS]
        marks["segments"] = np.isin(segment, chosen)
        for name in ("shuffled", "ids"):
            marks[name][:] = True
        users = sources["bucket"].columns["user_id"]
        marks["bucket"] = users % ID_BUCKETS == 1
        for name in ("segments", "shuffled"):
            sources[name] = shuffled(sources[name], marks[name], rng)
        for name, columns in (
            ("ids", ("user_id", "item_id")),
            ("bucket", ("user_id",)),
        ):
            for column in columns:
                sources[name] = permuted(sources[name], column, marks[name], rng)
    return sources, marks


def weights_of(
    world: World, sources: Mapping[str, Rows], seed: int, **settings: Any
) -> dict[str, npt.NDArray[np.float32]]:
    """Returns the weights before the first step, by source."""
    import tensorflow as tf
    import tf_keras as keras

    from models.cctl.measurement import Measurement
    from models.cctl.network import CompanionNetwork
    from models.settings import CctlConfig
    from models.settings import NetworkConfig
    from models.settings import TrainingConfig

    keras.utils.set_random_seed(seed)
    network = CompanionNetwork(
        world.table,
        NetworkConfig(width=8, hidden_units=(32, 16)),
        CctlConfig.model_validate(settings),
        tuple(sources),
        {name: int(rows.columns["domain"][0]) for name, rows in sources.items()},
    )
    network.set_base_rate(float(world.target.columns["label"].mean()))
    measurement = Measurement(network, TrainingConfig(epochs=2, seed=seed))
    batches = {name: _batch(world, rows) for name, rows in sources.items()}
    sample = _shuffle(join(list(batches.values())), seed)
    reader: Any = _InMemory(_batch(world, world.target))
    measurement.measure(reader, sample)
    found = {}
    for index, (name, batch) in enumerate(batches.items()):
        rows = {column: tf.constant(values) for column, values in batch.rows.items()}
        source = tf.fill([len(batch.labels)], index)
        found[name] = network.row_weights(rows, source).numpy()
    return found


def numbers_of(seed: int, **settings: Any) -> dict[str, float]:
    """Returns AUC and ratio by change, and mean weights by world, of a seed."""
    from sklearn.metrics import roc_auc_score

    world = make_world(seed)
    found: dict[str, float] = {}
    for kind in WORLDS:
        sources, marks = changed(world, kind, seed)
        by_source = weights_of(world, sources, seed, **settings)
        weights = np.concatenate(list(by_source.values()))
        if kind != "mixed":
            found[kind] = float(weights.mean())
            continue
        good = weights[~np.concatenate(list(marks.values()))]
        found["unchanged"] = float(good.mean())
        for name, mark in marks.items():
            bad = by_source[name][mark]
            is_good = np.r_[np.ones(len(good)), np.zeros(len(bad))]
            found[f"{name}_auc"] = float(roc_auc_score(is_good, np.r_[good, bad]))
            found[f"{name}_ratio"] = float(bad.mean() / good.mean())
    return found


def checks(numbers: list[dict[str, float]]) -> dict[str, bool]:
    """Returns which criteria hold."""
    criteria = CRITERIA.cctl_weights

    def mean(key: str) -> float:
        return statistics.fmean(found[key] for found in numbers)

    held = {
        name: mean(f"{name}_auc") >= criteria.least_auc
        and mean(f"{name}_ratio") <= criteria.most_ratio
        for name in SOURCES
    }
    return {
        **held,
        "clean": mean("clean") >= criteria.least_clean,
        "bad": mean("bad") <= criteria.most_bad,
    }


class _InMemory:
    """Reader of impressions in memory, for the reference."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch

    def prefetched(
        self, *, batch_size: int, shuffle_rows: int, seed: int, span: int
    ) -> Iterator[Batch]:
        """Yields shuffled spans; all impressions are in the buffer."""
        del shuffle_rows
        whole = _shuffle(self._batch, seed)
        for start in range(0, len(whole.labels), batch_size * span):
            yield _chosen(whole, slice(start, start + batch_size * span))


def _batch(world: World, rows: Rows) -> Batch:
    columns = {name: rows.columns[name] for name in world.table.columns}
    return Batch(columns, rows.columns["label"].astype(np.float32), rows.columns["day"])


def _shuffle(batch: Batch, seed: int) -> Batch:
    return _chosen(batch, np.random.default_rng(seed).permutation(len(batch.labels)))


def _chosen(batch: Batch, which: Any) -> Batch:
    rows = {name: values[which] for name, values in batch.rows.items()}
    return Batch(rows, batch.labels[which], batch.days[which])


def shuffled(
    rows: Rows, which: npt.NDArray[np.bool_], rng: np.random.Generator
) -> Rows:
    """Returns impressions of which the chosen ones have shuffled labels."""
    labels = rows.columns["label"].copy()
    labels[which] = rng.permutation(labels[which])
    return rows.relabelled(labels)


def permuted(
    rows: Rows, column: str, which: npt.NDArray[np.bool_], rng: np.random.Generator
) -> Rows:
    """Returns impressions of which the chosen ones have permuted ids of a column."""
    values = rows.columns[column].copy()
    ids = np.unique(values[which])
    other = np.arange(values.max() + 1)
    other[ids] = rng.permutation(ids)
    values[which] = other[values[which]]
    return dataclasses.replace(rows, columns={**rows.columns, column: values})


def main() -> None:
    """Prints the numbers by seed, their means, and the criteria."""
    parser = argparse.ArgumentParser(description="Weights of CCTL from the gain.")
    parser.add_argument("--first", type=int, required=True, help="the first seed")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--prior", choices=("none", "agreement"), default="none")
    arguments = parser.parse_args()
    numbers = []
    for seed in range(arguments.first, arguments.first + arguments.seeds):
        numbers.append(numbers_of(seed, prior=arguments.prior))
        print(seed, json.dumps(numbers[-1]), flush=True)
    for key in numbers[0]:
        values = [found[key] for found in numbers]
        print(
            f"| {key} | {statistics.fmean(values):.3f} | {min(values):.3f} | "
            f"{max(values):.3f} |"
        )
    for name, holds in checks(numbers).items():
        print(f"{name:<12} {'yes' if holds else 'NO'}")


if __name__ == "__main__":
    main()
