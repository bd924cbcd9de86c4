"""Tiny world for the tests of `models`: features, ids, shards, transform graph."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.features.feature import Feature
from models.features.id_space import IdSpace
from models.features.table import FeatureTable
from models.settings import NetworkConfig
from models.settings import TrainingConfig
from models.training.level_inputs import LevelInputs
from tests.vocabularies import write_ids

IDS = {
    "user": ("u0", "u1", "u2", "u3"),
    "item": ("i0", "i1", "i2"),
    "domain": ("de",),
}

# Row of each domain in a table with one OOV bucket.
DE, FR = 3, 4

Train = Callable[..., Path]
WriteShard = Callable[..., Path]


@pytest.fixture(scope="session")
def features() -> FeatureTable:
    """One feature of every kind; user, item and domain are TPM's."""
    return FeatureTable(
        features=(
            Feature(name="user_id", kind="id", vocabulary="user", tpm=True),
            Feature(name="item_id", kind="id", vocabulary="item", tpm=True),
            Feature(
                name="domain", kind="id", vocabulary="domain", tpm=True, side="context"
            ),
            Feature(
                name="recent_items",
                kind="ids",
                vocabulary="item",
                max_length=2,
                side="user",
            ),
            Feature(name="item_impressions", kind="count", buckets=4),
            Feature(name="item_click_rate", kind="rate", buckets=4),
        ),
        vocabularies={
            "user": IdSpace(capacity=8, oov_buckets=2),
            "item": IdSpace(capacity=6, oov_buckets=2),
            "domain": IdSpace(capacity=2, oov_buckets=1),
        },
    )


@pytest.fixture(scope="session")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Vocabulary artifact's folder with the ids of `IDS`."""
    folder = tmp_path_factory.mktemp("vocabulary")
    for space, ids in IDS.items():
        write_ids(folder, **{space: "".join(f"{i}\n" for i in ids).encode()})
    return folder


@pytest.fixture
def make_rows(features: FeatureTable) -> Callable[..., dict[str, Any]]:
    """Returns a function that draws random encoded rows of every feature."""

    def draw(num_rows: int, seed: int = 0) -> dict[str, Any]:
        rng = np.random.default_rng(seed)
        rows = {
            f.name: rng.integers(
                0 if f.kind == "ids" else 1,
                features.num_rows(f.table),
                (num_rows, f.max_length) if f.kind == "ids" else num_rows,
            )
            for f in features.features
        }
        for f in features.with_values:
            values = rng.normal(size=num_rows).astype(np.float32)
            rows[f"{f.name}/value"] = np.where(rows[f.name] == 1, 0, values)
        return rows

    return draw


@pytest.fixture
def write_shard(tmp_path: Path) -> WriteShard:
    """Returns a function that writes columns as one transformed Parquet shard."""

    def write(
        columns: Mapping[str, Any], name: str = "de/part-0", group_rows: int = 1_000_000
    ) -> Path:
        path = tmp_path / f"{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        table = pa.table({key: _as_lists(columns[key]) for key in sorted(columns)})
        pq.write_table(table, path, row_group_size=group_rows)
        return path

    return write


@pytest.fixture
def inputs(
    features: FeatureTable,
    vocabulary: Path,
    make_rows: Callable[..., dict[str, Any]],
    write_shard: Callable[..., Path],
    tmp_path: Path,
) -> Callable[..., LevelInputs]:
    """Returns a function that makes inputs on 60 rows of `fr` and 20 of `de`."""
    folder = tmp_path / "vocabulary"
    folder.mkdir()
    for path in vocabulary.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    write_ids(folder, domain=b"de\nfr\n")
    for name, row, count in (("de", DE, 20), ("fr", FR, 60)):
        columns = {**make_rows(count, seed=row), "domain": np.full(count, row)}
        # de clicks on every second row, fr on every fifth.
        columns["label"] = np.arange(count) % (2 if name == "de" else 5) == 0
        columns["day"] = np.arange(count) * 10 // count
        write_shard(columns, f"Split-{name}/part-0")

    def make(name: str, **changes: Any) -> LevelInputs:
        out = tmp_path / name
        settings: dict[str, Any] = {
            "level": "target",
            "domains": ("fr", "de"),
            "first_day": 0,
            "last_day": 8,
            "features": features,
            "network": NetworkConfig(width=3, hidden_units=(4, 3)),
            "training": TrainingConfig(batch_size=8, epochs=2),
            "examples": (
                str(tmp_path / "Split-de" / "*"),
                str(tmp_path / "Split-fr" / "*"),
            ),
            "transform_graph": tmp_path / "none",
            "vocabulary": folder,
            "serving_dir": out / "Format-Serving",
            "train_dir": out / "Format-Train",
            "run_dir": tmp_path / "logs",
        }
        return LevelInputs.model_validate({**settings, **changes})

    return make


