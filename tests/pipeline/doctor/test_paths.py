"""Doctor's checks of paths, disk and ports, each problem caused."""

import errno
import shutil
import socket
import tempfile
from pathlib import Path

import pytest

from pipeline.config.load import load_config
from pipeline.doctor.finding import Status
from pipeline.doctor.paths import check_file_systems
from pipeline.doctor.paths import check_paths
from pipeline.doctor.paths import check_ports
from pipeline.doctor.paths import check_room
from tests.misuse.world import build


@pytest.fixture
def world(tmp_path):
    """Returns a function that builds the project with keys set."""

    def made(**changes):
        build(tmp_path / "world", {"set": changes})
        return load_config(tmp_path / "world" / "config.yaml")

    return made


def problems(findings):
    return [found for found in findings if found.status == Status.PROBLEM]


def test_a_healthy_project_has_none(world, tmp_path):
    config = world()
    before = sorted(tmp_path.rglob("*"))
    findings = [*check_paths(config), *check_room(config)]
    assert problems(findings) == []
    assert sorted(tmp_path.rglob("*")) == before
    assert any("feeds 3, ads 3" in found.text for found in findings)


@pytest.mark.parametrize("key", ["root", "serving.directory"])
def test_a_folder_that_cannot_be_made_is_named(world, key):
    config = world(**{key: "{world}/schema.pbtxt/below"})
    (found,) = problems(check_paths(config))
    assert f"{key} '" in found.text
    assert "cannot be written" in found.text


def test_what_is_not_there_is_named_with_what_writes_it(world):
    config = world()
    config.schema_path.unlink()
    shutil.rmtree(config.logs / "ads")
    for day in (config.logs / "feeds").iterdir():
        shutil.rmtree(day)
    schema, logs = problems(check_paths(config))
    assert "there is no schema file" in schema.text
    assert "crossctr schema infer" in schema.fix
    assert logs.text == f"no day of logs of feeds, ads in {config.logs}"
    assert "date=YYYY-MM-DD" in logs.fix


def test_withdrawn_versions_have_to_be_on_the_same_file_system(world, tmp_path):
    elsewhere = Path("/dev/shm")
    if not elsewhere.is_dir() or elsewhere.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system")
    config = world()
    folder = config.serving.directory / "tiny"
    (folder / ".withdrawn").mkdir(parents=True)
    (found,) = check_file_systems(config)
    assert found.status == Status.OK
    (folder / ".withdrawn").rmdir()
    with tempfile.TemporaryDirectory(dir=elsewhere) as other:
        (folder / ".withdrawn").symlink_to(other)
        (found,) = problems(check_file_systems(config))
    assert "is on another file system than" in found.text


def test_tables_that_do_not_fit_on_the_disk_are_a_problem(world):
    # Nothing of that size is allocated.
    config = world(
        **{"network.width": 65_536, "vocabularies.user.capacity": 50_000_000}
    )
    root, serving = problems(check_room(config))
    assert root.text.startswith("root: ")
    assert "all logs and models" in root.text
    assert serving.text.startswith("serving.directory: ")
    assert "crossctr clean CONFIG" in root.fix


def test_a_port_that_is_taken_is_a_warning():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        (found,) = check_ports({"--port": port})
        assert found.status == Status.WARNING
        assert f"127.0.0.1:{port} is taken" in found.text
        assert "another --port" in found.fix
    (found,) = check_ports({"--port": port})
    assert found.status == Status.OK


def test_a_port_that_may_not_be_used_is_not_called_taken(monkeypatch):
    def refused(_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket, "create_server", refused)
    (found,) = check_ports({"--port": 80})
    assert found.text == "127.0.0.1:80 cannot be used (Permission denied)"
    assert "another --port" in found.fix
