"""Pool of Beam workers for several task managers on one machine.

    python -m tests.orchestration.worker_pool PORT

Each task manager numbers its workers from 1, and Beam's pool keeps them by that number
alone: the first task manager that stops its worker 1-1 stops another's, which then
waits for ever. On a cluster each task manager has a pool of its own.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

from apache_beam.portability.api import beam_fn_api_pb2
from apache_beam.runners.worker import worker_pool_main


class SharedPool(worker_pool_main.BeamFnExternalWorkerPoolServicer):
    """Pool that keeps workers by the connection they were asked for through, too."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._lock = threading.Lock()

    def StartWorker(self, request: Any, context: Any) -> Any:  # noqa: N802 (gRPC's)
        """Starts a worker."""
        with self._lock:
            response = super().StartWorker(request, context)
            process = self._worker_processes.pop(request.worker_id, None)
            if process is not None:
                self._worker_processes[context.peer(), request.worker_id] = process
        return response

    def StopWorker(self, request: Any, context: Any) -> Any:  # noqa: N802 (gRPC's)
        """Stops a worker, if it was started through the same connection."""
        with self._lock:
            key = (context.peer(), request.worker_id)
            process = self._worker_processes.pop(key, None)
        if process is not None:
            worker_pool_main.kill_process_gracefully(process)
        return beam_fn_api_pb2.StopWorkerResponse()


def main() -> None:
    """Serves until it is killed."""
    # A server that nothing refers to ends.
    _, server = SharedPool.start(use_process=True, port=int(sys.argv[1]))
    server.wait_for_termination()


if __name__ == "__main__":
    main()
