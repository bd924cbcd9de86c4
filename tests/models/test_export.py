"""The SavedModel: both loaders, hostile requests, without this project's code."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from models.backbone import Backbone
from models.export import drop_missing
from models.export import export_saved_model
from models.features import FeatureTable
from models.settings import NetworkConfig
from models.snapshots import SnapshotTables
from tests.saved_models import table_operations_of_requests

# Scores files of serialized Examples with nothing but TensorFlow.
_SCORE_ELSEWHERE = """
import json, sys
import tensorflow as tf
folder, examples = sys.argv[1], json.loads(sys.argv[2])
serialized = [bytes.fromhex(text) for text in examples]
with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    meta = tf.compat.v1.saved_model.load(session, ["serve"], folder)
    signature = meta.signature_def["serving_default"]
    ctr = session.run(
        signature.outputs["ctr"].name,
        {signature.inputs["examples"].name: serialized},
    )
assert "models" not in sys.modules and "tensorflow_transform" not in sys.modules
print(json.dumps(ctr.tolist()))
"""


def _example(**values: Any) -> bytes:
    features = {}
    for name, value in values.items():
        if not value:
            kind = tf.train.Feature()
        elif isinstance(value[0], str):
            encoded = [text.encode() for text in value]
            kind = tf.train.Feature(bytes_list=tf.train.BytesList(value=encoded))
        elif isinstance(value[0], int):
            kind = tf.train.Feature(int64_list=tf.train.Int64List(value=value))
        else:
            kind = tf.train.Feature(float_list=tf.train.FloatList(value=value))
        features[name] = kind
    example = tf.train.Example(features=tf.train.Features(feature=features))
    serialized: bytes = example.SerializeToString()
    return serialized


KNOWN = {
    "user_id": ["u1"],
    "item_id": ["i2"],
    "domain": ["de"],
    "recent_items": ["i0", "i1", "i2"],  # one more than is kept
    "item_impressions": [2],
    "item_click_rate": [0.6],
}
EXAMPLES = [
    _example(**KNOWN),
    _example(),
    _example(user_id=["never seen"], item_id=["\x00"], domain=["xx"]),
    _example(**{**KNOWN, "recent_items": [], "item_impressions": [10**15]}),
    _example(**KNOWN, label=[1], day=[17_000], other=["?"]),
]


@pytest.fixture(scope="module")
def saved_model(
    features: FeatureTable,
    transform_graph: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    rng = np.random.default_rng(0)
    snapshots = {
        space: SnapshotTables(
            rng.normal(size=(features.num_rows(space), 2, 3)).astype(np.float32),
            rng.random((features.num_rows(space), 2)) < 0.5,
        )
        for space in ("user", "item")
    }
    network = Backbone(features, NetworkConfig(width=3, hidden_units=(4,)), snapshots)
    for variable in network.trainable_variables:
        variable.assign(rng.normal(scale=0.3, size=variable.shape))
    folder = tmp_path_factory.mktemp("serving") / "model"
    export_saved_model(network, transform_graph, folder)
    # What the rows of KNOWN, written down by hand, score.
    rows = {
        "user_id": [5],
        "item_id": [6],
        "domain": [3],
        "recent_items": [[4, 5]],
        "item_impressions": [4],
        "item_click_rate": [4],
    }
    encoded = {name: tf.constant(value, tf.int64) for name, value in rows.items()}
    expected = {"rows": rows, "ctr": float(tf.sigmoid(network(encoded))[0])}
    (folder.parent / "expected.json").write_text(json.dumps(expected))
    return folder


def _expected(saved_model: Path) -> dict[str, Any]:
    expected: dict[str, Any] = json.loads(
        (saved_model.parent / "expected.json").read_text()
    )
    return expected


def _signature(saved_model: Path, name: str) -> Callable[..., dict[str, Any]]:
    loaded = tf.saved_model.load(str(saved_model))
    function = loaded.signatures[name]
    # The function does not keep its model alive.
    return lambda **inputs: (loaded, function(**inputs))[1]


@pytest.mark.slow
def test_serialized_examples_score_like_the_network(saved_model: Path) -> None:
    serve = _signature(saved_model, "serving_default")
    ctr = serve(examples=tf.constant(EXAMPLES))["ctr"].numpy()
    assert ctr.shape == (len(EXAMPLES),)
    assert np.isfinite(ctr).all()
    assert ((ctr > 0) & (ctr < 1)).all()
    assert ctr[0] == pytest.approx(_expected(saved_model)["ctr"], abs=1e-6)
    assert ctr[4] == pytest.approx(ctr[0], abs=1e-7)  # label and day change nothing
    assert len(set(ctr[:4].round(6))) == 4
    assert serve(examples=tf.constant([], tf.string))["ctr"].shape == (0,)


@pytest.mark.slow
def test_transform_features_gives_the_rows(saved_model: Path) -> None:
    transform = _signature(saved_model, "transform_features")
    rows = transform(examples=tf.constant(EXAMPLES[:2]))
    for name, expected in _expected(saved_model)["rows"].items():
        np.testing.assert_array_equal(rows[name][:1], expected)
    assert rows["user_id"][1] == 1
    np.testing.assert_array_equal(rows["recent_items"][1], [0, 0])


@pytest.mark.slow
def test_raw_tensors_score_like_examples(saved_model: Path) -> None:
    raw = {
        "user_id": tf.constant(["u1", "", "never seen"]),
        "item_id": tf.constant(["i2", "", "\x00"]),
        "domain": tf.constant(["de", "", "xx"]),
        "recent_items": tf.constant([["", "i0", "i1"], [""] * 3, [""] * 3]),
        "item_impressions": tf.constant([2, -1, -7], tf.int64),
        "item_click_rate": tf.constant([0.6, -1.0, np.nan]),
    }
    ctr = _signature(saved_model, "predict")(**raw)["ctr"]
    serve = _signature(saved_model, "serving_default")
    np.testing.assert_allclose(
        ctr, serve(examples=tf.constant(EXAMPLES[:3]))["ctr"], atol=1e-6
    )
    no_lists = {**raw, "recent_items": tf.zeros([3, 0], tf.string)}
    assert np.isfinite(_signature(saved_model, "predict")(**no_lists)["ctr"]).all()


@pytest.mark.slow
def test_session_loader_without_this_project(saved_model: Path, tmp_path: Path) -> None:
    examples = json.dumps([example.hex() for example in EXAMPLES])
    finished = subprocess.run(
        [sys.executable, "-P", "-c", _SCORE_ELSEWHERE, str(saved_model), examples],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr[-2_000:]
    serve = _signature(saved_model, "serving_default")
    np.testing.assert_allclose(
        json.loads(finished.stdout.splitlines()[-1]),
        serve(examples=tf.constant(EXAMPLES))["ctr"],
        atol=1e-6,
    )


@pytest.mark.slow
def test_nothing_but_serving_is_saved(saved_model: Path) -> None:
    names = [
        name
        for name, _ in tf.train.list_variables(str(saved_model / "variables/variables"))
    ]
    assert not [name for name in names if "optimizer" in name.lower()]
    loaded = tf.saved_model.load(str(saved_model))
    # Five tables, cross, MLP with BatchNorm, logit, and two folded snapshots.
    assert len(loaded.weights) == 5 + 4 + 1 + 4 + 2 + 2
    assert set(loaded.signatures) == {
        "serving_default",
        "predict",
        "transform_features",
    }


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param(["a", "", "b"], [["a"], [], ["b"]], id="strings"),
        pytest.param([["", "a", "b"], [""] * 3], [["a", "b"], []], id="lists"),
        pytest.param([0, -1], [[0], []], id="integers"),
        pytest.param([0.5, -0.5, float("nan")], [[0.5], [], []], id="floats"),
    ],
)
def test_drop_missing(values: Any, expected: Any) -> None:
    sparse = drop_missing(tf.constant(values))
    ragged = tf.RaggedTensor.from_sparse(sparse).to_list()
    as_text = [[v.decode() if isinstance(v, bytes) else v for v in r] for r in ragged]
    assert as_text == expected


@pytest.mark.slow
def test_no_request_reads_a_vocabulary_file_again(saved_model: Path) -> None:
    assert table_operations_of_requests(saved_model) == {"LookupTableFindV2"}
