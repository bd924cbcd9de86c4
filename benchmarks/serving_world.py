"""Exported models of every strategy at production size, with random weights.

Latency depends on shapes, tables and the graph, not on the values of the weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from models.data.snapshots import SnapshotTables
from models.features.feature import Feature
from models.features.id_space import IdSpace
from models.features.table import FeatureTable
from models.settings import CctlConfig
from models.settings import NetworkConfig
from models.strategies.base import NetworkContext
from models.strategies.registry import create

USERS, ITEMS, SMALL = 100_000, 20_000, 24
WIDTH, HIDDEN_UNITS, CROSS_LAYERS = 16, (64, 32), 2
LIST_LENGTH = 3
SNAPSHOTS = 3
BACKBONE = "target_only"
MULTI_DOMAIN = ("shared_bottom", "mmoe", "ple", "star")
NETWORK = NetworkConfig(
    width=WIDTH, hidden_units=HIDDEN_UNITS, cross_layers=CROSS_LAYERS
)


def features() -> FeatureTable:
    """Returns the features of `configs/feeds_ads.yaml`, with larger vocabularies."""
    small = ("domain", "segment", "category", "slot", "hour", "device")
    sides: dict[str, Any] = {
        "segment": "user",
        **dict.fromkeys(("domain", "slot", "hour", "device"), "context"),
    }
    return FeatureTable(
        features=(
            Feature(name="user_id", kind="id", vocabulary="user", tpm=True),
            Feature(name="item_id", kind="id", vocabulary="item", tpm=True),
            *(
                Feature(name=name, kind="id", vocabulary=name, side=sides.get(name))
                for name in small
            ),
            Feature(
                name="interests",
                kind="ids",
                vocabulary="category",
                max_length=LIST_LENGTH,
                side="user",
            ),
            Feature(name="refreshes", kind="count", side="user"),
            Feature(name="item_age_days", kind="count"),
            Feature(name="score", kind="rate"),
        ),
        vocabularies={
            "user": IdSpace(capacity=USERS),
            "item": IdSpace(capacity=ITEMS),
            **{name: IdSpace(capacity=SMALL, oov_buckets=2) for name in small},
        },
    )


def rows_of_a_user(candidates: int, seed: int) -> list[dict[str, list[Any]]]:
    """Returns raw features of one user and of the given number of candidates."""
    rng = np.random.default_rng(seed)

    def an_id(space: str, size: int) -> list[bytes]:
        return [f"{space}{rng.integers(size)}".encode()]

    user: dict[str, list[Any]] = {
        "user_id": an_id("user", USERS),
        "domain": [b"domain0"],
        "segment": an_id("segment", SMALL),
        "slot": an_id("slot", SMALL),
        "hour": an_id("hour", SMALL),
        "device": an_id("device", SMALL),
        "interests": [an_id("category", SMALL)[0] for _ in range(LIST_LENGTH)],
        "refreshes": [int(rng.integers(40))],
    }
    return [
        {
            **user,
            "item_id": an_id("item", ITEMS),
            "category": an_id("category", SMALL),
            "item_age_days": [int(rng.integers(300))],
            "score": [float(rng.random())],
        }
        for _ in range(candidates)
    ]


def export_all(folder: Path) -> dict[str, Path]:
    """Exports every strategy's network; returns the folder by strategy."""
    # Late: TensorFlow and TFT.
    from models.serving.export import export_saved_model

    table = features()
    graph = _transform_graph(folder, table)
    exported = {}
    for name, network in _networks(table):
        rng = np.random.default_rng(1)
        for variable in network.variables:
            if variable.dtype.is_floating:
                variable.assign(rng.normal(0.0, 0.1, variable.shape))
        exported[name] = folder / name
        export_saved_model(network, graph, exported[name])
    return exported


def _networks(table: FeatureTable) -> Iterator[tuple[str, Any]]:
    from models.cctl.network import CompanionNetwork
    from models.ctnet.network import Ctnet
    from models.ctnet.settings import CtnetConfig
    from models.networks.backbone import Backbone

    yield BACKBONE, Backbone(table, NETWORK)
    rng = np.random.default_rng(0)
    snapshots = {
        space: SnapshotTables(
            rng.normal(size=(table.num_rows(space), SNAPSHOTS, WIDTH)).astype("f4"),
            rng.random((table.num_rows(space), SNAPSHOTS)) < 0.8,
        )
        for space in ("user", "item")
    }
    yield "ecdctr", Backbone(table, NETWORK, snapshots)
    domains, rows = ("feeds", "domain0"), {"feeds": 4, "domain0": 5}
    for kind in MULTI_DOMAIN:
        context = NetworkContext(table, NETWORK, domains, lambda: rows, dict)
        yield kind, create(kind, {}).build(context)
    yield "ctnet", Ctnet(table, NETWORK, CtnetConfig())
    yield "cctl", CompanionNetwork(table, NETWORK, CctlConfig(), ("feeds",), rows)


def _transform_graph(folder: Path, table: FeatureTable) -> Path:
    """Writes vocabularies and the graph that Transform would write."""
    import tensorflow as tf
    import tensorflow_transform.beam as tft_beam
    from tensorflow_transform.tf_metadata import dataset_metadata
    from tensorflow_transform.tf_metadata import schema_utils

    from components.transform.preprocessing import preprocessing_fn
    from models.serving.requests import raw_type
    from models.statistics_files import write_statistics

    vocabulary = folder / "vocabulary"
    vocabulary.mkdir(parents=True)
    for name, space in table.vocabularies.items():
        ids = "".join(f"{name}{i}\n" for i in range(space.capacity))
        (vocabulary / f"{name}.txt").write_text(ids)
    write_statistics(vocabulary, {})
    spec = {f.name: tf.io.VarLenFeature(raw_type(f)) for f in table.features}
    metadata = dataset_metadata.DatasetMetadata(
        schema_utils.schema_from_feature_spec(spec)
    )
    config = {"features": table.to_json(), "vocabulary_uri": str(vocabulary)}
    with tft_beam.Context(temp_dir=str(folder / "beam")):
        function = ([{name: [] for name in spec}], metadata) | tft_beam.AnalyzeDataset(
            lambda inputs: preprocessing_fn(inputs, config)
        )
        function | tft_beam.WriteTransformFn(str(folder / "graph"))
    return folder / "graph"
