"""Reasons why a step is due: new, interrupted, or changed."""

import dataclasses

import pytest

from pipeline.config.load import dump
from pipeline.execution.run_records import RunRecorder
from pipeline.planning.reasons import CONFIG_FILE
from pipeline.planning.reasons import Earlier
from pipeline.planning.reasons import flattened
from pipeline.planning.reasons import read_earlier
from pipeline.planning.reasons import settings_of
from pipeline.planning.reasons import why_due
from tests.pipeline.planning.worlds import make_config
from tests.pipeline.planning.worlds import planner


def plan(code="code", day=38, **changes):
    config = make_config(**changes)
    return planner(config, code=code).run(day, ["target_only"]), settings_of(config)


def why(steps, before, code="code", state="done"):
    """Returns the reasons of a plan, in its order, after an earlier one."""
    planned, settings = steps
    ran, settings_before = before
    earlier = [Earlier(step, state, "code", settings_before) for step in ran]
    reasons = why_due(planned, earlier, code, settings)
    return [reasons[step.fingerprint] for step in planned]


def test_what_no_command_has_run_is_not_there_yet():
    assert why(plan(), ([], {})) == ["not made yet"] * 3


def test_a_step_that_is_done_has_no_reason():
    steps, settings = plan()
    done = [dataclasses.replace(step, done=True) for step in steps]
    assert why_due(done, [], "code", settings) == {}


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("failed", "failed before"),
        ("due", "an earlier command ended before it was done"),
        ("done", "what an earlier command made is no longer stored"),
    ],
)
def test_the_same_step_again_says_how_it_ended(state, reason):
    assert why(plan(), plan(), state=state) == [reason] * 3


def test_changed_code_is_named_at_every_step():
    reasons = why(plan("new"), plan(), code="new")
    assert [reason.split(";")[0] for reason in reasons] == ["the code has changed"] * 3
    assert reasons[1] == "the code has changed; it reads other blocks"


def test_a_changed_setting_is_named_by_its_key():
    reasons = why(plan(network={"width": 3}), plan())
    assert reasons[-1] == "the configuration has changed: network.width"


def test_an_entry_of_another_strategy_is_no_reason():
    other = {"strategies": {"target_only": {}, "ctnet": {}}, "strategy": "target_only"}
    reasons = why(plan(code="new", **other), plan(strategy="target_only"), code="new")
    assert not [reason for reason in reasons if "configuration" in reason]


def test_a_moved_folder_is_no_reason():
    (first, *_) = why(plan(code="new", root="elsewhere"), plan())
    assert "configuration" not in first


def test_changed_logs_reach_what_reads_them():
    config = make_config()
    late = planner(config, logs=lambda days: f"new {days}").run(38, ["target_only"])
    reasons = why((late, settings_of(config)), plan())
    assert reasons == [
        "its logs or the schema file have changed",
        "it reads other blocks",
        "it reads other blocks, other evaluation impressions",
    ]


def test_the_newest_command_counts(tmp_path):
    for name, width, code in (("1", 3, "a"), ("2", 4, "b")):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        config = make_config(network={"width": width})
        (folder / CONFIG_FILE).write_text(dump(config))
        RunRecorder(folder, plan(network={"width": width})[0], 38, code)
    steps, settings = plan(network={"width": 5}, evaluation_days=1)
    earlier = read_earlier(tmp_path, steps)
    assert [one.code for one in earlier] == ["a"] * 3 + ["b"] * 3
    reasons = why_due(steps, earlier, "b", settings)
    target = reasons[steps[-1].fingerprint]
    assert target == "the configuration has changed: network.width"
    assert earlier[-1].settings["network.width"] == 4


def test_empty_tables_keep_their_key():
    assert flattened({"a": {"b": {}}, "c": [1]}) == {"a.b": {}, "c": [1]}
