"""A feature that only sources have: no part of requests, missing to the network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from models.artifact_files import CONTRACT_FILE
from models.features.table import FeatureTable
from models.networks.backbone import Backbone
from models.serving.export import export_saved_model
from models.serving.requests import inputs_of
from models.settings import NetworkConfig

ROW: dict[str, Any] = {
    "user_id": [b"u1"],
    "item_id": [b"i1"],
    "domain": [b"de"],
    "recent_items": [b"i0"],
    "item_impressions": [2],
}


@pytest.mark.slow
def test_the_served_model_asks_for_the_targets_features_alone(
    features: FeatureTable, transform_graph: Path, tmp_path: Path
) -> None:
    rate = features["item_click_rate"].model_copy(update={"domains": ("fr",)})
    others = [f for f in features.features if f.name != rate.name]
    table = features.model_copy(update={"features": (*others, rate), "target": "de"})
    # A network that is trained on the source, too, reads the feature.
    network = Backbone(table, NetworkConfig(width=3, hidden_units=(4,)))
    rng = np.random.default_rng(0)
    for variable in network.trainable_variables:
        variable.assign(rng.normal(scale=0.3, size=variable.shape))
    export_saved_model(network, transform_graph, tmp_path / "model")
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    for name in ("predict", "rank"):
        inputs = loaded.signatures[name].structured_input_signature[1]
        assert set(inputs) == {feature.name for feature in others}
    contract = json.loads((tmp_path / "model" / CONTRACT_FILE).read_text())
    assert rate.name not in contract["signatures"]["predict"]["inputs"]
    encoded = loaded.signatures["transform_features"](
        tf.constant(inputs_of("transform_features", table, [ROW])["examples"])
    )
    assert encoded[rate.name].numpy().tolist() == [1]  # missing
    expected = tf.sigmoid(network(encoded)).numpy()
    for name in ("predict", "rank", "serving_default"):
        request = inputs_of(name, table, [ROW])
        tensors = {key: tf.constant(value) for key, value in request.items()}
        found = loaded.signatures[name](**tensors)["ctr"].numpy()
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    # An Example that has the feature all the same is scored as one without.
    example = tf.train.Example.FromString(
        inputs_of("serving_default", features, [{**ROW, rate.name: [0.5]}])["examples"][
            0
        ]
    )
    assert rate.name in example.features.feature
    given = tf.constant([example.SerializeToString()])
    found = loaded.signatures["serving_default"](given)["ctr"].numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-6)
