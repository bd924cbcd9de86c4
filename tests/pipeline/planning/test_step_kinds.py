"""Kinds of step: each is reached by `run` and by schedulers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from models.strategies.registry import kinds as strategy_kinds
from pipeline import api
from pipeline.cli import run as cli
from pipeline.cli.group import main
from pipeline.execution.job import Plan
from pipeline.planning import step_kinds
from pipeline.planning.step_kinds import StepKind
from pipeline.planning.step_kinds import kinds_of
from pipeline.planning.steps import steps_until
from pipeline.store.metadata import SQLITE
from tests.pipeline.planning.worlds import make_config
from tests.pipeline.planning.worlds import planner

# The target continues, CPM ticks, TPM ticks; see `make_config`.
DAYS = (38, 40, 41)


class HandedOverError(BaseException):
    """Ends a command once it has handed its steps to the runner."""


def entries():
    """Returns an entry of every kind of strategy, and those with parts turned on."""
    return {
        **{kind: {} for kind in strategy_kinds()},
        "ctnet_with_snapshots": {"kind": "ctnet", "snapshots": 2},
        "ecdctr_alone": {"kind": "ecdctr", "snapshots": 0, "warm_start": False},
    }


def world():
    """Returns a configuration with every kind of strategy."""
    domain = {"name": "domain", "kind": "id", "vocabulary": "domain"}
    plain = make_config().model_dump(by_alias=True)
    return make_config(
        strategies=entries(),
        references={"rows": 9},
        features=[*plain["features"], domain],
        vocabularies={**plain["vocabularies"], "domain": {"capacity": 8}},
    )


def planned(strategies):
    """Returns the steps of some runs of `strategies`."""
    return [
        step for day in DAYS for step in planner(world()).run(day, list(strategies))
    ]


def test_the_plans_of_all_strategies_hold_every_kind_and_no_other():
    assert {step.kind for step in planned(entries())} == set(StepKind)


@pytest.mark.parametrize("day", DAYS)
def test_a_plan_is_in_the_order_of_the_kinds(day):
    kinds = [step.kind for step in planner(world()).run(day, list(entries()))]
    assert kinds == sorted(kinds, key=list(StepKind).index)


def test_until_the_last_kind_nothing_is_left_out():
    steps = planned(entries())
    assert steps_until(steps, list(StepKind)[-1]) == steps


@pytest.mark.parametrize("kind", list(StepKind))
def test_until_a_kind_come_that_kind_and_those_before_it(kind):
    steps = planned(entries())
    expected = set(list(StepKind)[: list(StepKind).index(kind) + 1])
    assert {step.kind for step in steps_until(steps, kind)} == expected


@pytest.mark.parametrize("name", list(entries()))
def test_a_strategy_plans_the_kinds_that_it_needs_and_no_other(name):
    needed = set(kinds_of(world().needs(name), references=True))
    assert {step.kind for step in planned([name])} == needed


@pytest.fixture
def command(monkeypatch, tmp_path):
    """Returns what `crossctr` hands to the runner: the kinds of the steps."""
    config = world().model_copy(update={"root": tmp_path, "metadata": SQLITE})
    ran = []
    monkeypatch.setattr(api, "load_config", lambda _: config)
    monkeypatch.setattr(cli, "hold_root", lambda _: None)

    def plan(_config, make, _console):
        return Plan(make(planner(config)), [], [])

    def run(_config, steps, _console, **_):
        ran.extend(step.kind for step in steps)
        raise HandedOverError

    monkeypatch.setattr(api, "plan_when_ready", plan)
    monkeypatch.setattr(api, "run_steps", run)

    def call(*arguments):
        words = ["run", "a.yaml", "--day", "1970-02-08", *arguments]
        with pytest.raises(HandedOverError):
            main(words, standalone_mode=False)
        return ran

    return call


def test_run_reaches_every_kind_of_its_plan(command):
    assert set(command("--compare")) == set(StepKind)


@pytest.mark.parametrize("kind", list(StepKind))
def test_until_knows_every_kind(command, kind):
    until = set(list(StepKind)[: list(StepKind).index(kind) + 1])
    assert set(command("--compare", "--until", str(kind))) == until


def test_the_kinds_are_read_without_anything_installed():
    """Airflow reads the file in an environment of its own."""
    files = [step_kinds.__file__]
    read = "import runpy, sys; [runpy.run_path(f) for f in sys.argv[1:]]"
    ran = subprocess.run(
        # Neither site-packages nor the current folder.
        [sys.executable, "-I", "-S", "-c", read, *files],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(files[0]).parent,
    )
    assert ran.returncode == 0, ran.stderr
