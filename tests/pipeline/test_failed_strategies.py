"""Failed strategies, which do not affect the results of others."""

from __future__ import annotations

import re
import sys
from types import ModuleType

import pytest
from click.testing import CliRunner

from models.errors import DataError
from pipeline import api
from pipeline.cli import run as cli
from pipeline.cli.group import main
from pipeline.execution import job
from pipeline.execution.job import Plan
from pipeline.planning.step_kinds import StepKind
from pipeline.planning.steps import Known
from pipeline.store.results import TargetResult
from tests.pipeline.planning.worlds import completed
from tests.pipeline.planning.worlds import make_config
from tests.pipeline.planning.worlds import merged
from tests.pipeline.planning.worlds import planner

STRATEGIES = {"ecdctr": {}, "target_only": {}, "finetune": {}, "ctnet": {}}
METRICS = {
    "auc": 0.7,
    "gauc": 0.6,
    "gauc_coverage": 0.5,
    "log_loss": 0.3,
    "normalized_entropy": 0.9,
    "calibration": 1.0,
    "example_count": 100,
    "click_count": 40,
}


class World:
    """A root without graphs: what fails is chosen, what runs is done."""

    def __init__(self, monkeypatch, folder):
        self.config = make_config(
            root=folder, strategies=STRATEGIES, serving={"directory": folder / "serve"}
        )
        self.known = Known()
        self.ran: list[str] = []
        self.fails = lambda _: False
        self.reported: list[str] = []
        graphs, runner = (
            ModuleType("pipeline.graphs.factory"),
            ModuleType("pipeline.execution.runner"),
        )
        graphs.graph_for = lambda _, step: step
        runner.run_graph = self.run
        monkeypatch.setitem(sys.modules, "pipeline.graphs.factory", graphs)
        monkeypatch.setitem(sys.modules, "pipeline.execution.runner", runner)
        for module in (job, api, cli):
            monkeypatch.setattr(module, "Store", lambda *_: None)
        monkeypatch.setattr(job, "check_before_work", lambda *_: None)
        monkeypatch.setattr(job, "rows_of", lambda *_: 10)
        monkeypatch.setattr(job, "training_report", lambda *_: None)
        monkeypatch.setattr(job, "connection", lambda *_: None)
        monkeypatch.setattr(api, "load_config", lambda _: self.config)
        monkeypatch.setattr(cli, "hold_root", lambda _: None)
        monkeypatch.setattr(api, "plan_when_ready", self.plan)
        monkeypatch.setattr(api, "target_result", self.result)
        monkeypatch.setattr(api, "report_run", self.report)
        monkeypatch.setattr(cli, "slice_table", lambda *_: "")

    def plan(self, _config, make, _console):
        made = planner(self.config, self.known)
        steps = make(made)
        return Plan(steps, [], [], made.refused)

    def run(self, step, _display, _connection):
        name = f"{step.kind}:{step.strategy}".removesuffix(":")
        if self.fails(step):
            raise DataError(f"{name} broke")
        self.ran.append(name)
        self.known = merged(self.known, completed([step]))

    def result(self, _store, step):
        assert step.training in self.known.models
        decision = {"approved": True, "state": "compared", "reasons": []}
        decision["candidate"] = METRICS
        return TargetResult(step.strategy, decision, {}, None)

    def report(self, _config, _day, _steps, _console, *, error=""):
        self.reported.append(error)

    def crossctr(self, *arguments):
        words = ["run", "a.yaml", "--day", "1970-02-08", *arguments]
        shown = CliRunner().invoke(main, words, env={"COLUMNS": "250"})
        assert not shown.exception or isinstance(shown.exception, SystemExit), shown
        return shown


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
