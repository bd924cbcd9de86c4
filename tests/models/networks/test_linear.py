"""Linear network: what scikit-learn finds, and its first prediction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from sklearn.linear_model import LogisticRegression

from models.features.table import FeatureTable
from models.networks.linear import LinearNetwork
from models.settings import TrainingConfig
from models.training.optimizers import build_optimizer
from models.training.steps import make_train_span

MakeRows = Callable[..., dict[str, Any]]


def one_hot(features: FeatureTable, rows: dict[str, Any]) -> Any:
    """Returns the columns that the linear network has weights for."""
    parts = []
    for feature in features.features:
        ids = rows[feature.name].reshape(len(rows["user_id"]), -1)
        hot = np.eye(features.num_rows(feature.table))[ids]  # (N, L, rows)
        present = (
            (ids != 0)[..., None] if feature.is_list else np.ones_like(ids)[..., None]
        )
        parts.append((hot * present).sum(1) / np.maximum(present.sum(1), 1))
    values = [rows[f"{f.name}/value"] for f in features.with_values]
    values += [rows[f.name] == 1 for f in features.with_values]
    numbers = np.stack(values, axis=1)  # (N, numbers)
    domains = np.eye(features.num_rows("domain"))[rows["domain"]]  # (N, domains)
    by_domain = (domains[:, :, None] * numbers[:, None]).reshape(len(numbers), -1)
    parts += [numbers, by_domain]
    return np.concatenate(parts, axis=1)


@pytest.mark.slow
def test_it_learns_what_logistic_regression_does(
    features: FeatureTable, make_rows: MakeRows
) -> None:
    rows = make_rows(4_000)
    score = rows["item_impressions"] + (rows["user_id"] % 3) - 4.5
    chance = np.random.default_rng(2).random(4_000)
    labels = (chance < 1 / (1 + np.exp(-score))).astype(np.float32)
    network = LinearNetwork(features)
    network.set_base_rate(float(labels.mean()))
    training = TrainingConfig(wide_learning_rate=0.1, wide_l2=0.5)
    span = make_train_span(network, build_optimizer(network, training), 64)
    for _ in range(5):
        span(rows, labels)

    columns = one_hot(features, rows)
    reference = LogisticRegression(C=1.0, solver="newton-cg")
    expected = reference.fit(columns, labels).predict_proba(columns)[:, 1]
    found = tf.sigmoid(network(rows)).numpy()
    assert np.abs(expected - labels.mean()).max() > 0.3
    assert np.abs(found - expected).mean() < 0.03
    assert np.corrcoef(found, expected)[0, 1] > 0.99


def test_the_first_prediction_is_the_base_rate(
    features: FeatureTable, make_rows: MakeRows
) -> None:
    network = LinearNetwork(features)
    network.set_base_rate(0.13)
    scores = tf.sigmoid(network(make_rows(9))).numpy()
    np.testing.assert_allclose(scores, np.full(9, 0.13), rtol=1e-5)


def test_it_has_weights_and_a_bias_alone(features: FeatureTable) -> None:
    network = LinearNetwork(features)
    assert set(network.named_variables()) == {
        *(f"wide/{feature.name}/weight" for feature in features.features),
        "wide/numbers/kernel",
        "wide/numbers_by_domain/table",
        "logit/bias",
    }
    assert network.embedding_variables == []
    assert [tuple(v.shape) for v in network.dense_variables] == [(1,)]
