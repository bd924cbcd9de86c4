"""The local server over both protocols, on models of one line each."""

from __future__ import annotations

import http.client
import json
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import get_model_metadata_pb2
from tensorflow_serving.apis import get_model_status_pb2
from tensorflow_serving.apis import model_service_pb2_grpc
from tensorflow_serving.apis import prediction_service_pb2_grpc
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from components.model_server.server import ModelServer
from components.publisher.labels import Labels
from components.publisher.labels import write_labels
from models.errors import DataError


class Constant(tf.Module):
    """Scores every row with the version's own number."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = tf.Variable(value)

    @tf.function
    def predict(self, user: Any, count: Any) -> dict[str, Any]:
        there = tf.cast(user != "", tf.float32) + 0.0 * tf.cast(count, tf.float32)
        return {"ctr": there * self.value}


def write_version(folder: Path, version: int, value: float) -> None:
    module = Constant(value)
    signature = module.predict.get_concrete_function(
        tf.TensorSpec([None], tf.string, name="user"),
        tf.TensorSpec([None], tf.int64, name="count"),
    )
    temporary = folder.parent / "writing"
    tf.saved_model.save(module, str(temporary), signatures={"predict": signature})
    folder.mkdir(exist_ok=True)
    temporary.rename(folder / str(version))


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model with the versions 1 (all 0.1) to 3 (all 0.3)."""
    folder = tmp_path_factory.mktemp("serving") / "ads"
    for version in (1, 2, 3):
        write_version(folder, version, version / 10)
    return folder


@pytest.fixture
def folder(versions: Path, tmp_path: Path) -> Path:
    """The same for a test that changes it, with versions 1 and 2."""
    copy = tmp_path / "ads"
    copy.mkdir()
    for version in ("1", "2"):
        shutil.copytree(versions / version, copy / version)
    return copy


@pytest.fixture
def start():
    """Returns a function that starts a server, which is stopped in the end."""
    servers = []

    def _start(folder: Path, **options: Any) -> ModelServer:
        server = ModelServer([folder], rest_port=0, poll_seconds=0.05, **options)
        servers.append(server)
        server.start()
        return server

    yield _start
    for server in servers:
        server.stop()


def request(**inputs: Any) -> PredictRequest:
    made = PredictRequest()
    made.model_spec.name = "ads"
    made.model_spec.signature_name = "predict"
    for name, value in {"user": ["u", ""], "count": [1, 2], **inputs}.items():
        if value is not None:
            dtype = np.int64 if name == "count" else None
            value = np.array(value, dtype) if dtype else value
            made.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return made


def predict(server: ModelServer, asked: PredictRequest) -> Any:
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        return stub.Predict(asked, timeout=20)


def rest(server: ModelServer, path: str, body: Any = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=20)
    content = None if body is None else json.dumps(body)
    connection.request("GET" if body is None else "POST", path, content)
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def test_grpc_answers_with_values_and_the_version_that_gave_them(folder, start):
    answer = predict(start(folder), request())
    np.testing.assert_allclose(tf.make_ndarray(answer.outputs["ctr"]), [0.2, 0.0])
    assert answer.model_spec.version.value == 2
    assert answer.model_spec.signature_name == "predict"


def test_a_version_or_a_label_can_be_asked_for(folder, start):
    write_labels(folder.parent, "ads", Labels(1, 2), "/models")
    server = start(folder)
    for key, wanted, version in (
        ("version", 1, 1),
        ("label", "stable", 1),
        ("label", "canary", 2),
    ):
        asked = request()
        if key == "version":
            asked.model_spec.version.value = wanted
        else:
            asked.model_spec.version_label = wanted
        assert predict(server, asked).model_spec.version.value == version
        path = f"/v1/models/ads/{key}s/{wanted}:predict"
        body = {"signature_name": "predict", "inputs": {"user": ["u"], "count": [1]}}
        assert rest(server, path, body)[1] == {"outputs": [pytest.approx(version / 10)]}
    asked.model_spec.version_label = "gold"
    with pytest.raises(grpc.RpcError, match="no loaded version labelled 'gold'"):
        predict(server, asked)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"count": None}, "predict needs the input(s) count"),
        ({"cuont": [1]}, "has no input 'cuont'; did you mean 'count'?"),
        ({"user": [1, 2]}, "input user of predict is int32; expected string"),
        ({"user": [["u"], ["v"]]}, "has shape [2, 1]; expected [None]"),
        ({"user": ["u"] * 3}, "ncompatible shapes"),
    ],
)
def test_a_request_that_does_not_fit_says_why(folder, start, inputs, message):
    with pytest.raises(grpc.RpcError) as caught:
        predict(start(folder), request(**inputs))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert message in caught.value.details()


def test_unknown_models_and_signatures_are_named(folder, start):
    server = start(folder)
    asked = request()
    asked.model_spec.signature_name = "rank"
    with pytest.raises(
        grpc.RpcError, match=r"no signature 'rank'; the model has: pred"
    ):
        predict(server, asked)
    asked.model_spec.name = "mail"
    with pytest.raises(grpc.RpcError, match="no model 'mail' is served; served: ads"):
        predict(server, asked)
    assert rest(server, "/v1/models/mail")[0] == 404
    assert rest(server, "/v2/nothing")[0] == 404


