"""ML Metadata on a database server: addresses, passwords, and real servers."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from ml_metadata.proto import metadata_store_pb2

from models.errors import ConfigError
from pipeline.store.metadata import PASSWORD
from pipeline.store.metadata import PASSWORD_FILE
from pipeline.store.metadata import Server
from pipeline.store.metadata import connection
from pipeline.store.metadata import parse_server
from pipeline.store.reader import Store
from tests.pipeline import feeds_ads
from tests.ports import free_port

# Text as components have it, too long for a VARCHAR.
TEXT = '{"a": "{\\"b\\": 1}", "c": "it\'s ü"}' * 2000
SECRET = "hunter2-not-to-be-seen"
_PATH = os.pathsep.join([os.environ["PATH"], "/usr/sbin"])


@pytest.fixture
def settings(tmp_path):
    return feeds_ads.settings(tmp_path)


def test_an_address_names_user_host_port_and_database():
    assert parse_server("sqlite") is None
    assert parse_server("mysql://ann@db.example/ctr") == Server(
        "ann", "db.example", 3306, "ctr"
    )
    assert parse_server("mysql://a%40b@[::1]:6000/ctr") == Server(
        "a@b", "::1", 6000, "ctr"
    )


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("mysqlite", "did you mean 'sqlite'"),
        ("mysq://ann@db/ctr", "did you mean 'mysql'"),
        ("mysql://db/ctr", "user, host or database is missing"),
        ("mysql://ann@db", "user, host or database is missing"),
        ("postgresql://ann@db/ctr", "backslashes in PostgreSQL"),
        ("mysql://ann@db:70000/ctr", "port is not a number between 1 and 65535"),
    ],
)
def test_another_address_is_refused(address, message):
    with pytest.raises(ValueError, match=message):
        parse_server(address)


def test_a_password_in_the_configuration_is_refused_and_not_repeated(
    crossctr, settings
):
    settings["metadata"] = f"mysql://ann:{SECRET}@db/ctr"
    result = crossctr("validate")
    assert result.exit_code != 0
    assert "CROSSCTR_METADATA_PASSWORD_FILE" in result.output
    assert SECRET not in result.output


def test_the_password_comes_from_a_file_or_the_environment(tmp_path, monkeypatch):
    def password():
        return connection(tmp_path, "mysql://ann@db/ctr").mysql.password

    monkeypatch.setenv(PASSWORD, "from the environment")
    assert password() == "from the environment"
    (tmp_path / "secret").write_text("from a file\n")
    monkeypatch.setenv(PASSWORD_FILE, str(tmp_path / "secret"))
    assert password() == "from a file"
    for_logs = connection(tmp_path, "mysql://ann@db/ctr", with_password=False)
    assert for_logs.mysql.password == ""
    monkeypatch.setenv(PASSWORD_FILE, str(tmp_path / "gone"))
    with pytest.raises(ConfigError, match="gone', which cannot be read"):
        password()


def _program(name):
    found = shutil.which(name, path=_PATH)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def _as(user):
    """Database servers refuse to run as root."""
    return {"user": user, "group": user} if os.geteuid() == 0 else {}


@contextlib.contextmanager
def _mysql(folder):
    install, server = _program("mariadb-install-db"), _program("mariadbd")
    port, whom = free_port(), _as("mysql")
    data = folder / "data"
    defaults = [f"--datadir={data}", f"--socket={folder}/s", f"--pid-file={folder}/pid"]
    subprocess.run(
        [install, "--no-defaults", f"--datadir={data}", "--skip-test-db"],
        check=True,
        capture_output=True,
        **whom,
    )
    (folder / "init.sql").write_text(
        f"CREATE USER 'ctr'@'127.0.0.1' IDENTIFIED BY '{SECRET}';\n"
        "GRANT ALL ON crossctr.* TO 'ctr'@'127.0.0.1';\n"
    )
    running = subprocess.Popen(
        [
            server,
            "--no-defaults",
            *defaults,
            f"--port={port}",
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            f"--init-file={folder}/init.sql",
        ],
        stderr=(folder / "log").open("w"),
        **whom,
    )
    try:
        yield f"mysql://ctr@127.0.0.1:{port}/crossctr"
    finally:
        running.terminate()
        running.wait(60)


@pytest.fixture
def address(monkeypatch):
    """Returns the address of a server that runs, and sets its password."""
    # Not pytest's own folder, which other users may not enter.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        _program("mariadbd")
        if os.geteuid() == 0:
            shutil.chown(folder, "mysql", "mysql")
        with _mysql(folder) as where:
            port = int(where.rsplit(":", 1)[1].split("/")[0])
            for _ in range(600):
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                time.sleep(0.1)
            monkeypatch.setenv(PASSWORD, SECRET)
            yield where


def _vocabulary():
    """Returns an artifact type and an artifact, with a text longer than a VARCHAR."""
    kind = metadata_store_pb2.ArtifactType(name="Vocabulary")
    artifact = metadata_store_pb2.Artifact(
        uri="somewhere", state=metadata_store_pb2.Artifact.LIVE
    )
    artifact.custom_properties["fingerprint"].string_value = "f00d"
    artifact.custom_properties["last_day"].int_value = feeds_ads.FIRST_DAY
    artifact.custom_properties["report"].string_value = TEXT
    return kind, artifact


@pytest.mark.slow
def test_a_server_keeps_artifacts(address, tmp_path):
    store = Store(tmp_path, address)
    assert store.artifacts("Vocabulary") == []
    kind, artifact = _vocabulary()
    server = store.connect()
    artifact.type_id = server.put_artifact_type(kind)
    server.put_artifacts([artifact])
    found = Store(tmp_path, address).newest("Vocabulary", "f00d")
    assert found.last_day == feeds_ads.FIRST_DAY
    assert found.properties["report"] == TEXT
    assert Store(tmp_path).artifacts("Vocabulary") == []


@pytest.mark.slow
def test_a_server_keeps_what_an_ingest_writes(address, tmp_path):
    feeds_ads.prepare(tmp_path, metadata=address)
    assert "1/1" in feeds_ads.ingest(tmp_path)
    root = tmp_path / "runs"
    assert len(Store(root, address).artifacts("Vocabulary")) == 1
    assert Store(root).artifacts("Vocabulary") == []
    # The second time everything is found there.
    assert "nothing ran" in feeds_ads.ingest(tmp_path)
    for path in root.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path
