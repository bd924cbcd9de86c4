"""Training: a step learns, touches its own rows only, and stops at NaN."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from models.backbone import Backbone
from models.batches import ExampleReader
from models.errors import TrainingError
from models.features import FeatureTable
from models.network import Network
from models.optimizers import build_optimizer
from models.settings import NetworkConfig
from models.settings import TrainingConfig
from models.steps import make_train_step
from models.training import fit

NETWORK = NetworkConfig(width=3, hidden_units=(4,), dropout=0.0)
TRAINING = TrainingConfig(batch_size=8, epochs=2)

MakeRows = Callable[..., dict[str, Any]]


@pytest.fixture
def network(features: FeatureTable) -> Network:
    keras.utils.set_random_seed(5)
    return Backbone(features, NETWORK)


def _reader(
    write_shard: Callable[..., Path], rows: dict[str, Any], features: FeatureTable
) -> ExampleReader:
    num_rows = len(rows["user_id"])
    columns = {**rows, "label": np.arange(num_rows) % 2, "day": np.full(num_rows, 9)}
    return ExampleReader([str(write_shard(columns))], features, 0, 10)


def test_steps_lower_the_loss(network: Network, make_rows: MakeRows) -> None:
    step = make_train_step(network, build_optimizer(network, TRAINING))
    rows, labels = make_rows(32), np.arange(32, dtype=np.float32) % 2
    losses = [float(step(rows, labels)) for _ in range(100)]
    assert losses[-1] < 0.5 * losses[0]


def test_untouched_rows_and_slots_keep_every_bit(
    network: Network, make_rows: MakeRows
) -> None:
    optimizer = build_optimizer(network, TRAINING)
    step = make_train_step(network, optimizer)
    rows = {**make_rows(4), "user_id": np.array([4, 4, 6, 4])}
    table = network.named_variables()["embedding/user/table"]
    (slot,) = [
        variable
        for variable in optimizer.optimizers[0].variables
        if variable.shape == table.shape
    ]
    before = [variable.numpy() for variable in (table, slot)]
    for _ in range(3):
        step(rows, np.array([1, 0, 1, 1], np.float32))
    others = np.delete(np.arange(len(before[0])), [4, 6])
    for old, variable in zip(before, (table, slot), strict=True):
        new = variable.numpy()
        np.testing.assert_array_equal(new[others], old[others])
        assert (new[[4, 6]] != old[[4, 6]]).all()


def test_traced_step_never_reads_or_writes_a_whole_table(network: Network) -> None:
    optimizer = build_optimizer(network, TRAINING)
    graph = make_train_step(network, optimizer).get_concrete_function().graph
    slots = optimizer.optimizers[0].variables
    big = [*network.embedding_variables, *(v for v in slots if v.shape.rank == 2)]
    assert len(big) == 2 * len(network.embedding_variables)
    handles = {id(variable.handle) for variable in big}
    inner = [into for outer, into in graph.captures if id(outer) in handles]
    assert len(inner) == len(big)
    consumers = {op.type for tensor in inner for op in tensor.consumers()}
    assert consumers <= {"ResourceGather", "ResourceScatterAdd", "VariableShape"}


def test_fit_reports_rows_and_losses(
    network: Network,
    features: FeatureTable,
    make_rows: MakeRows,
    write_shard: Callable[..., Path],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    reader = _reader(write_shard, make_rows(20), features)
    with caplog.at_level(logging.INFO, "crossctr.progress"):
        result = fit(
            network, reader, TRAINING, rows_by_day={9: 20}, run_dir=tmp_path / "logs"
        )
    assert result.rows == 20
    assert result.steps == 2 * 3
    assert len(result.losses) == 2
    assert np.isfinite(result.losses).all()
    assert [record.message.split(" rows/s")[0][:22] for record in caplog.records] == [
        "epoch 1/2 · 20 rows · ",
        "epoch 2/2 · 20 rows · ",
    ]
    (events,) = (tmp_path / "logs").iterdir()
    tags = {
        value.tag
        for event in tf.compat.v1.train.summary_iterator(str(events))
        for value in event.summary.value
    }
    assert tags == {
        "batch_loss",
        "learning_rate_factor",
        "epoch_loss",
        "rows_per_second",
        "step_milliseconds",
    }


def test_nan_names_step_and_days(
    network: Network,
    features: FeatureTable,
    make_rows: MakeRows,
    write_shard: Callable[..., Path],
    tmp_path: Path,
) -> None:
    network.named_variables()["logit/bias"].assign([np.nan])
    reader = _reader(write_shard, make_rows(4), features)
    with pytest.raises(
        TrainingError, match=r"became nan at step 0 of epoch 1.* 1970-01-10\.\."
    ):
        fit(network, reader, TRAINING, rows_by_day={9: 4}, run_dir=tmp_path / "logs")


def test_a_window_of_one_row_trains(
    network: Network,
    features: FeatureTable,
    make_rows: MakeRows,
    write_shard: Callable[..., Path],
    tmp_path: Path,
) -> None:
    reader = _reader(write_shard, make_rows(1), features)
    result = fit(
        network, reader, TRAINING, rows_by_day={9: 1}, run_dir=tmp_path / "logs"
    )
    assert result.steps == 2
    assert np.isfinite(network(make_rows(3))).all()
