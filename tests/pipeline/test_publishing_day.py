"""Days between two ticks of the target's clock, published under their own dates."""

import json

import pytest
from click.testing import CliRunner

from components.publisher.labels import Labels
from components.publisher.labels import read_labels
from models.days import to_date
from pipeline.cli.group import main
from pipeline.store.results import known_state
from tests.pipeline.planning.worlds import make_config
from tests.pipeline.planning.worlds import planner
from tests.pipeline.release.refused import World

pytestmark = pytest.mark.slow  # imports TFX

TICK, DAY = 39, 41


def _publisher(config, day):
    """Returns the Publisher of the run of `day`, and the day its model trained for."""
    from pipeline.graphs.factory import graph_for

    step = planner(config).run(day, ["target_only"])[-1]
    nodes = {node.id: node for node in graph_for(config, step).components}
    return nodes["Publisher"], step.day


@pytest.fixture
def config(tmp_path):
    return make_config(
        root=tmp_path,
        strategy="target_only",
        levels={
            "tpm": {"every_days": 10, "window_days": 20},
            "cpm": {"every_days": 5, "window_days": 10},
            "target": {"every_days": 3, "window_days": 7},
        },
    )


def test_the_publisher_is_told_the_runs_day(config):
    publisher, trained_for = _publisher(config, DAY)
    assert trained_for == TICK
    assert publisher.exec_properties["day"] == DAY


def _run_publisher(world, config, day, *, approved=True, name="m"):
    """Runs the Publisher of the run of `day` on the model `name`; stores its word."""
    from tfx.types import standard_artifacts

    from components import artifacts
    from components.artifacts import stamp
    from components.publisher.component import Publisher

    gate = world.folder / f"gate-{day}"
    gate.mkdir()
    decision = {"strategy": "target_only", "approved": approved, "reasons": []}
    decision["state"] = "cold_start"
    (gate / "decision.json").write_text(json.dumps(decision))
    serving = world.folder / name / "Format-Serving"
    serving.mkdir(parents=True, exist_ok=True)
    (serving / "saved_model.pb").write_text(name)
    trained = world.folder / name / "Format-Train"
    trained.mkdir(exist_ok=True)
    (trained / "report.json").write_text("{}")
    blessing_folder = world.folder / f"blessing-{day}"
    blessing_folder.mkdir()
    (blessing_folder / "tf_serving_warmup_requests").write_text("")

    model = standard_artifacts.Model()
    model.uri = str(world.folder / name)
    stamp(model, fingerprint=name, first_day=1, last_day=TICK - 1)
    given = artifacts.GateDecision()
    given.uri = str(gate)
    blessing = standard_artifacts.InfraBlessing()
    blessing.uri = str(blessing_folder)
    stamp(blessing, blessed=1)
    published = artifacts.PublishedModel()
    published.uri = str(world.folder / f"published-{day}")
    publisher, _ = _publisher(config, day)
    properties = publisher.exec_properties | {
        "name": "xmarket",
        "directory": str(world.serving.parent),
        "fingerprint": f"step-{day}",
    }
    Publisher.test_call(
        model=model,
        decision=given,
        infra_blessing=blessing,
        published=published,
        **properties,
    )
    world.add("GateDecision", gate, fingerprint=f"step-{day}")
    world.add("Model", model.uri, fingerprint=name, last_day=TICK - 1)
    said = {
        "fingerprint": f"step-{day}",
        "model_fingerprint": name,
        "day": published.get_int_custom_property("day"),
        "pushed": published.get_int_custom_property("pushed"),
        "path": published.get_string_custom_property("path"),
        "infra_reason": published.get_string_custom_property("infra_reason"),
    }
    world.add("PublishedModel", published.uri, **said)
    return said


@pytest.fixture
def world(tmp_path):
    (tmp_path / "world").mkdir()
    return World(tmp_path / "world")


def _promote(world, day):
    return world.run("--day", str(to_date(day)), "--reason", "why")


def _version(day):
    return int(f"{to_date(day):%Y%m%d}00")


def test_a_refused_day_between_ticks_is_found_and_published_under_its_date(
    world, config
):
    said = _run_publisher(world, config, DAY, approved=False)
    assert (said["day"], said["pushed"]) == (DAY, 0)
    result = _promote(world, DAY)
    assert result.exit_code == 0, result.output
    assert (world.serving / str(_version(DAY))).is_dir()
    assert _promote(world, TICK).exit_code == 2


def test_a_day_that_reuses_the_ticks_model_is_found_under_the_ticks_version(
    world, config
):
    _run_publisher(world, config, TICK)
    said = _run_publisher(world, config, DAY)
    assert (said["day"], said["pushed"]) == (DAY, 1)
    assert said["path"] == str(world.serving / str(_version(TICK)))
    assert _promote(world, DAY).exit_code == 0
    labels = read_labels(world.serving.parent, "xmarket")
    assert labels == Labels(_version(TICK))
    assert [day for day, _ in known_state(world.store).live] == [TICK, DAY]
    shown = CliRunner().invoke(main, ["versions", str(world.path)]).output
    assert shown.count("stable") == 1


def test_a_model_that_was_withdrawn_does_not_come_back_with_the_next_day(world, config):
    _run_publisher(world, config, TICK)
    arguments = ["rollback", str(world.path), "--reason", "bad", "--take-offline"]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    said = _run_publisher(world, config, DAY)
    assert (said["pushed"], said["path"]) == (0, "")
    assert (
        f"version {_version(TICK)} of this model was withdrawn" in said["infra_reason"]
    )
    assert not known_state(world.store).live
    result = _promote(world, DAY)
    assert result.exit_code == 0, result.output
    assert "despite: " in result.output
    assert read_labels(world.serving.parent, "xmarket") == Labels(_version(DAY))
