"""Executor of InfraValidator: sends a day's impressions to the model as requests."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import prediction_service_pb2_grpc
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog
from tensorflow_serving.apis.prediction_log_pb2 import PredictLog
from tfx import types
from tfx.components.infra_validator import error_types
from tfx.components.infra_validator import executor as tfx_executor
from tfx.components.infra_validator import serving_bins
from tfx.types import artifact_utils
from tfx.types import standard_component_specs
from tfx.utils import path_utils

from components.artifacts import stamp
from components.infra_validator.runner import LocalServerRunner
from models.artifact_files import REASON_FILE
from models.artifact_files import REQUESTS_FILE
from models.days import DayRange
from models.errors import DataError
from models.features.table import FeatureTable
from models.progress import PROGRESS
from models.serving.contract import signatures_of
from models.serving.requests import Row
from models.serving.requests import inputs_of
from models.serving.requests import raw_rows

# In the blessing's folder: TF Serving's file of that name, and why there is none.

_CANDIDATES = 100
# Time limit of a response; a slower one would time out in production.
_ANSWER_SECONDS = 60


class Executor(tfx_executor.Executor):
    """Executor of `InfraValidator`."""

    def Do(  # noqa: N802 (TFX's name)
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Blesses the model if it can be loaded and answers every request."""
        features = FeatureTable.from_json(exec_properties["features"])
        days = DayRange(exec_properties["first_day"], exec_properties["last_day"])
        uris = artifact_utils.get_split_uris(
            input_dict[standard_component_specs.EXAMPLES_KEY],
            exec_properties["domain"],
        )
        patterns = [f"{uri}/*.parquet" for uri in uris]
        rows = list(raw_rows(patterns, features, days, most=_CANDIDATES))
        if not rows:
            raise DataError(
                f"{exec_properties['domain']!r} has no row of {days} to make requests "
                "from; ingest these days"
            )
        self._features, self._rows = features, rows
        blessing = artifact_utils.get_single_instance(
            output_dict[standard_component_specs.BLESSING_KEY]
        )
        Path(blessing.uri).mkdir(parents=True, exist_ok=True)
        stamp(blessing, fingerprint=exec_properties["fingerprint"])
        super().Do({**input_dict, "examples": []}, output_dict, exec_properties)

    def _Do(  # noqa: N802 (TFX's name)
        self,
        model: types.Artifact,
        examples: types.Artifact | None,  # noqa: ARG002 (TFX's signature)
        blessing: types.Artifact,
        serving_spec: Any,
        validation_spec: Any,
        request_spec: Any,  # noqa: ARG002
    ) -> None:
        serving_dir = Path(path_utils.serving_model_path(model.uri))
        requests = build_requests(
            serving_spec.model_name, serving_dir, self._features, self._rows
        )
        # Linked instead of copied as TFX does: the server needs only <name>/<version>.
        path = Path(self._get_tmp_dir()) / serving_spec.model_name / "1"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.symlink_to(serving_dir.resolve(), target_is_directory=True)
        (binary,) = serving_bins.parse_serving_binaries(serving_spec)
        folder = Path(blessing.uri)
        started = time.monotonic()
        try:
            self._ValidateOnce(
                str(path), binary, serving_spec, validation_spec, requests
            )
        except error_types.GracefulShutdown:
            raise
        except Exception as error:  # noqa: BLE001 (whatever it is, it is not published)
            reason = _reason(error)
            (folder / REASON_FILE).write_text(reason + "\n", encoding="utf-8")
            (folder / "INFRA_NOT_BLESSED").touch()
            stamp(blessing, blessed=0, reason=reason)
            PROGRESS.error(f"the model is not fit to be served: {reason}")
            return
        finally:
            path.unlink()
        write_warmup(folder / REQUESTS_FILE, requests)
        (folder / "INFRA_BLESSED").touch()
        stamp(blessing, blessed=1)
        seconds = time.monotonic() - started
        PROGRESS.info(
            f"a local server loaded the model and answered {len(requests)} requests "
            f"in {seconds:.1f} s"
        )

    def _ValidateOnce(  # noqa: N802 (TFX's name; TFX's own starts a container)
        self,
        model_path: str,
        serving_binary: Any,
        serving_spec: Any,  # noqa: ARG002 (TFX's signature)
        validation_spec: Any,
        requests: list[PredictRequest],
    ) -> None:
        deadline = time.time() + validation_spec.max_loading_time_seconds
        runner = LocalServerRunner(Path(model_path))
        try:
            runner.Start()
            runner.WaitUntilRunning(deadline)
            logs = runner.GetLogs()
            if logs:
                raise DataError(f"it cannot be loaded: {logs}")
            client = serving_binary.MakeClient(runner.GetEndpoint())
            client.WaitUntilModelLoaded(deadline, polling_interval_sec=1)
            send(runner.GetEndpoint(), requests)
        finally:
            runner.Stop()


def build_requests(
    name: str, serving_dir: Path, features: FeatureTable, rows: list[Row]
) -> list[PredictRequest]:
    """Returns requests to every signature: with one impression, and with all.

    Args:
        name: The model's name.
        serving_dir: The SavedModel.
        features: Its features.
        rows: Raw impressions, at least one.
    """
    requests = []
    for signature in signatures_of(serving_dir):
        for chosen in (rows[:1], rows):
            request = PredictRequest()
            request.model_spec.name = name
            request.model_spec.signature_name = signature
            for key, value in inputs_of(signature, features, chosen).items():
                request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
            requests.append(request)
    return requests


def send(endpoint: str, requests: list[PredictRequest]) -> None:
    """Sends each request and checks the response.

    Raises:
        DataError: A response is an error, or not a probability per impression.
    """
    with grpc.insecure_channel(endpoint) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        for request in requests:
            signature = request.model_spec.signature_name
            rows = max(v.tensor_shape.dim[0].size for v in request.inputs.values())
            try:
                response = stub.Predict(request, timeout=_ANSWER_SECONDS)
            except grpc.RpcError as error:
                raise DataError(
                    f"{signature} of {rows} row(s) answered {error.code().name}: "
                    f"{error.details()}"
                ) from error
            if "ctr" not in response.outputs:
                continue
            ctr = tf.make_ndarray(response.outputs["ctr"])
            if ctr.shape != (rows,) or not np.all((ctr >= 0) & (ctr <= 1)):
                raise DataError(
                    f"{signature} of {rows} row(s) answered {ctr[:5]} of shape "
                    f"{ctr.shape}; expected a probability for each row"
                )


def write_warmup(path: Path, requests: list[PredictRequest]) -> None:
    """Writes requests as TF Serving's warmup file, which is replayed on loading."""
    with tf.io.TFRecordWriter(str(path)) as writer:
        for request in requests:
            log = PredictionLog(predict_log=PredictLog(request=request))
            writer.write(log.SerializeToString())


def _reason(error: Exception) -> str:
    return str(error).strip().split("\n")[0] or type(error).__name__
