"""What can be known before the work is said before it."""

import datetime
import json
import shutil
from collections import namedtuple

import pytest

from models.errors import ConfigError
from models.errors import StorageError
from models.features.feature import Feature
from pipeline.execution.preflight import check_before_work
from pipeline.execution.preflight import check_room
from pipeline.execution.preflight import check_writable
from tests.pipeline.planning.worlds import completed
from tests.pipeline.planning.worlds import make_config
from tests.pipeline.planning.worlds import planner

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def config(tmp_path):
    for domain in ("ads", "feeds"):
        for day in range(2, 40):
            date = datetime.date(1970, 1, 1) + datetime.timedelta(days=day - 1)
            path = tmp_path / "logs" / domain / f"date={date}" / "part.csv"
            path.parent.mkdir(parents=True)
            path.write_bytes(b"x" * 1000)
    return make_config(
        root=str(tmp_path / "runs"),
        logs=str(tmp_path / "logs"),
        serving={"directory": str(tmp_path / "serving")},
        strategy="target_only",
    )


def plan(config, known=None):
    return planner(config, known).run(30, ["target_only"])


def test_folders_are_left_as_they_were(config, tmp_path):
    check_before_work(config, plan(config))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["logs"]


@pytest.mark.parametrize("key", ["root", "serving.directory"])
def test_a_folder_that_cannot_be_made_is_named_with_its_key(config, tmp_path, key):
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "below"
    changes = {"root": folder, "serving.directory": None}
    if key == "root":
        broken = config.model_copy(update={"root": folder})
    else:
        serving = config.serving.model_copy(update={"directory": folder})
        broken = config.model_copy(update={"serving": serving})
    assert key in changes
    with pytest.raises(StorageError, match=f"{key} '{folder}' cannot be written .*set"):
        check_before_work(broken, plan(config))


def test_a_folder_of_another_system_cannot_be_written():
    with pytest.raises(StorageError, match="'/proc/crossctr-test' cannot be written"):
        check_writable(__import__("pathlib").Path("/proc/crossctr-test"), "root")


def test_what_publishes_nothing_needs_no_serving_directory(config, tmp_path):
    (tmp_path / "serving").touch()
    ingest = [step for step in plan(config) if step.kind == "ingest"]
    check_before_work(config, ingest)
    done = completed(plan(config))
    check_before_work(config, plan(config, done))


def test_a_disk_with_too_little_room_is_named(config, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(9, 9, 400 << 10))
    with pytest.raises(StorageError, match=r"0\.4 MiB of free space left, and .* MiB"):
        check_before_work(config, plan(config))
    with pytest.raises(StorageError, match="crossctr clean CONFIG"):
        check_room(tmp_path, "root", (400 << 10) + 1)
    check_room(tmp_path, "root", 400 << 10)


def test_a_cross_takes_room_by_its_buckets(config, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(9, 9, 64 << 20))
    check_before_work(config, plan(config))
    keys = {"name": "pair", "kind": "cross", "of": ["user_id", "item_id"]}
    pair = Feature(**keys, buckets=1_000_000)
    large = config.model_copy(update={"features": (*config.features, pair)})
    with pytest.raises(StorageError, match=r"64\.0 MiB of free space left"):
        check_before_work(large, plan(config))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "is not an object"),
        ('{"cluster": []}', None),
        ('{"cluster": ["a:1"]}', "has no lists of addresses"),
        ('{"cluster": {"worker": "a:1"}}', "has no lists of addresses"),
        ('{"cluster": {"ps": ["a:1"]}}', "names ps; expected"),
        ('{"cluster": {"worker": ["a:1"]}, "task": 3}', "has the task 3"),
        (
            json.dumps({"cluster": {"worker": ["a:1"]}, "task": {"type": "worker"}}),
            "has the task",
        ),
        (
            json.dumps(
                {
                    "cluster": {"worker": ["a:1"]},
                    "task": {"type": "worker", "index": 1},
                }
            ),
            "has the task worker 1, which the cluster lacks",
        ),
    ],
)
def test_tf_config_is_read_before_anything_is_trained(
    config, monkeypatch, value, message
):
    monkeypatch.setenv("TF_CONFIG", value)
    steps = plan(config)
    check_before_work(config, [step for step in steps if step.kind == "ingest"])
    if message is None:
        check_before_work(config, steps)
        return
    with pytest.raises(ConfigError, match=message):
        check_before_work(config, steps)
