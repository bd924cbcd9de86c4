"""Speed of the simulator, and the share of its optimum that can be learned.

    python -m benchmarks.bench_simulator [--rows 10000000]

`make bench-simulator` runs it. Measured are the impressions that `crossctr simulate`
writes per second on one core, and the share of the oracle's AUC above 0.5 that the
backbone reaches with `--rows` target impressions and with those of the preset `daily`.
Both models are evaluated on the impressions of the last week, which neither was trained
on. What the numbers mean: docs/how-to/simulation.md.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import pyarrow as pa
import tensorflow as tf
import tf_keras as keras

from benchmarks.encoded_numbers import NumberEncoder
from components.evaluation.ranking import auc
from components.evaluation.ranking import grouped_auc
from models.data.arrow_files import pq
from models.data.batches import ExampleReader
from models.features.kind import PADDING_ROW
from models.features.table import DAY
from models.features.table import LABEL
from models.networks.backbone import Backbone
from models.settings import TrainingConfig
from models.training.loop import fit
from pipeline.config.load import load_config
from pipeline.config.schema import Config
from pipeline.datasets.simulation.settings import plan_domains
from pipeline.datasets.simulation.world import DomainWorld
from pipeline.datasets.simulation.world import Impressions
from pipeline.datasets.simulation.writer import write_domains
from pipeline.terminal.plain_text import Console
from pipeline.terminal.plain_text import Table

_CONFIG = Path(__file__).parents[1] / "configs" / "feeds_ads.yaml"
_TEST_DAYS = 7
_SPEED_DAYS = 30
_SCORED_ROWS = 65_536


@click.command()
@click.option("--rows", default=10_000_000, show_default=True, help="Impressions.")
@click.option("--epochs", default=1, show_default=True, help="Training epochs.")
@click.option("--seed", default=17, show_default=True, help="Seed of the world.")
def main(rows: int, epochs: int, seed: int) -> None:
    """Measure the simulator's speed and how much of its optimum can be learned."""
    console = Console(width=110)
    config = load_config(_CONFIG)
    with tempfile.TemporaryDirectory(prefix="crossctr-simulator-") as name:
        folder = Path(name)
        speed = _speed(config, seed, folder)
        console.print(
            f"Simulated {speed.rows:,} impressions on one core: {speed.rate:,.0f} per "
            f"second, {speed.cpu_rate:,.0f} per CPU second"
        )
        many, few, oracle = _reach(config, seed, rows, epochs, folder, console)
    table = Table(title=f"Evaluated on {oracle.rows:,} impressions of the last week")
    for column in ("model", "trained on", "AUC", "of the lift", "GAUC", "of the lift"):
        table.add_column(column, justify="left" if column == "model" else "right")
    for title, score in (("oracle", oracle), ("many", many), ("daily preset", few)):
        table.add_row(
            title,
            f"{score.trained:,}" if score.trained else "",
            f"{score.auc:.4f}",
            f"{_lift(score.auc, oracle.auc):.1%}",
            f"{score.gauc:.4f}",
            f"{_lift(score.gauc, oracle.gauc):.1%}",
        )
    console.print(table)
    result = {
        "rows_per_second": round(speed.rate),
        "rows_per_cpu_second": round(speed.cpu_rate),
        "target_rows": many.trained,
        "auc_oracle": round(oracle.auc, 4),
        "lift_share": round(_lift(many.auc, oracle.auc), 3),
        "gauc_lift_share": round(_lift(many.gauc, oracle.gauc), 3),
        "lift_share_daily": round(_lift(few.auc, oracle.auc), 3),
        "gauc_lift_share_daily": round(_lift(few.gauc, oracle.gauc), 3),
        "oracle_on_top": max(many.auc, few.auc) < oracle.auc,
    }
    print(json.dumps(result))


@dataclass(frozen=True)
class _Speed:
    """Impressions written per second, of wall time and of CPU time."""

    rows: int
    rate: float
    cpu_rate: float


@dataclass(frozen=True)
class _Score:
    trained: int
    rows: int
    auc: float
    gauc: float


def _lift(score: float, oracle: float) -> float:
    return (score - 0.5) / (oracle - 0.5)


@contextlib.contextmanager
def _one_core() -> Iterator[None]:
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def _speed(config: Config, seed: int, folder: Path) -> _Speed:
    """Writes logs and true click probabilities of a large source on one core."""
    simulation = _simulation(config).model_copy(update={"rows_per_day": 100_000})
    (plan, _) = plan_domains(simulation, config.sources[:1], config.target)
    with _one_core():
        started, used = time.perf_counter(), time.process_time()
        (report,) = write_domains(
            [plan],
            seed=seed,
            first_day=config.first_day,
            num_days=_SPEED_DAYS,
            logs=folder / "logs",
            truth=folder / "truth",
        )
        seconds = time.perf_counter() - started
        cpu_seconds = time.process_time() - used
    return _Speed(report.rows, report.rows / seconds, report.rows / cpu_seconds)


def _simulation(config: Config) -> Any:
    if config.simulate is None:
        raise click.ClickException(f"{_CONFIG} has no `simulate` section")
    return config.simulate


