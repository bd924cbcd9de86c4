"""Contract of a served model, `assets.extra/contract.json`: requests and responses.

For each signature: every input with its type, shape, side and placeholder for a missing
value, the outputs, and an example request for TF Serving: the body of REST's `POST
/v1/models/<name>:predict`, and the JSON form of gRPC's `PredictRequest`, whose
`modelSpec` lacks the model's `name`.
"""

from __future__ import annotations

import base64
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from models.artifact_files import CONTRACT_FILE
from models.artifact_files import SAVED_MODEL_FILE
from models.features.feature import Feature
from models.features.table import FeatureTable
from models.serving.requests import Row
from models.serving.requests import Tensors
from models.serving.requests import inputs_of

_CANDIDATES = 3  # in the example request of `rank`


def write_contract(features: FeatureTable, serving_dir: Path) -> None:
    """Writes the contract of the SavedModel in `serving_dir`.

    Args:
        features: The features of a request.
        serving_dir: Folder of the SavedModel, from which types and shapes are read; the
            example requests use the first ids of its vocabularies.
    """
    by_name = {feature.name: feature for feature in features.requested}
    rows = [_example_row(features, serving_dir, i) for i in range(_CANDIDATES)]
    signatures = {}
    for name, signature in signatures_of(serving_dir).items():
        tensors = inputs_of(name, features, rows if name == "rank" else rows[:1])
        signatures[name] = {
            "inputs": {
                key: {**_described(info), **_meaning(by_name.get(key))}
                for key, info in sorted(signature.inputs.items())
            },
            "outputs": {
                key: _described(info) for key, info in sorted(signature.outputs.items())
            },
            "example": {
                "rest": rest_request(name, tensors),
                "grpc": grpc_request(name, tensors),
            },
        }
    path = serving_dir / CONTRACT_FILE
    path.parent.mkdir(exist_ok=True)
    text = json.dumps({"signatures": signatures}, indent=1)
    path.write_text(text + "\n", encoding="utf-8")


def signatures_of(serving_dir: Path) -> dict[str, Any]:
    """Returns the signatures available to requests, as protos by name."""
    content = (serving_dir / SAVED_MODEL_FILE).read_bytes()
    found = SavedModel.FromString(content).meta_graphs[0].signature_def
    # Signatures with a leading underscore are internal to the loader.
    return {name: found[name] for name in sorted(found) if not name.startswith("__")}


def rest_request(signature: str, tensors: Tensors) -> dict[str, Any]:
    """Returns the body of a REST request, in the column format."""
    inputs = {
        name: [{"b64": base64.b64encode(value).decode()} for value in values]
        if name == "examples"
        else _as_json(values)
        for name, values in tensors.items()
    }
    return {"signature_name": signature, "inputs": inputs}


def grpc_request(signature: str, tensors: Tensors) -> dict[str, Any]:
    """Returns the JSON form of a PredictRequest without the model's name."""
    inputs = {
        name: json_format.MessageToDict(tf.make_tensor_proto(values))
        for name, values in tensors.items()
    }
    return {"modelSpec": {"signatureName": signature}, "inputs": inputs}


def _as_json(values: Any) -> Any:
    # The example ids were read as UTF-8; ids that are not UTF-8 are sent as {"b64":
    # ...}.
    nested = values.tolist() if isinstance(values, np.ndarray) else values
    if isinstance(nested, list):
        return [_as_json(value) for value in nested]
    return nested.decode() if isinstance(nested, bytes) else nested


def _described(info: Any) -> dict[str, Any]:
    shape = [None if dim.size < 0 else dim.size for dim in info.tensor_shape.dim]
    return {"dtype": tf.dtypes.as_dtype(info.dtype).name, "shape": shape}


def _meaning(feature: Feature | None) -> dict[str, Any]:
    if feature is None:
        return {}
    missing = feature.feature_kind.missing
    return {
        "kind": feature.kind,
        "side": feature.served_side,
        "missing": missing.decode() if isinstance(missing, bytes) else str(missing),
    }


def _example_row(features: FeatureTable, serving_dir: Path, index: int) -> Row:
    row: dict[str, Any] = {}
    for feature in features.requested:
        example = feature.feature_kind.example
        if example is None:
            ids = _first_ids(serving_dir / "assets" / f"{feature.table}.txt")
            row[feature.name] = [ids[index % len(ids)]]
        else:
            row[feature.name] = [example] * (feature.length or 1)
    return row


def _first_ids(path: Path) -> list[str]:
    # A hashed id space has no file, an empty vocabulary no line.
    if not path.is_file():
        return ["any id"]
    with path.open(encoding="utf-8", errors="replace") as file:
        ids = [line.rstrip("\n") for line in itertools.islice(file, _CANDIDATES)]
    return ids or ["any id"]
