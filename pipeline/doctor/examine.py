"""All checks, in the order in which one would look."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from models.errors import ConfigError
from models.training.cluster import read_cluster
from pipeline.config.load import load_config
from pipeline.doctor.environment import DEEP
from pipeline.doctor.environment import NATIVE
from pipeline.doctor.environment import check_native
from pipeline.doctor.environment import check_packages
from pipeline.doctor.environment import check_python
from pipeline.doctor.finding import Finding
from pipeline.doctor.finding import guarded
from pipeline.doctor.finding import ok
from pipeline.doctor.finding import refused
from pipeline.doctor.paths import check_file_systems
from pipeline.doctor.paths import check_paths
from pipeline.doctor.paths import check_ports
from pipeline.doctor.paths import check_room
from pipeline.doctor.storage import check_lock
from pipeline.doctor.storage import check_metadata
from pipeline.doctor.storage import check_records
from pipeline.doctor.storage import check_results
from pipeline.doctor.storage import check_versions


def examine(
    path: Path | None, ports: dict[str, int], *, deep: bool = False
) -> Iterator[Finding]:
    """Yields the findings of all checks; nothing runs and nothing stays written.

    Args:
        path: The configuration; None to check the environment alone.
        ports: Ports of the model server by option of `crossctr serve`.
        deep: Whether TensorFlow and TFX are loaded, in a process of their own.
    """
    yield from check_python()
    yield from check_packages()
    yield from check_native((*NATIVE, *DEEP) if deep else NATIVE)
    yield from check_ports(ports)
    if path is None:
        return
    try:
        config = load_config(path)
        read_cluster()
    except ConfigError as error:
        yield refused("configuration", error)
        return
    yield ok("configuration", f"{path} is valid")
    yield from guarded("paths", lambda: check_paths(config))
    yield from guarded("paths", lambda: check_file_systems(config))
    yield from guarded("disk", lambda: check_room(config))
    yield from guarded("lock", lambda: check_lock(config.root))
    yield from guarded("metadata", lambda: check_metadata(config))
    yield from guarded("results", lambda: check_results(config))
    yield from guarded("records", lambda: check_records(config.root))
    yield from guarded("versions", lambda: check_versions(config))