def _reach(
    config: Config, seed: int, rows: int, epochs: int, folder: Path, console: Console
) -> tuple[_Score, _Score, _Score]:
    """Returns the metrics of both training sizes and of the oracle."""
    simulation = _simulation(config)
    num_days = simulation.num_days
    target = plan_domains(simulation, config.sources, config.target)[-1]
    per_day = round(rows / (num_days - _TEST_DAYS))
    # Users, items and drift do not depend on the number of impressions: the world stays
    # the same.
    busy = DomainWorld(replace(target, rows_per_day=per_day), seed, num_days)
    quiet = DomainWorld(target, seed, num_days)
    encoder = _Encoder(config, busy)
    test = [
        (chunk, day)
        for day in range(num_days - _TEST_DAYS, num_days)
        for chunk in busy.day(day)
    ]
    p, users, labels = (
        np.concatenate([getattr(chunk, name) for chunk, _ in test])
        for name in ("probability", "user", "click")
    )
    scores = [p]
    trainings = [
        (busy, config.training.model_copy(update={"epochs": epochs})),
        (quiet, config.training_of("target")),
    ]
    trained = [0]
    for number, (world, training) in enumerate(trainings):
        shards = folder / f"shards-{number}"
        shards.mkdir()
        total = 0
        for day in range(num_days - _TEST_DAYS):
            total += encoder.write(world, day, shards / f"{day:03}.parquet")
        console.print(f"Training the backbone on {total:,} rows of {target.name} ...")
        started = time.perf_counter()
        network = _train(config, training, shards, folder / "board")
        console.print(f"... took {time.perf_counter() - started:.0f} s")
        scores.append(_scores(network, encoder, test))
        trained.append(total)
    oracle, many, few = (
        _Score(n, len(p), auc(s, labels), grouped_auc(users, s, labels).gauc)
        for n, s in zip(trained, scores, strict=True)
    )
    return many, few, oracle


def _train(
    config: Config, training: TrainingConfig, shards: Path, board: Path
) -> Backbone:
    keras.utils.set_random_seed(training.seed)
    network = Backbone(config.table, config.network)
    reader = ExampleReader([f"{shards}/*"], config.table, 0, 1 << 20)
    summary = reader.summarise()
    network.set_base_rate(summary.num_clicks / summary.num_rows)
    fit(network, reader, training, rows_by_day=summary.rows_by_day, run_dir=board)
    return network


def _scores(
    network: Backbone, encoder: _Encoder, test: list[tuple[Impressions, int]]
) -> Any:
    score = tf.function(lambda rows: tf.sigmoid(network(rows, training=False)))
    return np.concatenate(
        [
            score({n: tf.constant(c[i : i + _SCORED_ROWS]) for n, c in rows.items()})
            for chunk, day in test
            for rows in [encoder.encode(chunk, day)]
            for i in range(0, len(chunk), _SCORED_ROWS)
        ]
    )


class _Encoder:
    """Encoder of impressions to table rows, with the ingest's result.

    An id's position in its vocabulary is its position in the simulated world.
    """

    def __init__(self, config: Config, world: DomainWorld) -> None:
        self._features = config.table
        self._world = world
        self._first = {
            name: space.first_id_row for name, space in config.vocabularies.items()
        }
        numbers = {"refreshes": "count", "item_age_days": "count", "score": "rate"}
        self._numbers = NumberEncoder(numbers, buckets=16)
        users = world.users
        known = np.arange(users.interests.shape[1]) < users.num_interests[:, None]
        rows = users.interests + self._first["category"]
        self._interests = np.where(known, rows, PADDING_ROW).astype(np.int64)

    def encode(self, rows: Impressions, day: int) -> dict[str, Any]:
        """Returns encoded features by column: (N,), or (N, L) for lists."""
        users, items = self._world.users, self._world.items
        ids: dict[str, tuple[str, Any]] = {
            "user_id": ("user", rows.user),
            "item_id": ("item", rows.item),
            "segment": ("segment", users.segment[rows.user]),
            "device": ("device", users.device[rows.user]),
            "category": ("category", items.category[rows.item]),
            "slot": ("slot", rows.slot),
            "hour": ("hour", rows.hour),
            "domain": ("domain", np.zeros(len(rows), np.int64)),
        }
        encoded = {
            name: values.astype(np.int64) + self._first[space]
            for name, (space, values) in ids.items()
        }
        age = day - items.arrival[rows.item]
        numbers = {
            "refreshes": users.refreshes[rows.user],
            "item_age_days": age,
            "score": items.score[rows.item],
        }
        encoded |= self._numbers.encode(numbers)
        return encoded | {"interests": self._interests[rows.user]}

    def write(self, world: DomainWorld, day: int, path: Path) -> int:
        """Writes a day's transformed Examples; returns their number."""
        written = 0
        writer = None
        for chunk in world.day(day):
            columns: dict[str, Any] = self.encode(chunk, day)
            lists = columns["interests"]
            ends = np.arange(0, lists.size + 1, lists.shape[1], dtype=np.int32)
            columns["interests"] = pa.ListArray.from_arrays(ends, lists.ravel())
            columns[LABEL] = chunk.click.astype(np.int64)
            columns[DAY] = np.full(len(chunk), day, np.int64)
            table = pa.table(columns)
            if writer is None:
                writer = pq.ParquetWriter(path, table.schema)
            writer.write_table(table)
            written += len(chunk)
        if writer is not None:
            writer.close()
        return written


if __name__ == "__main__":
    main()
