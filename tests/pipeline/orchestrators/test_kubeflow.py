"""Specs of Kubeflow Pipelines, and the command lines of their containers."""

import pytest
import yaml
from click.testing import CliRunner

from models.strategies.registry import create
from pipeline import api
from pipeline.cli import group as cli
from pipeline.planning.step_kinds import kinds_of
from pipeline.store.metadata import PASSWORD
from tests.pipeline import feeds_ads

DAY = "{{$.inputs.parameters['day']}}"


@pytest.fixture
def settings(tmp_path):
    return feeds_ads.settings(tmp_path)


def _compiled(crossctr, tmp_path, *options):
    result = crossctr(
        "compile", "--runner", "kubeflow", "--output", str(tmp_path), *options
    )
    assert result.exit_code == 0, result.output
    return {
        path.stem: list(yaml.safe_load_all(path.read_text()))
        for path in (tmp_path / "feeds_ads").glob("*.yaml")
    }


def _command(spec, level, day):
    container = spec["deploymentSpec"]["executors"][f"exec-{level}"]["container"]
    words = [*container["command"], *container["args"]]
    return [word.replace(DAY, day) for word in words]


@pytest.mark.parametrize("kind", ["ecdctr", "ctnet", "target_only"])
def test_a_day_has_all_kinds_of_its_strategy_in_order_and_each_has_a_spec(
    crossctr, tmp_path, settings, kind
):
    settings |= {"strategy": "mine", "strategies": {"mine": {"kind": kind}}}
    files = _compiled(crossctr, tmp_path, "--image", "ours:1")
    kinds = [str(one) for one in kinds_of(create(kind, {}).needs(3), references=True)]
    assert set(files) == {*kinds, "day"}
    (day,) = files["day"]
    tasks = day["root"]["dag"]["tasks"]
    after = {name: task.get("dependentTasks") for name, task in tasks.items()}
    before = [None, *([one] for one in kinds[:-1])]
    assert after == dict(zip(kinds, before, strict=True))
    (target,) = files["target"]
    assert list(target["root"]["dag"]["tasks"]) == ["target"]
    assert day["pipelineInfo"]["name"] == "crossctr-feeds-ads"
    assert "defaultValue" not in day["root"]["inputDefinitions"]["parameters"]["day"]
    container = day["deploymentSpec"]["executors"]["exec-target"]["container"]
    assert container["image"] == "ours:1"


def test_volume_secret_and_day_are_in_every_spec(crossctr, tmp_path):
    options = ["--volume", "logs:/data", "--secret", "db", "--day", "2022-06-04"]
    for spec, platforms in _compiled(crossctr, tmp_path, *options).values():
        day = spec["root"]["inputDefinitions"]["parameters"]["day"]
        assert day["defaultValue"] == "2022-06-04"
        executors = platforms["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
        assert set(executors) == set(spec["deploymentSpec"]["executors"])
        for settings in executors.values():
            assert settings["pvcMount"] == [{"constant": "logs", "mountPath": "/data"}]
            (secret,) = settings["secretAsEnv"]
            assert secret["keyToEnv"] == [{"secretKey": "password", "envVar": PASSWORD}]


def test_a_volume_without_a_path_is_refused(crossctr):
    result = crossctr("compile", "--runner", "kubeflow", "--volume", "logs")
    assert result.exit_code != 0
    assert "CLAIM:PATH" in str(result.exception or "") + result.output


@pytest.mark.parametrize(
    ("strategy", "level", "kinds"),
    [
        ("ecdctr", "ingest", {"ingest"}),
        ("ecdctr", "tpm", {"ingest", "tpm"}),
        ("ecdctr", "cpm", {"ingest", "tpm", "cpm"}),
        ("ctnet", "source", {"ingest", "source"}),
        ("ctnet", "base", {"ingest", "source", "base"}),
    ],
)
def test_a_containers_command_line_plans_its_level(
    crossctr, tmp_path, settings, monkeypatch, strategy, level, kinds
):
    feeds_ads.prepare(tmp_path)
    settings["levels"] = {"tpm": {"every_days": 1}, "cpm": {"every_days": 1}}
    settings |= {"strategy": strategy, "strategies": {strategy: {}}}
    (spec,) = _compiled(crossctr, tmp_path)[level]
    command = _command(spec, level, "2022-06-04")
    planned = []
    monkeypatch.setattr(
        api, "run_steps", lambda _config, steps, _console: planned.extend(steps)
    )
    assert command[:1] == ["crossctr"]
    result = CliRunner().invoke(cli.main, command[1:])
    assert result.exit_code == 0, result.output
    assert {step.kind for step in planned} == kinds
