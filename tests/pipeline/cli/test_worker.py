"""Command `worker`: joins a training; alone it refuses to overwrite a model."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from models.training import worker
from pipeline.cli.group import main

TWO = {"worker": ["localhost:1", "localhost:2"]}


def tf_config(index, cluster=None, kind="worker"):
    task = {"type": kind, "index": index}
    return json.dumps({"cluster": cluster or TWO, "task": task})


@pytest.fixture
def inputs(tmp_path):
    path = tmp_path / "inputs.json"
    path.write_text("{}")
    return path


@pytest.mark.parametrize(
    "config",
    [
        "",
        tf_config(0),
        tf_config(0, {"worker": ["localhost:1"]}),
        tf_config(0, {"chief": ["localhost:1"], "worker": ["localhost:2"]}, "chief"),
    ],
    ids=["none", "worker 0", "one worker", "chief"],
)
def test_a_process_that_would_be_the_chief_is_refused(inputs, monkeypatch, config):
    monkeypatch.setenv("TF_CONFIG", config)
    result = CliRunner().invoke(main, ["worker", str(inputs)])
    assert result.exit_code == 2, result.output
    assert "would write over the chief's model; set it to the chief's" in result.output


@pytest.mark.parametrize(
    "config",
    [
        tf_config(1),
        tf_config(0, {"chief": ["localhost:1"], "worker": ["localhost:2"]}),
    ],
    ids=["worker 1", "worker 0 beside a chief"],
)
def test_a_further_worker_trains_what_the_chief_wrote_down(inputs, monkeypatch, config):
    trained = []
    monkeypatch.setenv("TF_CONFIG", config)
    monkeypatch.setattr(worker, "run_level", trained.append)
    monkeypatch.setattr(
        worker.LevelInputs, "model_validate_json", lambda text: ("inputs of", text)
    )
    result = CliRunner().invoke(main, ["worker", str(inputs)])
    assert result.exit_code == 0, result.output
    assert trained == [("inputs of", "{}")]


@pytest.mark.parametrize("content", [b"{}", b"no JSON", b"\xff"])
def test_a_file_that_is_not_valid_inputs_is_refused(inputs, monkeypatch, content):
    monkeypatch.setenv("TF_CONFIG", tf_config(1))
    inputs.write_bytes(content)
    result = CliRunner().invoke(main, ["worker", str(inputs)])
    assert result.exit_code == 2, result.output
    assert result.output.startswith(f"Bad data: {inputs} is not a level's inputs")


def test_a_missing_file_is_named():
    result = CliRunner().invoke(main, ["worker", "gone.json"])
    assert result.exit_code == 2
    assert "'gone.json' does not exist" in result.output
