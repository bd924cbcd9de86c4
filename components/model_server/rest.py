"""TensorFlow Serving's REST routes for status and predict, over http.server.

    GET  /v1/models/NAME
    POST /v1/models/NAME[/versions/V|/labels/L]:predict

with the body `{"signature_name": ..., "instances": [...]}` (a row each) or
`{"signature_name": ..., "inputs": {...}}` (a column each).
"""

from __future__ import annotations

import base64
import binascii
import http.server
import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from components.model_server.predictions import BadRequestError
from components.model_server.predictions import predict
from components.model_server.versions import Loaded
from components.model_server.versions import ModelVersions
from components.model_server.versions import NoSuchVersionError

_ROUTE = re.compile(
    r"/v1/models/(?P<name>[^/:]+)"
    r"(/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?(?P<predict>:predict)?"
)
# Far above any request that is meant; the body is read into memory.
_MOST_BYTES = 256 * 2**20


def handler(models: Mapping[str, ModelVersions]) -> type:
    """Returns the request handler for these models by name."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:  # noqa: N802 (http.server's name)
            self._answer(self._status)

        def do_POST(self) -> None:  # noqa: N802
            self._answer(self._predict)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Prints nothing: requests come by the thousand."""

        def _answer(self, make: Any) -> None:
            # Read before anything is answered, or the connection is out of step.
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(min(length, _MOST_BYTES))
            try:
                found = _ROUTE.fullmatch(self.path)
                if found is None:
                    raise NoSuchVersionError(
                        f"no route {self.path}; expected /v1/models/NAME:predict"
                    )
                if found["name"] not in models:
                    raise NoSuchVersionError(
                        f"no model {found['name']!r} is served; served: "
                        f"{', '.join(models)}"
                    )
                status, content = 200, make(found, body)
            except NoSuchVersionError as error:
                status, content = 404, {"error": str(error)}
            except (BadRequestError, json.JSONDecodeError) as error:
                status, content = 400, {"error": str(error)}
            encoded = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(encoded)))
            self.end_headers()
            self.wfile.write(encoded)

        def _status(self, found: re.Match[str], _: bytes) -> dict[str, Any]:
            model = models[found["name"]]
            loaded = [
                {"version": str(v), "state": "AVAILABLE", "status": _OK}
                for v in reversed(model.loaded)
            ]
            failed = [
                {
                    "version": str(v),
                    "state": "END",
                    "status": {"error_code": "INTERNAL", "error_message": reason},
                }
                for v, reason in model.failed.items()
            ]
            return {"model_version_status": [*loaded, *failed]}

        def _predict(self, found: re.Match[str], body: bytes) -> dict[str, Any]:
            if not found["predict"]:
                raise BadRequestError(f"POST wants {self.path}:predict")
            version = int(found["version"]) if found["version"] else None
            with models[found["name"]].use(version, found["label"] or "") as loaded:
                return answer(loaded, json.loads(body))

    return Handler


_OK = {"error_code": "OK", "error_message": ""}


def answer(loaded: Loaded, body: Any) -> dict[str, Any]:
    """Returns the response to a request's body.

    Raises:
        BadRequestError: It is in neither format, or does not fit the model.
    """
    if not isinstance(body, dict) or ("instances" in body) == ("inputs" in body):
        raise BadRequestError(
            "the body must be an object with either `instances` (a row each) or "
            "`inputs` (a column each)"
        )
    name = body.get("signature_name", "serving_default")
    signatures = loaded.scorer.signatures
    if name not in signatures:
        raise BadRequestError(
            f"no signature {name!r}; the model has: {', '.join(sorted(signatures))}"
        )
    expected = signatures[name].inputs
    columns = body["inputs"] if "inputs" in body else _columns(body["instances"])
    if not isinstance(columns, dict):
        # One input needs no name.
        columns = dict.fromkeys(expected, columns) if len(expected) == 1 else {}
    arrays = {
        key: _array(key, value, expected[key]) if key in expected else np.array(value)
        for key, value in columns.items()
    }
    outputs = {
        key: _jsonable(value.tolist())
        for key, value in predict(loaded.scorer, name, arrays).items()
    }
    if "inputs" in body:
        (only, *rest) = outputs.values()
        return {"outputs": outputs if rest else only}
    if len(outputs) == 1:
        return {"predictions": next(iter(outputs.values()))}
    rows = [
        dict(zip(outputs, row, strict=True))
        for row in zip(*outputs.values(), strict=True)
    ]
    return {"predictions": rows}


def _columns(instances: Any) -> Any:
    if not isinstance(instances, list) or not instances:
        raise BadRequestError("`instances` must be a list of at least one row")
    if not isinstance(instances[0], dict) or set(instances[0]) == {"b64"}:
        return instances
    for index, row in enumerate(instances):
        if not isinstance(row, dict) or row.keys() != instances[0].keys():
            raise BadRequestError(
                f"row {index} of `instances` must name {', '.join(instances[0])}, as "
                "the first does"
            )
    return {key: [row[key] for row in instances] for key in instances[0]}


def _array(name: str, value: Any, info: Any) -> Any:
    wanted = tf.dtypes.as_dtype(info.dtype)
    decoded = _decoded(value)
    try:
        array = np.array(decoded, wanted.as_numpy_dtype)
        if wanted is tf.string:
            for item in array.flat:
                if not isinstance(item, bytes):
                    raise TypeError(f"received {item!r}")
    except (ValueError, TypeError, OverflowError) as error:
        raise BadRequestError(
            f"input {name} must be {wanted.name}, lists of equal length: {error}"
        ) from error
    if wanted.is_integer and np.any(np.array(decoded, np.float64) != array):
        raise BadRequestError(f"input {name} must be {wanted.name}: received fractions")
    return (
        array.reshape(0, 0)
        if array.shape == (0,) and len(info.tensor_shape.dim) == 2
        else array
    )


def _decoded(value: Any) -> Any:
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    if isinstance(value, dict):
        if set(value) != {"b64"} or not isinstance(value["b64"], str):
            raise BadRequestError(
                f'bytes are sent as {{"b64": "..."}}; received {value}'
            )
        try:
            return base64.b64decode(value["b64"], validate=True)
        except binascii.Error as error:
            raise BadRequestError(f"b64 {value['b64']!r}: {error}") from error
    return value.encode() if isinstance(value, str) else value


def _jsonable(value: Any) -> Any:
    if isinstance(value, list):
        return [_jsonable(item) for item in value]
    if isinstance(value, bytes):
        return {"b64": base64.b64encode(value).decode()}
    return value
