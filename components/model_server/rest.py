"""TensorFlow Serving's REST routes for status and predict.

    GET  /v1/models/NAME[/versions/V|/labels/L]
    POST /v1/models/NAME[/versions/V|/labels/L]:predict

with the body `{"signature_name": ..., "instances": [...]}` (a row each) or
`{"signature_name": ..., "inputs": {...}}` (a column each).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import tensorflow as tf

from components.model_server.errors import BadRequestError
from components.model_server.http_server import Answer
from components.model_server.http_server import error_answer
from components.model_server.json_tensors import array_of
from components.model_server.json_tensors import jsonable
from components.model_server.json_tensors import parse
from components.model_server.json_tensors import short
from components.model_server.predictions import inputs_of
from components.model_server.predictions import predict
from components.model_server.versions import Loaded
from components.model_server.versions import ModelVersions
from components.model_server.versions import NoSuchVersionError
from models.artifact_files import CONTRACT_FILE

_ROUTE = re.compile(
    r"/v1/models/(?P<name>[^/:]+)"
    r"(/versions/(?P<version>[0-9]{1,19})|/labels/(?P<label>[^/:]+))?"
    r"(?P<predict>:predict)?"
)
_OK = {"error_code": "OK", "error_message": ""}


def respond(
    models: Mapping[str, ModelVersions], method: str, target: str, body: bytes
) -> Answer:
    """Returns the answer to a request.

    Args:
        models: What is served, by name.
        method: HTTP's.
        target: Path, with or without a query.
        body: As it came.
    """
    found = _ROUTE.fullmatch(unquote(target.partition("?")[0]))
    if found is None:
        return error_answer(
            404, f"no route {short(target)}; expected /v1/models/NAME[:predict]"
        )
    allowed = "POST" if found["predict"] else "GET"
    if method != allowed:
        message = f"{short(method)} is not allowed here; expected {allowed}"
        return error_answer(405, message, Allow=allowed)
    model = models.get(found["name"])
    if model is None:
        known = ", ".join(models)
        return error_answer(
            404, f"no model {short(found['name'])} is served; served: {known}"
        )
    version = int(found["version"]) if found["version"] else None
    label = found["label"] or ""
    try:
        if method == "GET":
            return Answer(200, _status(model, version, label))
        with model.use(version, label) as loaded:
            return Answer(200, answer(loaded, parse(body)))
    except NoSuchVersionError as error:
        return error_answer(404, str(error))
    except BadRequestError as error:
        return error_answer(400, str(error))


def _status(model: ModelVersions, version: int | None, label: str) -> dict[str, Any]:
    loaded = {v: ("AVAILABLE", _OK) for v in reversed(model.loaded)}
    failed = {
        v: ("END", {"error_code": "INTERNAL", "error_message": reason})
        for v, reason in list(model.failed.items())
    }
    states = loaded | failed
    if label or (version is not None and version not in failed):
        with model.use(version, label) as found:
            version = found.version
    return {
        "model_version_status": [
            {"version": str(v), "state": state, "status": status}
            for v, (state, status) in states.items()
            if version in (None, v)
        ]
    }


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
    name = body.get("signature_name", "")
    if not isinstance(name, str):
        raise BadRequestError(f"`signature_name` must be a string, not {short(name)}")
    name = name or "serving_default"
    expected = inputs_of(loaded.scorer, name)
    if "inputs" in body:
        columns = _named(body["inputs"], list(expected))
    else:
        columns = _columns(body["instances"], list(expected))
    arrays = {
        key: array_of(key, columns[key], tf.dtypes.as_dtype(info.dtype).as_numpy_dtype)
        for key, info in expected.items()
    }
    outputs = jsonable(predict(loaded.scorer, name, arrays))
    only = next(iter(outputs.values())) if len(outputs) == 1 else None
    if "inputs" in body:
        return {"outputs": outputs if only is None else only}
    if only is not None:
        return {"predictions": only}
    rows = [
        dict(zip(outputs, row, strict=True))
        for row in zip(*outputs.values(), strict=True)
    ]
    return {"predictions": rows}


def _named(inputs: Any, expected: list[str]) -> dict[str, Any]:
    """Returns the columns of `inputs`; what the signature has not is ignored."""
    if not _is_object(inputs):
        if len(expected) > 1:
            raise BadRequestError(
                f"`inputs` must be an object that names {', '.join(expected)}; "
                f"received {short(inputs)}"
            )
        return dict.fromkeys(expected, inputs)
    lacking = [name for name in expected if name not in inputs]
    if lacking:
        raise BadRequestError(f"`inputs` lacks {', '.join(lacking)}")
    return dict(inputs)


def _columns(instances: Any, expected: list[str]) -> dict[str, list[Any]]:
    """Returns the columns of rows that name every input and nothing else."""
    if not isinstance(instances, list) or not instances:
        raise BadRequestError("`instances` must be a list of at least one row")
    if len(expected) == 1 and not _is_object(instances[0]):
        return dict.fromkeys(expected, instances)
    for index, row in enumerate(instances):
        if not _is_object(row):
            raise BadRequestError(
                f"row {index} of `instances` must be an object that names "
                f"{', '.join(expected)}; received {short(row)}"
            )
        lacking = [name for name in expected if name not in row]
        if lacking:
            raise BadRequestError(
                f"row {index} of `instances` lacks {', '.join(lacking)}; a missing "
                f"value is sent as '', -1 or NaN ({Path(CONTRACT_FILE).name} beside "
                "the model)"
            )
        others = [name for name in row if name not in expected]
        if others:
            raise BadRequestError(
                f"row {index} of `instances` names {short(others)}, which "
                f"the signature has not; it has {', '.join(expected)}"
            )
    return {name: [row[name] for row in instances] for name in expected}


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and set(value) != {"b64"}
