"""Both protocols on their ports, and the look at the folder from time to time."""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Sequence
from concurrent import futures
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
from tensorflow_serving.apis import model_service_pb2_grpc
from tensorflow_serving.apis import prediction_service_pb2_grpc

from components.model_server.service import ModelService
from components.model_server.service import PredictionService
from components.model_server.versions import ModelVersions
from models.errors import DataError

if TYPE_CHECKING:
    from components.model_server.http_server import Limits

_log = logging.getLogger("crossctr.serve")

# A request of 10,000 candidates with long lists has a few megabytes.
_MOST_BYTES = 256 * 2**20
# gRPC calls that are open at once; as many as REST has connections.
_MOST_CALLS = 64


class ModelServer:
    """Serves the published versions of some models until it is stopped.

    Args:
        folders: `<directory>/<name>` of each model.
        host: Address to listen on.
        port: gRPC port; 0 for any free one.
        rest_port: REST port; 0 for any free one, None for none.
        poll_seconds: How often the folders are looked at for other versions.
        threads: Requests answered at once by each protocol.
        limits: What REST clients may take; None for the defaults.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        rest_port: int | None = None,
        poll_seconds: float = 1.0,
        threads: int = 4,
        limits: Limits | None = None,
    ) -> None:
        self.models = {folder.name: ModelVersions(folder) for folder in folders}
        self._poll_seconds = poll_seconds
        self._stopping = threading.Event()
        self._grpc = grpc.server(
            futures.ThreadPoolExecutor(threads),
            # More are refused with RESOURCE_EXHAUSTED instead of waiting in memory.
            maximum_concurrent_rpcs=_MOST_CALLS,
            options=[
                ("grpc.max_receive_message_length", _MOST_BYTES),
                ("grpc.max_send_message_length", _MOST_BYTES),
                # Else two servers share a port, and requests go to either.
                ("grpc.so_reuseport", 0),
            ],
        )
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            PredictionService(self.models), self._grpc
        )
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(
            ModelService(self.models), self._grpc
        )
        try:
            self.port = self._grpc.add_insecure_port(f"{host}:{port}")
        except RuntimeError:
            self.port = 0
        if not self.port:
            raise DataError(_taken(host, port, "--port"))
        self._rest = None
        self.rest_port = None
        if rest_port is not None:
            # Imported late: the check that a model can be served needs no REST.
            from components.model_server import http_server
            from components.model_server import rest

            try:
                self._rest = http_server.HttpServer(
                    (host, rest_port),
                    functools.partial(rest.respond, self.models),
                    limits or http_server.Limits(at_once=threads),
                )
            except OSError as error:
                raise DataError(_taken(host, rest_port, "--rest-port")) from error
            self.rest_port = self._rest.server_address[1]
        self._polling = threading.Thread(target=self._poll, daemon=True)

    def start(self) -> None:
        """Loads what is published and begins to answer."""
        self.refresh()
        self._grpc.start()
        if self._rest is not None:
            self._rest.start()
        self._polling.start()

    def refresh(self) -> None:
        """Looks at the folders now."""
        for model in self.models.values():
            model.refresh()

    def stop(self) -> None:
        """Answers what has come in and unloads everything."""
        self._stopping.set()
        self._grpc.stop(grace=5).wait()
        if self._rest is not None:
            self._rest.stop()
        if self._polling.is_alive():
            self._polling.join()
        for model in self.models.values():
            model.close()

    def _poll(self) -> None:
        while not self._stopping.wait(self._poll_seconds):
            try:
                self.refresh()
            except Exception:  # noqa: BLE001 (a broken file must not end the server)
                _log.exception("cannot look for other versions; trying again")


def _taken(host: str, port: int, option: str) -> str:
    return (
        f"cannot listen on {host}:{port}; is another server using it? Choose another "
        f"with {option}"
    )
