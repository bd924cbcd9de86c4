"""TensorFlow Serving's gRPC services, as far as the published models need them."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import grpc
import tensorflow as tf
from google.protobuf import any_pb2
from tensorflow_serving.apis import get_model_metadata_pb2
from tensorflow_serving.apis import get_model_status_pb2
from tensorflow_serving.apis import model_service_pb2_grpc
from tensorflow_serving.apis import predict_pb2
from tensorflow_serving.apis import prediction_service_pb2_grpc

from components.model_server.errors import BadRequestError
from components.model_server.predictions import predict
from components.model_server.versions import Loaded
from components.model_server.versions import ModelVersions
from components.model_server.versions import NoSuchVersionError

Models = Mapping[str, ModelVersions]

# A tensor of one value may claim any shape, and is filled up to it when it is unpacked.
_MAX_VALUES = 2**26

_AVAILABLE = get_model_status_pb2.ModelVersionStatus.AVAILABLE
_END = get_model_status_pb2.ModelVersionStatus.END


@contextlib.contextmanager
def _wanted(models: Models, spec: Any, context: Any) -> Iterator[Loaded]:
    """Gives the version that a ModelSpec names; ends the call if there is none."""
    if spec.name not in models:
        context.abort(
            grpc.StatusCode.NOT_FOUND,
            f"no model {spec.name!r} is served; served: {', '.join(models)}",
        )
    version = spec.version.value if spec.HasField("version") else None
    try:
        with models[spec.name].use(version, spec.version_label) as loaded:
            yield loaded
    except NoSuchVersionError as error:
        context.abort(grpc.StatusCode.NOT_FOUND, str(error))


def _array(name: str, value: Any) -> Any:
    size = math.prod(dim.size for dim in value.tensor_shape.dim)
    if not 0 <= size <= _MAX_VALUES:
        raise BadRequestError(
            f"input {name} has {size:,} values; expected 0 to {_MAX_VALUES:,}"
        )
    return tf.make_ndarray(value)


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict and GetModelMetadata."""

    def __init__(self, models: Models) -> None:
        """Remembers the models by name."""
        self._models = models

    def Predict(self, request: Any, context: Any) -> Any:  # noqa: N802 (gRPC's name)
        """Answers with every output of the signature, by one version alone."""
        with _wanted(self._models, request.model_spec, context) as loaded:
            name = request.model_spec.signature_name or "serving_default"
            try:
                inputs = {
                    key: _array(key, value) for key, value in request.inputs.items()
                }
                outputs = predict(loaded.scorer, name, inputs)
            except (BadRequestError, ValueError, TypeError) as error:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
            except tf.errors.OpError as error:
                context.abort(grpc.StatusCode.INTERNAL, str(error.message))
            response = predict_pb2.PredictResponse()
            for key, value in outputs.items():
                response.outputs[key].CopyFrom(tf.make_tensor_proto(value))
            response.model_spec.name = request.model_spec.name
            response.model_spec.version.value = loaded.version
            response.model_spec.signature_name = name
            return response

    def GetModelMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Answers with the signatures."""
        with _wanted(self._models, request.model_spec, context) as loaded:
            signatures = get_model_metadata_pb2.SignatureDefMap()
            for name, signature in loaded.scorer.signatures.items():
                signatures.signature_def[name].CopyFrom(signature)
            packed = any_pb2.Any()
            packed.Pack(signatures)
            response = get_model_metadata_pb2.GetModelMetadataResponse()
            response.metadata["signature_def"].CopyFrom(packed)
            response.model_spec.name = request.model_spec.name
            response.model_spec.version.value = loaded.version
            return response


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """GetModelStatus."""

    def __init__(self, models: Models) -> None:
        """Remembers the models by name."""
        self._models = models

    def GetModelStatus(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Answers with the versions that are loaded and those that failed to be."""
        name = request.model_spec.name
        if name not in self._models:
            context.abort(grpc.StatusCode.NOT_FOUND, f"no model {name!r} is served")
        response = get_model_status_pb2.GetModelStatusResponse()
        model = self._models[name]
        for version in model.loaded:
            response.model_version_status.add(version=version, state=_AVAILABLE)
        for version, reason in list(model.failed.items()):
            status = response.model_version_status.add(version=version, state=_END)
            status.status.error_code = grpc.StatusCode.INTERNAL.value[0]
            status.status.error_message = reason
        return response
