"""Local model server over gRPC and REST, with constant models."""

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
from models.serving.export import with_equal_rows

# What TensorFlow Serving answers, too: it sends an operation's error as it is.
UNEQUAL = (
    "assertion failed: [Inputs have different numbers of rows; expected one row for "
    "each impression in every input. Rows of user, count:]"
)


class Constant(tf.Module):
    """Scores every row with the version's own number."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = tf.Variable(value)

    @tf.function
    def predict(self, user: Any, count: Any) -> dict[str, Any]:
        raw = with_equal_rows({"user": user, "count": count})
        present = tf.cast(raw["user"] != "", tf.float32)
        return {"ctr": self.value * present + 0.0 * tf.cast(raw["count"], tf.float32)}


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
        ({"user": ["u"] * 3}, f"{UNEQUAL} [3 2]"),
        ({"user": ["u"]}, f"{UNEQUAL} [1 2]"),
    ],
)
def test_a_request_that_does_not_fit_says_why(folder, start, inputs, message):
    with pytest.raises(grpc.RpcError) as caught:
        predict(start(folder), request(**inputs))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert message in caught.value.details()


def test_a_tensor_that_claims_a_vast_shape_is_not_unpacked(folder, start):
    asked = request()
    asked.inputs["count"].tensor_shape.dim[0].size = 10**12
    with pytest.raises(grpc.RpcError, match="has 1,000,000,000,000 values") as caught:
        predict(start(folder), asked)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


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
    body = {
        "signature_name": "predict",
        "instances": [{"user": "u", "count": 1}, {"user": {"b64": "/w=="}, "count": 2}],
    }
    assert rest(server, path, body) == (
        200,
        {"predictions": [pytest.approx(0.2)] * 2},
    )
    body = {"signature_name": "predict", "inputs": {"user": [""], "count": [1]}}
    assert rest(server, path, body) == (200, {"outputs": [0.0]})


GOOD = {"user": "u", "count": 1}


def rows(*instances: Any) -> dict[str, Any]:
    return {"signature_name": "predict", "instances": list(instances)}


def columns(**inputs: Any) -> dict[str, Any]:
    return {"signature_name": "predict", "inputs": inputs}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "either `instances`"),
        ([1], "either `instances`"),
        ({**rows(GOOD), **columns(**GOOD)}, "either `instances`"),
        ({**rows(GOOD), "signature_name": ["predict"]}, "must be a string"),
        ({**rows(GOOD), "signature_name": 0}, "must be a string"),
        ({**rows(GOOD), "signature_name": "rank"}, "no signature 'rank'"),
        (rows(), "at least one row"),
        ({"signature_name": "predict", "instances": GOOD}, "at least one row"),
        (rows({"user": "u"}), "row 0 of `instances` lacks count; a missing value"),
        (rows(GOOD, {"count": 1}), "row 1 of `instances` lacks user"),
        (rows(GOOD, {**GOOD, "dummy": 1}), "row 1 of `instances` names ['dummy']"),
        (rows(GOOD, "u"), "row 1 of `instances` must be an object"),
        (rows("u"), "row 0 of `instances` must be an object"),
        (rows({**GOOD, "count": "3"}), "input count must be int64; received '3'"),
        (rows({**GOOD, "count": True}), "input count must be int64; received True"),
        (rows({**GOOD, "count": None}), "input count must be int64; received None"),
        (rows({**GOOD, "count": 1.0}), "input count must be int64; received 1.0"),
        (rows({**GOOD, "user": 12}), "input user must be string; received 12"),
        (rows({**GOOD, "user": "\ud83d"}), "half a character"),
        (rows(GOOD, {**GOOD, "user": ["u"]}), "lists of equal length"),
        (columns(user=["u"], count=[1.5]), "input count must be int64"),
        (columns(user=[7], count=[1]), "input user must be string"),
        (columns(user=[{"b64": "*"}], count=[1]), "b64 '*'"),
        (columns(user=["u"], count=["many"]), "input count must be int64"),
        (columns(user=["u"]), "`inputs` lacks count"),
        (columns(user=["u"] * 3, count=[1, 2]), f"{UNEQUAL} [3 2]"),
        (columns(user=[["u"]], count=[1]), "has shape [1, 1]; expected [None]"),
        ({"signature_name": "predict", "inputs": ["u"]}, "must be an object that"),
    ],
)
def test_rest_refuses_with_the_reason(folder, start, body, message):
    status, answer = rest(start(folder), "/v1/models/ads:predict", body)
    assert status == 400
    assert message in answer["error"]


def test_rest_takes_what_tf_serving_takes(folder, start):
    server = start(folder)
    for body, expected in (
        (rows({"count": 1, "user": "u"}, GOOD), {"predictions": [0.2, 0.2]}),
        (columns(user=["u"], count=[1], dummy=[[1], 2]), {"outputs": [0.2]}),
        (columns(user=[], count=[]), {"outputs": []}),
    ):
        status, answer = rest(server, "/v1/models/ads:predict", body)
        (found,), (wanted,) = answer.values(), expected.values()
        assert (status, answer.keys()) == (200, expected.keys())
        np.testing.assert_allclose(found, wanted)


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("GET", "/", 404, "no route"),
        ("GET", "/v1/models/ads/versions/9", 404, "no loaded version 9"),
        ("GET", f"/v1/models/ads/versions/{'9' * 5_000}", 404, "no route"),
        ("GET", "/v1/models/ads/labels/gold", 404, "labelled 'gold'"),
        ("GET", "/v1/models/mail", 404, "no model 'mail' is served; served: ads"),
        ("GET", "/v1/models/ads:predict", 405, "expected POST"),
        ("POST", "/v1/models/ads", 405, "expected GET"),
        ("DELETE", "/v1/models/ads", 405, "'DELETE' is not allowed"),
        ("POST", "/v1/models/ads:classify", 404, "no route"),
        ("POST", "/v1/models/ads/versions/9:predict", 404, "no loaded version 9"),
        ("POST", "/v1/models/ads:predict", 400, "not JSON"),
    ],
)
def test_routes_and_methods(folder, start, method, path, status, message):
    server = start(folder)
    connection = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=20)
    connection.request(method, path)
    response = connection.getresponse()
    assert response.status == status
    assert message in json.loads(response.read())["error"]
    if status == 405:
        allowed = "POST" if path.endswith(":predict") else "GET"
        assert response.getheader("Allow") == allowed


def test_a_path_may_have_a_query_and_percent_codes(folder, start):
    server = start(folder)
    path = "/v1/models/%61ds%3Apredict?trace=1"
    assert rest(server, path, rows(GOOD))[0] == 200
    assert (
        len(rest(server, "/v1/models/ads/versions/2")[1]["model_version_status"]) == 1
    )


def test_an_error_inside_the_model_is_500_and_the_server_lives_on(
    folder, start, monkeypatch
):
    server = start(folder)
    answers = iter([tf.errors.InternalError(None, None, "out of order"), KeyError("x")])

    def fails(*_: Any) -> None:
        raise next(answers)

    with monkeypatch.context() as patched:
        patched.setattr("models.serving.saved_scorer.SavedScorer.__call__", fails)
        for message in ("out of order", "KeyError"):
            status, answer = rest(server, "/v1/models/ads:predict", rows(GOOD))
            assert status == 500
            assert message in answer["error"]
    assert rest(server, "/v1/models/ads:predict", rows(GOOD))[0] == 200


def test_a_server_that_could_not_start_can_be_stopped(folder, monkeypatch):
    server = ModelServer([folder], rest_port=0)

    def broken(*_: Any) -> None:
        raise DataError("models.config is empty")

    monkeypatch.setattr("components.model_server.versions.labels_in", broken)
    with pytest.raises(DataError, match="models.config"):
        server.start()
    server.stop()


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


def test_the_last_loaded_version_keeps_answering(folder, start):
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
