"""Serving forms of all networks: one row for features shared by the candidates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from models.cctl.network import CompanionNetwork
from models.ctnet.network import Ctnet
from models.ctnet.settings import CtnetConfig
from models.data.snapshots import SnapshotTables
from models.features.table import FeatureTable
from models.layers.embedding_tables import side_by_side
from models.networks.backbone import Backbone
from models.settings import CctlConfig
from models.settings import NetworkConfig
from models.strategies.base import NetworkContext
from models.strategies.registry import create
from models.training.calibration import Calibrated
from models.training.calibration import Platt

SHAPE = NetworkConfig(width=3, hidden_units=(4, 3), cross_layers=2)
ROWS = {"fr": 3, "de": 4}


def _network(kind: str, features: FeatureTable) -> Any:
    # With unlucky weights no hidden unit is alive and all rows score alike.
    tf.keras.utils.set_random_seed(7)
    rng = np.random.default_rng(7)
    snapshots = {
        space: SnapshotTables(
            rng.normal(size=(features.num_rows(space), 2, 3)).astype(np.float32),
            rng.random((features.num_rows(space), 2)) < 0.5,
        )
        for space in ("user", "item")
    }
    if kind in ("backbone", "calibrated"):
        network: Any = Backbone(features, SHAPE, snapshots)
    elif kind == "ctnet":
        network = Ctnet(features, SHAPE, CtnetConfig(), snapshots)
    elif kind == "cctl":
        network = CompanionNetwork(features, SHAPE, CctlConfig(), ("fr",), ROWS)
    else:
        context = NetworkContext(features, SHAPE, tuple(ROWS), lambda: ROWS, dict)
        network = create(kind, {}).build(context)
    for variable in network.variables:
        if variable.dtype.is_floating:
            variable.assign_add(rng.uniform(0.0, 0.5, variable.shape))
    return Calibrated(network, Platt(0.7, -0.3)) if kind == "calibrated" else network


@pytest.mark.parametrize(
    "kind",
    ["backbone", "calibrated", "ctnet", "cctl", "shared_bottom", "mmoe", "ple", "star"],
)
def test_a_shared_row_scores_as_the_same_row_repeated(
    kind: str, features: FeatureTable, make_rows: Callable[..., dict[str, Any]]
) -> None:
    logits = _network(kind, features).serving_form().logits
    rows = make_rows(5)
    shared = {
        name: rows[name] if f.served_side == "item" else rows[name][:1]
        for f in features.features
        for name in f.columns
    }
    repeated = {
        name: np.broadcast_to(value, (5, *value.shape[1:]))
        for name, value in shared.items()
    }

    def score(inputs: dict[str, Any]) -> Any:
        return logits({key: tf.constant(value) for key, value in inputs.items()})

    ranked = score(shared)
    assert len(set(ranked.numpy().round(6))) > 1
    np.testing.assert_allclose(ranked, score(repeated), atol=1e-6)


def test_side_by_side_repeats_what_is_shared_in_the_order_given() -> None:
    a, b, c = tf.constant([[1.0]]), tf.constant([[2.0, 3.0]]), tf.constant([[8.0]])
    many = tf.constant([[4.0], [5.0]])
    np.testing.assert_array_equal(
        side_by_side([a, b, many, c]), [[1, 2, 3, 4, 8], [1, 2, 3, 5, 8]]
    )
    np.testing.assert_array_equal(side_by_side([a, b]), [[1, 2, 3]])
