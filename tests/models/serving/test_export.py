"""SavedModel: both loaders, hostile requests, without this project's code."""

from __future__ import annotations

import base64
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import json_format
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from models.artifact_files import CONTRACT_FILE
from models.data.snapshots import SnapshotTables
from models.features.registry import KINDS
from models.features.table import FeatureTable
from models.networks.backbone import Backbone
from models.serving.export import drop_missing_values
from models.serving.export import export_saved_model
from models.serving.export import with_equal_rows
from models.serving.requests import inputs_of
from models.settings import NetworkConfig
from tests.models.serving.examples import EXAMPLES
from tests.models.serving.examples import KNOWN
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
    values = {
        "item_impressions/value": [math.tanh(2)],
        "item_click_rate/value": [math.tanh(0.6)],
    }
    encoded |= {name: tf.constant(value) for name, value in values.items()}
    ctr = float(tf.sigmoid(network(encoded))[0])
    expected = {"rows": {**rows, **values}, "ctr": ctr}
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
        np.testing.assert_allclose(rows[name][:1], expected, rtol=1e-6)
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


class Served:
    """A SavedModel as TF Serving runs it: a session, fed by tensor names."""

    def __init__(self, folder: Path) -> None:
        self.session = tf.compat.v1.Session(graph=tf.Graph())
        with self.session.graph.as_default():
            meta = tf.compat.v1.saved_model.load(self.session, ["serve"], str(folder))
        self.signatures = meta.signature_def

    def __call__(self, name: str, **inputs: Any) -> Any:
        signature = self.signatures[name]
        fed = {signature.inputs[key].name: value for key, value in inputs.items()}
        fetched = {key: info.name for key, info in signature.outputs.items()}
        return self.session.run(fetched, fed)


@pytest.fixture(scope="module")
def served(saved_model: Path) -> Served:
    return Served(saved_model)


ROW = {**KNOWN, "item_impressions": [2], "item_click_rate": [0.6]}
CANDIDATES = [
    {**ROW, "item_id": [item], "item_impressions": [shown], "item_click_rate": rate}
    for item, shown, rate in (("i0", 1, []), ("never seen", 0, [0.1]), ("i2", 9, [1.0]))
]


@pytest.mark.slow
def test_rank_takes_the_user_once(served: Served, features: FeatureTable) -> None:
    one_by_one = served("predict", **inputs_of("predict", features, CANDIDATES))
    inputs = inputs_of("rank", features, CANDIDATES)
    assert {name: len(value) for name, value in inputs.items()} == {
        "user_id": 1,
        "domain": 1,
        "recent_items": 1,
        "item_id": 3,
        "item_impressions": 3,
        "item_click_rate": 3,
    }
    ranked = served("rank", **inputs)["ctr"]
    assert len(set(ranked.round(6))) == 3
    np.testing.assert_allclose(ranked, one_by_one["ctr"], atol=1e-6)
    serialized = inputs_of("serving_default", features, CANDIDATES)
    np.testing.assert_allclose(
        served("serving_default", **serialized)["ctr"], ranked, atol=1e-6
    )


def test_operations_on_inputs_wait_for_the_check_of_their_rows() -> None:
    # In a graph the first operation to fail gives the message.
    with tf.Graph().as_default():
        raw = {
            "user": tf.compat.v1.placeholder(tf.string, [None]),
            "recent": tf.compat.v1.placeholder(tf.string, [None, None]),
        }
        checked = with_equal_rows(raw)
        assert list(checked) == ["user", "recent"]
        for name, values in checked.items():
            assert values.shape.as_list() == raw[name].shape.as_list()
            assert [op.type for op in values.op.control_inputs] == ["Assert"]


@pytest.mark.slow
@pytest.mark.parametrize("signature", ["predict", "rank"])
def test_any_request_gives_finite_numbers_or_an_error_of_its_own(
    served: Served, features: FeatureTable, signature: str
) -> None:
    strange = [
        {},
        {"user_id": [b"\xff\xfe"], "item_id": [b"\x00"], "recent_items": [b"\xff"]},
        {"recent_items": [f"i{i}" for i in range(10_000)], "item_impressions": [-1]},
        {"item_impressions": [2**62], "item_click_rate": [float("inf")]},
        {"item_click_rate": [float("nan")]},
    ]
    for row in strange:
        inputs = inputs_of(signature, features, [row])
        (ctr,) = served(signature, **inputs)["ctr"]
        assert 0 < ctr < 1
    many = inputs_of(signature, features, [CANDIDATES[0]] * 10_000)
    ctr = served(signature, **many)["ctr"]
    assert ctr.shape == (10_000,)
    assert np.ptp(ctr) < 1e-6
    none = {
        name: value[:0] if len(value) > 1 or signature == "predict" else value
        for name, value in inputs_of(signature, features, CANDIDATES).items()
    }
    assert served(signature, **none)["ctr"].shape == (0,)
    with pytest.raises((ValueError, TypeError)):
        served(signature, **{**many, "item_impressions": ["many"] * 10_000})
    for rows in (7, 1, 0):
        uneven = {**many, "item_impressions": many["item_impressions"][:rows]}
        with pytest.raises(
            tf.errors.InvalidArgumentError,
            match=rf"different numbers of rows.*item_impressions.*\b{rows}\b",
        ):
            served(signature, **uneven)
    if signature == "rank":
        two_users = {**many, "user_id": np.array([b"u1", b"u2"], object)}
        with pytest.raises((ValueError, tf.errors.InvalidArgumentError)):
            served(signature, **two_users)


