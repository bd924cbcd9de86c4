"""A planted effect of a price: the share of the oracle's gap that a network closes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
import tf_keras as keras

from models.features.feature import Feature
from models.features.number_statistics import NumberStatistics
from models.features.number_statistics import choose_boundaries
from models.features.numeric import NumericKind
from models.features.registry import KINDS
from models.features.table import FeatureTable
from models.networks.backbone import Backbone
from models.settings import NetworkConfig
from models.settings import TrainingConfig
from models.training.optimizers import build_optimizer
from models.training.steps import make_train_span

FEATURES = FeatureTable(
    features=(
        Feature(name="discount", kind="rate"),
        Feature(name="price", kind="number"),
    ),
    vocabularies={},
)
TRAINED, JUDGED = 20_000, 20_000
Floats = npt.NDArray[np.float64]


def _frozen(numbers: Floats) -> NumberStatistics:
    """Returns the statistics of a first block, in NumPy."""
    quantiles = np.quantile(numbers, np.linspace(0, 1, 1001)[1:-1])
    boundaries, shares = choose_boundaries(quantiles, 16)
    return NumberStatistics(
        boundaries=tuple(boundaries),
        shares=tuple(shares),
        mean=(float(numbers.mean()),),
        deviation=(float(numbers.std()),),
    )


def _encoded(name: str, numbers: Floats) -> dict[str, Any]:
    kind = KINDS[FEATURES[name].kind]
    assert isinstance(kind, NumericKind)
    rows, values = kind.encoded(tf.constant(numbers), _frozen(numbers[:TRAINED]))
    return {name: rows.numpy(), f"{name}/value": values.numpy()}


def _equal_width(name: str, numbers: Floats) -> dict[str, Any]:
    """Returns 16 buckets of equal width without a value, which is what was before."""
    top = numbers[:TRAINED].max()
    bucket = np.minimum((numbers - numbers.min()) / top * 16, 15).astype(np.int64)
    return {name: bucket + 2, f"{name}/value": np.zeros(len(numbers), np.float32)}


def _log_loss(probability: Floats, labels: Floats) -> float:
    likelihood = np.where(labels == 1, probability, 1 - probability)
    return float(-np.log(likelihood).mean())


def _trained(columns: dict[str, Any], labels: Floats) -> Floats:
    keras.utils.set_random_seed(3)
    sizes = NetworkConfig(width=4, hidden_units=(16,), cross_layers=1, dropout=0.0)
    network = Backbone(FEATURES, sizes)
    network.set_base_rate(labels[:TRAINED].mean())
    step = make_train_span(network, build_optimizer(network, TrainingConfig()), 64)
    for _ in range(2):
        train = {name: tf.constant(c[:TRAINED]) for name, c in columns.items()}
        step(train, tf.constant(labels[:TRAINED], tf.float32))
    judged = {name: tf.constant(c[TRAINED:]) for name, c in columns.items()}
    return np.asarray(tf.sigmoid(network(judged)), np.float64)


@pytest.mark.slow
def test_numbers_close_more_of_the_oracles_gap_than_buckets_of_equal_width() -> None:
    rng = np.random.default_rng(0)
    rows = TRAINED + JUDGED
    # As of real logs: nearly all discounts lie below 1/16, prices have a long tail.
    discount = np.minimum(rng.beta(1, 40, rows), 1.0)
    price = rng.lognormal(2, 1, rows) - 5
    logit = -1 + 30 * (discount - 0.025) - 0.8 * np.log(price + 5.1) + 1.6
    oracle = 1 / (1 + np.exp(-logit))
    labels = (rng.random(rows) < oracle).astype(np.float64)
    numbers = {"discount": discount, "price": price}
    judged = labels[TRAINED:]
    constant = _log_loss(np.full(JUDGED, labels[:TRAINED].mean()), judged)
    gap = constant - _log_loss(oracle[TRAINED:], judged)
    shares = {}
    for encode in (_encoded, _equal_width):
        columns: dict[str, Any] = {}
        for name, values in numbers.items():
            columns |= encode(name, values)
        predicted = _trained(columns, labels)
        shares[encode] = (constant - _log_loss(predicted, judged)) / gap
    assert shares[_encoded] > 0.9
    assert shares[_encoded] > shares[_equal_width] + 0.2
