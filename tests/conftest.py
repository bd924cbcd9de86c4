"""Settings of all tests, made before TensorFlow is imported."""

import os

import pytest

import models  # noqa: F401 (chooses Keras before anything imports TensorFlow)

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Moves files with slow tests to the front, so that all processes end together."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def _object_store():
    from tests.object_store import running_store

    with running_store() as found:
        yield found


@pytest.fixture
def store(_object_store, monkeypatch):
    """An S3 server on loopback, empty and without faults, as this process's store."""
    from tests.object_store import use

    _object_store.empty()
    use(_object_store.url, monkeypatch)
    return _object_store