@pytest.mark.slow
def test_the_contract_says_what_is_served(saved_model: Path, served: Served) -> None:
    contract = json.loads((saved_model / CONTRACT_FILE).read_text())["signatures"]
    assert set(contract) == {n for n in served.signatures if not n.startswith("__")}
    assert contract["rank"]["inputs"]["user_id"] == {
        "dtype": "string",
        "shape": [1],
        "kind": "id",
        "side": "user",
        "missing": "",
    }
    assert contract["rank"]["inputs"]["item_click_rate"] == {
        "dtype": "float32",
        "shape": [None],
        "kind": "rate",
        "side": "item",
        "missing": "nan",
    }
    assert contract["rank"]["outputs"] == {"ctr": {"dtype": "float32", "shape": [None]}}
    for name, about in contract.items():
        request = json_format.ParseDict(about["example"]["grpc"], PredictRequest())
        assert request.model_spec.signature_name == name
        sent = {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
        answer = served(name, **sent)
        assert set(answer) == set(about["outputs"])
        # REST's column format says the same as nested lists.
        inputs = about["example"]["rest"]["inputs"]
        if "examples" in inputs:
            decoded = [base64.b64decode(value["b64"]) for value in inputs["examples"]]
            inputs = {"examples": decoded}
        again = served(name, **inputs)
        for key, value in answer.items():
            np.testing.assert_allclose(value, again[key])


@pytest.mark.slow
def test_tensorflows_own_command_ranks_without_this_project(
    saved_model: Path, served: Served, features: FeatureTable, tmp_path: Path
) -> None:
    inputs = inputs_of("rank", features, CANDIDATES)
    given = []
    for name, value in inputs.items():
        # Object arrays would have to be pickled.
        np.save(tmp_path / name, value.astype("S") if value.dtype == object else value)
        given.append(f"{name}={tmp_path / name}.npy")
    command = [Path(sys.executable).parent / "saved_model_cli", "run"]
    options = ["--dir", saved_model, "--tag_set", "serve", "--signature_def", "rank"]
    finished = subprocess.run(
        [*command, *options, "--inputs", ";".join(given), "--outdir", tmp_path],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": ""},
        check=False,
    )
    assert finished.returncode == 0, finished.stderr[-2_000:]
    ranked = np.load(tmp_path / "ctr.npy")
    np.testing.assert_allclose(ranked, served("rank", **inputs)["ctr"], atol=1e-6)


@pytest.mark.slow
def test_nothing_but_serving_is_saved(saved_model: Path) -> None:
    names = [
        name
        for name, _ in tf.train.list_variables(str(saved_model / "variables/variables"))
    ]
    assert not [name for name in names if "optimizer" in name.lower()]
    loaded = tf.saved_model.load(str(saved_model))
    # Five tables, cross, MLP with BatchNorm, logit, two folded snapshots; wide weights
    # of six features, of the numbers, and of these by domain.
    assert len(loaded.weights) == 5 + 4 + 1 + 4 + 2 + 2 + 6 + 1 + 1
    assert set(loaded.signatures) == {
        "serving_default",
        "predict",
        "rank",
        "transform_features",
    }


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("id", ["a", "", "b"], [["a"], [], ["b"]]),
        ("ids", [["", "a", "b"], [""] * 3], [["a", "b"], []]),
        ("count", [0, -1], [[0], []]),
        ("rate", [0.5, -0.5, float("nan")], [[0.5], [], []]),
        ("number", [0.5, -0.5, float("nan"), -float("inf")], [[0.5], [-0.5], [], []]),
        ("vector", [[0.5, -1.0], [0.0, 8.0]], [[0.5, -1.0], [0.0, 8.0]]),
    ],
)
def test_drop_missing_values(kind: str, values: Any, expected: Any) -> None:
    sparse = drop_missing_values(tf.constant(values), KINDS[kind])
    ragged = tf.RaggedTensor.from_sparse(sparse).to_list()
    as_text = [[v.decode() if isinstance(v, bytes) else v for v in r] for r in ragged]
    assert as_text == expected


@pytest.mark.slow
def test_no_request_reads_a_vocabulary_file_again(saved_model: Path) -> None:
    assert table_operations_of_requests(saved_model) == {"LookupTableFindV2"}