def test_rest_takes_rows_and_columns(folder, start):
    server = start(folder)
    path = "/v1/models/ads:predict"
    rows = {
        "signature_name": "predict",
        "instances": [{"user": "u", "count": 1}, {"user": {"b64": "/w=="}, "count": 2}],
    }
    assert rest(server, path, rows) == (
        200,
        {"predictions": [pytest.approx(0.2)] * 2},
    )
    columns = {"signature_name": "predict", "inputs": {"user": [""], "count": [1]}}
    assert rest(server, path, columns) == (200, {"outputs": [0.0]})


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "either `instances`"),
        ([1], "either `instances`"),
        ({"instances": []}, "at least one row"),
        ({"instances": [{"user": "u"}, {"count": 1}]}, "row 1 of `instances`"),
        ({"inputs": {"user": ["u"], "count": [1.5]}}, "received fractions"),
        ({"inputs": {"user": [7], "count": [1]}}, "input user must be string"),
        ({"inputs": {"user": [{"b64": "*"}], "count": [1]}}, "b64 '*'"),
        ({"inputs": {"user": ["u"], "count": ["many"]}}, "input count must be int64"),
    ],
)
def test_rest_refuses_with_the_reason(folder, start, body, message):
    if isinstance(body, dict) and body:
        body = {"signature_name": "predict", **body}
    status, answer = rest(start(folder), "/v1/models/ads:predict", body)
    assert status == 400
    assert message in answer["error"]


def test_status_and_metadata(folder, start):
    (folder / "5").mkdir()  # no model in it
    server = start(folder)
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        status = get_model_status_pb2.GetModelStatusRequest()
        status.model_spec.name = "ads"
        service = model_service_pb2_grpc.ModelServiceStub(channel)
        found = service.GetModelStatus(status).model_version_status
        metadata = get_model_metadata_pb2.GetModelMetadataRequest()
        metadata.model_spec.name = "ads"
        metadata.metadata_field.append("signature_def")
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        packed = stub.GetModelMetadata(metadata).metadata["signature_def"]
    states = {s.version: s for s in found}
    assert states[2].state == get_model_status_pb2.ModelVersionStatus.AVAILABLE
    assert states[5].state == get_model_status_pb2.ModelVersionStatus.END
    assert "5" in states[5].status.error_message
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert packed.Unpack(signatures)
    assert set(signatures.signature_def["predict"].inputs) == {"user", "count"}
    by_rest = rest(server, "/v1/models/ads")[1]["model_version_status"]
    assert {(s["version"], s["state"]) for s in by_rest} == {
        ("2", "AVAILABLE"),
        ("5", "END"),
    }


def _until(condition) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def test_versions_change_without_a_failed_or_mixed_answer(folder, versions, start):
    write_labels(folder.parent, "ads", Labels(1), "/models")
    server = start(folder)
    stopping, seen, failures = threading.Event(), [], []

    def ask() -> None:
        with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            while not stopping.is_set():
                try:
                    answer = stub.Predict(request(), timeout=20)
                except grpc.RpcError as error:
                    failures.append(error.details())
                    continue
                score = tf.make_ndarray(answer.outputs["ctr"])[0]
                seen.append((answer.model_spec.version.value, round(float(score), 3)))

    clients = [threading.Thread(target=ask) for _ in range(2)]
    for client in clients:
        client.start()
    _until(lambda: seen)
    write_labels(folder.parent, "ads", Labels(2, None, 1), "/models")
    _until(lambda: seen[-1][0] == 2)
    shutil.copytree(versions / "3", folder / ".3.writing")
    (folder / ".3.writing").rename(folder / "3")
    write_labels(folder.parent, "ads", Labels(3, None, 2), "/models")
    _until(lambda: seen[-1][0] == 3)
    assert server.models["ads"].loaded == [2, 3]
    write_labels(folder.parent, "ads", Labels(2), "/models")
    _until(lambda: seen[-1][0] == 2)
    stopping.set()
    for client in clients:
        client.join()
    assert failures == []
    assert {score for version, score in seen} == {0.1, 0.2, 0.3}
    assert all(score == version / 10 for version, score in seen)
    assert server.models["ads"].loaded == [2]


def test_what_was_published_last_goes_on_answering(folder, start):
    server = start(folder)
    for version in ("1", "2"):
        shutil.rmtree(folder / version)
    server.refresh()
    assert predict(server, request()).model_spec.version.value == 2


def test_a_model_that_was_taken_offline_answers_not_found(folder, start):
    server = start(folder)
    write_labels(folder.parent, "ads", None, "/models")
    for version in ("1", "2"):
        shutil.rmtree(folder / version)
    server.refresh()
    assert server.models["ads"].loaded == []
    with pytest.raises(grpc.RpcError) as refused:
        predict(server, request())
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND
    body = {"signature_name": "predict", "instances": [{"user": "u", "count": 1}]}
    assert rest(server, "/v1/models/ads:predict", body)[0] == 404


def test_a_taken_port_is_named(folder, start):
    server = start(folder)
    with pytest.raises(DataError, match=r"cannot listen on .*--port"):
        ModelServer([folder], port=server.port)
    with pytest.raises(DataError, match=r"cannot listen on .*--rest-port"):
        ModelServer([folder], rest_port=server.rest_port)
