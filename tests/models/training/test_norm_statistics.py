"""BatchNorm statistics of the trained network, counted after training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from models.data.batches import ExampleReader
from models.features.table import FeatureTable
from models.networks.backbone import Backbone
from models.settings import NetworkConfig
from models.training.norm_statistics import count_statistics


@pytest.fixture
def rows_and_reader(
    features: FeatureTable,
    make_rows: Callable[..., dict[str, Any]],
    write_shard: Callable[..., Path],
) -> tuple[dict[str, Any], ExampleReader]:
    """30 rows, and a reader of the shard that holds them."""
    rows = make_rows(30)
    shard = write_shard({**rows, "label": np.arange(30) % 2, "day": np.full(30, 5)})
    return rows, ExampleReader([str(shard)], features, 5, 5)


def test_statistics_are_those_of_the_rows_without_dropout(
    features: FeatureTable, rows_and_reader: tuple[dict[str, Any], ExampleReader]
) -> None:
    rows, reader = rows_and_reader
    config = NetworkConfig(width=3, hidden_units=(4, 2), cross_layers=0, dropout=0.9)
    network = Backbone(features, config)
    count_statistics(network, reader, seed=1)

    # By hand: embeddings and numbers -> dense -> normalise -> relu -> dense.
    inputs = {name: tf.constant(v) for name, v in rows.items()}
    named = {k: v.numpy() for k, v in network.named_variables().items()}
    embedded = [vector.numpy() for vector in network.embedding(inputs).values()]
    numbers = [part.numpy() for part in network.numbers(inputs)]
    first = np.concatenate([*embedded, *numbers], 1) @ named["hidden_0/kernel"]
    _expect_moments(named, "hidden_0_norm", first)
    scale = np.sqrt(first.var(0) + network.mlp.norms[0].epsilon)
    second = np.maximum((first - first.mean(0)) / scale, 0) @ named["hidden_1/kernel"]
    _expect_moments(named, "hidden_1_norm", second)


def _expect_moments(named: dict[str, Any], norm: str, values: Any) -> None:
    mean, variance = named[f"{norm}/moving_mean"], named[f"{norm}/moving_variance"]
    np.testing.assert_allclose(mean, values.mean(0), rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(variance, values.var(0), rtol=1e-4, atol=1e-10)


def test_counting_stops_once_there_are_rows_enough(
    features: FeatureTable,
    rows_and_reader: tuple[dict[str, Any], ExampleReader],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, reader = rows_and_reader
    monkeypatch.setattr("models.training.norm_statistics._BATCH_ROWS", 5)
    network = Backbone(features, NetworkConfig(width=3, hidden_units=(4,)))
    taken = []
    batches = reader.batches

    def counted(**options: Any) -> Any:
        for batch in batches(**options):
            taken.append(len(batch.labels))
            yield batch

    monkeypatch.setattr(reader, "batches", counted)
    count_statistics(network, reader, seed=1, max_rows=8)
    assert taken == [5, 5]


def test_a_network_without_batch_norm_reads_nothing(
    features: FeatureTable,
) -> None:
    from models.networks.tpm import TinyModel

    reader = ExampleReader([], features, 0, 0)
    network = TinyModel(features, NetworkConfig(width=3))
    before = {k: v.numpy() for k, v in network.named_variables().items()}
    count_statistics(network, reader, seed=1)
    for name, value in network.named_variables().items():
        np.testing.assert_array_equal(value.numpy(), before[name])
