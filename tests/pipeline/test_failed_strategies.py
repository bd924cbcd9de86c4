"""Failed strategies, which do not affect the results of others."""

from __future__ import annotations

import re

import pytest

from pipeline.planning.step_kinds import StepKind
from tests.pipeline.planning.worlds import make_config
from tests.pipeline.world_without_graphs import STRATEGIES
from tests.pipeline.world_without_graphs import World


@pytest.fixture
def world(monkeypatch, tmp_path):
    return World(monkeypatch, tmp_path)


def lines_of(shown, name):
    """Returns the rows of the result table that begin with `name`, as text."""
    rows = []
    for line in shown.output.splitlines():
        if re.match(r"│ +│", line) and rows:  # cells that are wrapped go on
            rows[-1] += line
        elif line.startswith("│"):
            rows.append(line)
    found = [row for row in rows if re.match(rf"│ {name} +│", row)]
    return [" ".join(row.replace("│", " ").split()) for row in found]


def test_all_that_succeed_are_in_the_table(world):
    shown = world.crossctr("--compare")
    assert shown.exit_code == 0, shown.output
    assert all(lines_of(shown, name) for name in STRATEGIES)
    assert world.reported == [""]


@pytest.mark.parametrize(
    ("kind", "lost"),
    [
        ("tpm", {"ecdctr"}),
        ("cpm", {"ecdctr", "finetune"}),
        ("source", {"ctnet"}),
        ("base", {"ctnet"}),
    ],
)
def test_a_step_that_fails_takes_only_what_rests_on_it(world, kind, lost):
    world.fails = lambda step: step.kind == kind
    shown = world.crossctr("--compare")
    assert shown.exit_code == 3, shown.output
    assert {name.split(":")[1] for name in world.ran if "target" in name} == (
        STRATEGIES.keys() - lost
    )
    for name in STRATEGIES:
        (line,) = lines_of(shown, name)
        assert (f"{kind}" in line and "broke" in line) == (name in lost)
        assert ("0.7000" in line) == (name not in lost)
    (error,) = world.reported
    assert all(f"{name}: " in error for name in lost)


def test_nothing_runs_any_more_for_a_strategy_that_failed(world):
    world.fails = lambda step: step.kind == "source"
    world.crossctr("-s", "ctnet", "-s", "target_only")
    assert world.ran == ["ingest", "ingest", "target:target_only"]


def test_every_strategy_of_several_may_fail_for_a_reason_of_its_own(world):
    world.fails = lambda step: step.kind == StepKind.TARGET
    shown = world.crossctr("-s", "ecdctr", "-s", "target_only")
    assert shown.exit_code == 3
    for name in ("ecdctr", "target_only"):
        assert f"target:{name} broke" in " ".join(lines_of(shown, name))


def test_a_failed_ingest_fails_all_and_nothing_else_is_run(world):
    world.fails = lambda step: step.kind == "ingest"
    shown = world.crossctr("--compare")
    assert shown.exit_code == 2
    assert world.ran == []
    assert "ingest broke" in shown.output
    assert not any(lines_of(shown, name) for name in STRATEGIES)


def test_rows_to_be_judged_on_that_fail_stop_before_anything_is_trained(world):
    world.fails = lambda step: step.kind == "ingest" and step.days.first == 38
    shown = world.crossctr("--compare")
    assert shown.exit_code == 2
    assert world.ran == ["ingest"]


def test_one_strategy_alone_ends_with_its_own_error(world):
    world.fails = lambda step: step.kind == StepKind.TARGET
    shown = world.crossctr("-s", "target_only")
    assert shown.exit_code == 2
    assert "Bad data: target_only for ads on 1970-02-08: target:target_only broke" in (
        shown.output
    )


def test_the_same_command_repeats_only_what_failed(world):
    world.fails = lambda step: step.kind == "source"
    world.crossctr("-s", "ctnet", "-s", "target_only")
    world.ran.clear()
    world.fails = lambda _: False
    shown = world.crossctr("-s", "ctnet", "-s", "target_only")
    assert shown.exit_code == 0, shown.output
    # The base model is the one that target_only has trained.
    assert world.ran == ["source:ctnet", "target:ctnet"]


def test_a_strategy_that_a_day_is_too_early_for_is_left_out_with_its_reason(world):
    # On the second day of logs CTNet's source model has no day to train on.
    world.config = make_config(
        root=world.config.root,
        strategies=STRATEGIES,
        serving={"directory": "unused"},
        first_day="1970-02-07",
    )
    shown = world.crossctr("-s", "target_only", "-s", "ctnet")
    assert shown.exit_code == 3, shown.output
    assert "0.7000" in " ".join(lines_of(shown, "target_only"))
    assert "no day to train on" in shown.output
    assert not [name for name in world.ran if name in ("source", "base:ctnet")]


def test_a_strategy_that_a_day_is_too_early_for_is_refused_alone(world):
    world.config = make_config(
        root=world.config.root,
        strategies=STRATEGIES,
        serving={"directory": "unused"},
        first_day="1970-02-07",
    )
    shown = world.crossctr("-s", "ctnet")
    assert shown.exit_code == 2
    assert "Bad configuration: the source model before" in shown.output
    assert world.ran == []


def test_up_to_a_kind_before_the_target_the_first_failure_ends_the_command(world):
    world.fails = lambda step: step.kind == "cpm"
    shown = world.crossctr("--compare", "--until", "source")
    assert shown.exit_code == 2
    assert "source" not in world.ran


def test_every_reason_is_recorded(world):
    world.fails = lambda step: step.kind in ("cpm", "source")
    world.crossctr("--compare")
    (path,) = (world.config.root / "runs").glob("*/steps.json")
    text = path.read_text()
    assert "cpm:" in text
    assert "source:ctnet broke" in text
