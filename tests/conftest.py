"""Settings of all tests, made before TensorFlow is imported."""

import gc
import os

import pytest

import models  # noqa: F401 (chooses Keras before anything imports TensorFlow)

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# Modules stay, so that nothing is gained by going through them again and again.
gc.disable()


def pytest_collection_finish() -> None:
    """Leaves what was imported out of garbage collection, which starts here."""
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Moves the longest files to the front, so that all processes end together."""
    marked = {
        name: {item.path for item in items if item.get_closest_marker(name)}
        for name in ("long", "slow")
    }
    items.sort(key=lambda item: [item.path not in paths for paths in marked.values()])


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
