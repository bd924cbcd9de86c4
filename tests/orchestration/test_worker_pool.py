"""Pool of workers of the Flink check: task managers that number workers alike."""

from types import SimpleNamespace

import pytest
from apache_beam.portability.api import beam_fn_api_pb2
from apache_beam.runners.worker import worker_pool_main

from tests.orchestration.worker_pool import SharedPool


@pytest.fixture
def stopped(monkeypatch):
    """Replaces processes by the address they serve; returns the stopped ones."""
    found = []
    monkeypatch.setattr(
        worker_pool_main.subprocess, "Popen", lambda command, **_: command[-1]
    )
    monkeypatch.setattr(worker_pool_main, "kill_process_gracefully", found.append)
    return found


def test_a_task_manager_stops_its_own_worker(stopped):
    pool = SharedPool(use_process=True)
    first, second = (SimpleNamespace(peer=lambda n=n: f"port {n}") for n in (1, 2))
    for context, address in ((first, "localhost:11"), (second, "localhost:22")):
        request = beam_fn_api_pb2.StartWorkerRequest(
            worker_id="1-1", control_endpoint={"url": address}
        )
        assert not pool.StartWorker(request, context).error
    stop = beam_fn_api_pb2.StopWorkerRequest(worker_id="1-1")
    pool.StopWorker(stop, first)
    pool.StopWorker(stop, first)  # a second time
    assert len(stopped) == 1
    assert "localhost:11" in stopped[0]
    pool.StopWorker(stop, second)
    assert "localhost:22" in stopped[1]
