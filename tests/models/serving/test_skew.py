"""Skew check: the same impressions in training and serving, matched by content."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from models.data.batches import ExampleReader
from models.days import DayRange
from models.errors import DataError
from models.features.table import FeatureTable
from models.networks.backbone import Backbone
from models.serving.export import export_saved_model
from models.serving.requests import inputs_of
from models.serving.requests import raw_rows
from models.serving.skew import check_skew
from models.serving.skew import trained_scores
from models.settings import NetworkConfig
from models.training.calibration import Platt

RAW = {
    "user_id": [[b"u1"], [], [b"never seen"], [b"u0"]],
    "item_id": [[b"i2"], [b"i0"], [b"\xff"], [b"i0"]],
    "domain": [[b"de"], [b"de"], [], [b"de"]],
    "recent_items": [[b"i0", b"i1", b"i2"], [], [b"i1"], []],
    "item_impressions": [[2], [], [10**9], [0]],
    "item_click_rate": [[0.5], [1.0], [], [0.0]],
    "label": [[1], [0], [0], [1]],
    "day": [[9], [9], [9], [8]],
}
TYPES = {"item_impressions": pa.int64(), "label": pa.int64(), "day": pa.int64()}


@pytest.fixture(scope="module")
def trained(features: FeatureTable) -> Backbone:
    network = Backbone(features, NetworkConfig(width=3, hidden_units=(4,)))
    rng = np.random.default_rng(0)
    for variable in network.trainable_variables:
        variable.assign(rng.normal(scale=0.5, size=variable.shape))
    return network


@pytest.fixture(scope="module")
def served(
    trained: Backbone, transform_graph: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("served") / "model"
    export_saved_model(trained, transform_graph, folder)
    return folder


@pytest.fixture
def raw(tmp_path: Path) -> str:
    columns = {
        name: pa.array(
            values,
            pa.large_list(
                TYPES.get(
                    name,
                    pa.float32() if name.endswith("rate") else pa.large_binary(),
                )
            ),
        )
        for name, values in RAW.items()
    }
    pq.write_table(pa.table(columns), tmp_path / "raw.parquet")
    return str(tmp_path / "raw.parquet")


@pytest.fixture
def stored(
    served: Path,
    features: FeatureTable,
    write_shard: Callable[..., Path],
) -> Callable[..., ExampleReader]:
    """Returns a function that stores what the rows became, in another order."""
    model = tf.saved_model.load(str(served))

    def store(**changes: Any) -> ExampleReader:
        rows = [{name: values[i] for name, values in RAW.items()} for i in (3, 2, 0, 1)]
        inputs = inputs_of("transform_features", features, rows)
        encoded = model.signatures["transform_features"](
            examples=tf.constant(inputs["examples"])
        )
        columns = {name: value.numpy() for name, value in encoded.items()}
        for name in ("label", "day"):
            columns[name] = np.array([row[name][0] for row in rows])
        path = write_shard({**columns, **changes})
        return ExampleReader([str(path)], features, 0, 20)

    return store


@pytest.mark.slow
def test_both_paths_agree_on_the_newest_days_rows(
    trained: Backbone, served: Path, stored: Callable[..., ExampleReader], raw: str
) -> None:
    skew = check_skew(trained_scores(trained, None), served, stored(), [raw])
    assert (skew.day, skew.rows) == (9, 3)
    assert skew.largest < 1e-6
    with pytest.raises(DataError, match=r"one scores .* apart in training"):
        check_skew(
            trained_scores(trained, Platt(1.0, 1e-3, 1)), served, stored(), [raw]
        )


@pytest.mark.slow
def test_another_encoding_is_found_and_a_missing_row_too(
    trained: Backbone, served: Path, stored: Callable[..., ExampleReader], raw: str
) -> None:
    score = trained_scores(trained, None)
    right = stored()
    empty = right.between(0, 7)
    assert check_skew(score, served, empty, [raw]).rows == 0
    with pytest.raises(DataError, match="Ingest that day again"):
        check_skew(score, served, right, [raw.replace("raw.", "none.")])
    (columns,) = right.chunks()
    changed = columns["item_impressions"].copy()
    changed[1] = 2 if changed[1] != 2 else 3
    other = stored(item_impressions=changed)
    with pytest.raises(DataError, match="not as Transform did"):
        check_skew(score, served, other, [raw])


def test_raw_rows_are_the_first_of_the_day(features: FeatureTable, raw: str) -> None:
    rows = list(raw_rows([raw], features, DayRange(9, 9), most=2))
    assert [list(row["item_id"]) for row in rows] == [[b"i2"], [b"i0"]]
    assert "label" not in rows[0]
    assert len(list(raw_rows([raw], features, DayRange(9, 9), most=50))) == 3
