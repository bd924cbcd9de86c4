"""Doctor's checks of what is stored, each problem caused."""

import shutil
import sqlite3
import subprocess
import sys
from types import SimpleNamespace

import pytest

from components.publisher.labels import Labels
from components.publisher.labels import write_labels
from models.artifact_files import SAVED_MODEL_FILE
from models.errors import DataError
from pipeline.config.load import load_config
from pipeline.doctor.finding import Status
from pipeline.doctor.finding import guarded
from pipeline.doctor.storage import check_lock
from pipeline.doctor.storage import check_metadata
from pipeline.doctor.storage import check_records
from pipeline.doctor.storage import check_results
from pipeline.doctor.storage import check_versions
from pipeline.store.metadata import METADATA_FILE
from tests.misuse.world import build
from tests.pipeline.execution.holder import HOLDER
from tests.pipeline.store.whole_root import Stored


@pytest.fixture
def stored(tmp_path):
    """A root with metadata and artifacts that are all there."""
    return Stored(tmp_path)


def the_one(findings):
    (found,) = findings
    return found


def test_a_whole_root_has_no_problem(stored):
    checks = (check_metadata, check_results, check_versions)
    findings = [one for check in checks for one in check(stored.config)]
    assert {one.status for one in findings} == {Status.OK}
    assert len(findings) == 3


def test_metadata_that_is_damaged_in_the_middle_is_a_problem(stored):
    path = stored.config.root / METADATA_FILE
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096)
    found = the_one(check_metadata(stored.config))
    assert found.status == Status.PROBLEM
    assert "restore it together with the artifacts" in found.fix


def test_metadata_that_is_cut_off_is_a_problem(stored):
    path = stored.config.root / METADATA_FILE
    path.write_bytes(path.read_bytes()[:5000])
    found = the_one(guarded("metadata", lambda: check_metadata(stored.config)))
    assert found.status == Status.PROBLEM
    assert "is cut off: 5,000 of" in found.text


def test_metadata_that_another_process_writes_is_a_warning(stored):
    path = stored.config.root / METADATA_FILE
    before = path.read_bytes()
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    found = the_one(check_metadata(stored.config))
    writer.execute("ROLLBACK")
    writer.close()
    assert found.status == Status.WARNING
    assert "is locked" in found.text
    assert the_one(check_metadata(stored.config)).status == Status.OK
    assert path.read_bytes() == before


def test_a_database_server_that_does_not_answer_is_a_problem(tmp_path):
    build(tmp_path / "world", {"set": {"metadata": "mysql://me@127.0.0.1:1/ads"}})
    config = load_config(tmp_path / "world" / "config.yaml")
    found = the_one(check_metadata(config))
    assert found.status == Status.PROBLEM
    assert "nothing answers at 127.0.0.1:1" in found.text


def test_a_root_that_is_held_names_the_command(tmp_path):
    assert the_one(check_lock(tmp_path / "runs")).status == Status.OK
    assert not (tmp_path / "runs").exists()
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path / "runs"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline() == "held\n"
        found = the_one(check_lock(tmp_path / "runs"))
    finally:
        process.kill()
        process.wait()
    assert found.status == Status.WARNING
    assert "`crossctr run x.yaml --day 2024-02-23` (process " in found.text
    # A killed command holds nothing.
    assert the_one(check_lock(tmp_path / "runs")).status == Status.OK


def test_lost_files_and_half_written_folders_are_named(stored, monkeypatch):
    shutil.rmtree(stored.folder_of("Model"))
    half = stored.config.root / "artifacts" / "Model" / "output" / "7"
    half.mkdir(parents=True)
    (half / "part").touch()
    made = SimpleNamespace(uri=str(stored.folder_of("Model")))
    monkeypatch.setattr("pipeline.store.leftovers.makers", lambda _: [(made, ())])
    lost, left = check_results(stored.config)
    assert (lost.status, left.status) == (Status.PROBLEM, Status.WARNING)
    assert str(stored.folder_of("Model")) in lost.text
    assert "--lost --yes" in lost.fix
    assert str(half) in left.text


def test_versions_without_a_model_and_half_written_ones_are_named(stored):
    for name in ("2019010100", "2019010200", ".2019010300.writing"):
        (stored.serving / name).mkdir(parents=True)
    (stored.serving / "2019010100" / SAVED_MODEL_FILE).touch()
    empty, half = check_versions(stored.config)
    assert empty.status == Status.PROBLEM
    assert empty.text == f"no SavedModel in {stored.serving / '2019010200'}"
    assert half.status == Status.WARNING
    assert ".2019010300.writing" in half.text


def test_a_version_that_servers_look_for_in_vain_is_named(stored):
    (stored.serving / "2019010100").mkdir(parents=True)
    (stored.serving / "2019010100" / SAVED_MODEL_FILE).touch()
    directory = stored.serving.parent
    write_labels(directory, "xmarket", Labels(2019010200), "/models")
    with pytest.raises(DataError, match="tells servers to load 2019010200"):
        list(check_versions(stored.config))


def test_a_record_that_is_not_json_is_a_problem(tmp_path):
    folder = tmp_path / "runs" / "20240301T000000-1"
    folder.mkdir(parents=True)
    (folder / "steps.json").write_text("{}")
    assert list(check_records(tmp_path)) == []
    (folder / "config.json").write_text("{")
    found = the_one(check_records(tmp_path))
    assert found.status == Status.PROBLEM
    assert str(folder / "config.json") in found.text