@pytest.fixture
def train(
    features: FeatureTable,
    vocabulary: Path,
    transform_graph: Path,
    make_rows: Callable[..., dict[str, Any]],
    write_shard: Callable[..., Path],
    tmp_path: Path,
) -> Train:
    """Returns a function that trains a level on 40 rows of days 0 to 9."""
    columns = make_rows(40)
    columns["label"] = np.arange(40) % 3 > 0
    columns["day"] = np.arange(40) // 4
    write_shard(columns)

    def run(level: str, name: str, **changes: Any) -> Path:
        folder = tmp_path / name
        settings: dict[str, Any] = {
            "level": level,
            "domains": ("de",),
            "first_day": 2,
            "last_day": 8,
            "features": features,
            "network": NetworkConfig(width=3, hidden_units=(4, 3)),
            "training": TrainingConfig(batch_size=8, epochs=2),
            "examples": (str(tmp_path / "de" / "*"),),
            "transform_graph": transform_graph,
            "vocabulary": vocabulary,
            "serving_dir": folder / "Format-Serving",
            "train_dir": folder / "Format-Train",
            "run_dir": tmp_path / "logs",
        }
        from models.training.level import run_level

        run_level(LevelInputs.model_validate({**settings, **changes}))
        return folder

    return run


@pytest.fixture(scope="session")
def transform_graph(
    features: FeatureTable,
    vocabulary: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A TransformGraph artifact that encodes the tiny world's raw features."""
    import tensorflow as tf
    import tensorflow_transform as tft
    import tensorflow_transform.beam as tft_beam
    from tensorflow_transform.tf_metadata import dataset_metadata
    from tensorflow_transform.tf_metadata import schema_utils

    types = {"id": tf.string, "ids": tf.string, "count": tf.int64, "rate": tf.float32}
    spec = {f.name: tf.io.VarLenFeature(types[f.kind]) for f in features.features}
    spec["label"] = tf.io.VarLenFeature(tf.int64)
    metadata = dataset_metadata.DatasetMetadata(
        schema_utils.schema_from_feature_spec(spec)
    )
    folder = tmp_path_factory.mktemp("transform")

    def preprocess(inputs: dict[str, Any]) -> dict[str, Any]:
        outputs = {f.name: _encode(inputs[f.name], f, features) for f in wanted}
        for f in features.with_values:
            first = tf.sparse.slice(inputs[f.name], [0, 0], [2**30, 1])
            dense = tft.sparse_tensor_to_dense_with_shape(first, [None, 1], 0)
            number = tf.cast(dense, tf.float32)
            value = tf.where(number >= 0, tf.tanh(number), 0.0)
            outputs[f"{f.name}/value"] = value
        outputs["label"] = tft.sparse_tensor_to_dense_with_shape(
            inputs["label"], [None, 1], -1
        )
        return outputs

    def _encode(raw: Any, feature: Feature, table: FeatureTable) -> Any:
        length = feature.max_length if feature.kind == "ids" else 1
        empty = "" if feature.is_id else -1
        first = tf.sparse.slice(raw, [0, 0], [raw.dense_shape[0], length])
        dense = tft.sparse_tensor_to_dense_with_shape(first, [None, length], empty)
        if not feature.is_id:
            scale = 4.0 if feature.kind == "rate" else 1.0
            bucket = tf.cast(tf.cast(dense, tf.float32) * scale, tf.int64)
            rows = tf.clip_by_value(bucket, 0, feature.buckets - 1) + 2
            # Shape (B, 1) on purpose: both (B,) and (B, 1) must be served.
            return tf.where(dense < 0, tf.ones_like(rows), rows)
        space = table.vocabularies[feature.table]
        path = str(vocabulary / f"{feature.table}.txt")
        row = tft.apply_vocabulary(dense, path, default_value=-1)
        bucket = tf.strings.to_hash_bucket_fast(dense, space.oov_buckets) + 2
        rows = tf.where(row >= 0, row + space.first_id_row, bucket)
        missing = tf.constant(0 if feature.kind == "ids" else 1, tf.int64)
        rows = tf.where(tf.equal(dense, ""), missing, rows)
        return rows if feature.kind == "ids" else tf.squeeze(rows, axis=1)

    wanted = features.features
    data = [{"user_id": ["u0"], "item_id": ["i1"], "domain": ["de"], "label": [1]}]
    data = [{**{name: [] for name in spec}, **row} for row in data]
    with tft_beam.Context(temp_dir=str(tmp_path_factory.mktemp("beam"))):
        function = (data, metadata) | tft_beam.AnalyzeDataset(preprocess)
        function | tft_beam.WriteTransformFn(str(folder))
    return folder


def _as_lists(values: Any) -> Any:
    values = np.asarray(values)
    if values.dtype != np.float32:
        values = values.astype(np.int64)
    length = 1 if values.ndim == 1 else values.shape[1]
    offsets = np.arange(0, values.size + 1, length)
    return pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(values.ravel()))
