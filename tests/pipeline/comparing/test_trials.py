"""Trials: every (strategy, seed) once, seeds outermost, finished ones reused."""

from __future__ import annotations

import csv
import dataclasses
import io
import re

import numpy as np
import pytest
from click.testing import CliRunner

from models.errors import ConfigError
from models.errors import DataError
from pipeline import api
from pipeline.cli.group import main
from pipeline.comparing import run as run_module
from pipeline.comparing import trials
from pipeline.comparing.record import read_json
from pipeline.comparing.run import Question
from pipeline.comparing.run import chosen
from pipeline.comparing.run import run_comparison
from pipeline.comparing.trials import run_trials
from pipeline.config.sections import ReferencesConfig
from pipeline.execution.failures import StrategiesFailedError
from pipeline.execution.job import Plan
from pipeline.planning.steps import Known
from pipeline.report.scoring import Scored
from pipeline.terminal.plain_text import Console
from tests.pipeline.comparing.examples import comparison
from tests.pipeline.comparing.examples import cost
from tests.pipeline.planning.worlds import completed
from tests.pipeline.planning.worlds import make_config
from tests.pipeline.planning.worlds import merged
from tests.pipeline.planning.worlds import planner

DAY = 38
USERS = np.array([b"a", b"a", b"b", b"b"] * 20, object)
LABELS = np.array([1, 0] * 40)


class Machine:
    """What trains and scores, without TFX: it remembers what it was asked to do."""

    def __init__(self, monkeypatch):
        self.known = Known()
        self.trained = []
        self.scored = []
        self.stop_after = None
        self.breaks = {}
        self.unscored = set()
        monkeypatch.setattr(trials, "plan_when_ready", self.plan)
        monkeypatch.setattr(trials, "run_steps", self.run)
        monkeypatch.setattr(trials, "is_scored", lambda *_: True)
        monkeypatch.setattr(trials, "score_step", self.score)
        monkeypatch.setattr(trials, "cost_of", self.cost)
        self._seeds = {}
        self.steps = {}

    def plan(self, config, make, _console):
        made = planner(config, self.known)
        steps = make(made)
        self._seeds |= {step.fingerprint: config.training.seed for step in steps}
        return Plan(steps, [], [], made.refused)

    def run(self, config, steps, console, *, on_step=lambda *_: None, **_):
        broken = {}
        for step in steps:
            if self.breaks.get(step.strategy) == config.training.seed:
                broken[step.strategy] = "it broke"
                continue
            if not step.done:
                if len(self.trained) == self.stop_after:
                    raise KeyboardInterrupt
                if step.kind == "target":
                    self.trained.append((step.strategy, config.training.seed))
                self.known = merged(self.known, completed([step]))
            on_step(step, console)
        if broken:
            raise StrategiesFailedError(broken)

    def cost(self, _store, step, *_):
        if step.strategy not in self.steps:
            return cost()
        return cost(steps={"target": self.steps[step.strategy]}, batch_size=64)

    def score(self, _config, _store, step):
        if step.strategy in self.unscored:
            raise DataError("no score")
        self.scored.append((step.strategy, self._seeds[step.fingerprint]))
        rng = np.random.default_rng(len(step.strategy))
        scores = 0.8 * LABELS * (step.strategy == "ecdctr") + rng.random(80) / 10
        return Scored(USERS, LABELS, scores.astype(np.float32), 2.0)


@pytest.fixture
def machine(monkeypatch):
    return Machine(monkeypatch)


@pytest.fixture
def screen():
    return Console(file=io.StringIO(), width=160)


def ask(tmp_path, num_seeds, strategies=("ecdctr",)):
    config = make_config(root=tmp_path / "runs", serving={"directory": tmp_path})
    entries = chosen(config, [*strategies, "target_only"])
    return Question(config, DAY, entries, num_seeds, "target_only", "compare ...")


def test_seeds_are_outermost(machine, screen, tmp_path):
    question = ask(tmp_path, 2)
    found = run_trials(question.config, DAY, question.strategies, 2, screen)
    assert machine.trained == [
        ("ecdctr", 17),
        ("target_only", 17),
        ("ecdctr", 18),
        ("target_only", 18),
    ]
    assert machine.scored == machine.trained
    assert {name: len(of_seeds) for name, of_seeds in found.complete.items()} == {
        "ecdctr": 2,
        "target_only": 2,
    }


def test_quiet_trials_print_nothing_and_need_no_references(machine, screen, tmp_path):
    question = ask(tmp_path, 1)
    config = question.config.model_copy(update={"references": ReferencesConfig(rows=9)})
    found = run_trials(
        config, DAY, question.strategies, 1, screen, references=False, quiet=True
    )
    assert found.complete.keys() == {"ecdctr", "target_only"}
    assert screen.file.getvalue() == ""
    # By now known: of references, nothing is.
    steps = planner(config, machine.known).run(DAY, ["target_only"], judge=False)
    assert [step.done for step in steps if step.kind == "references"] == [False]


@pytest.mark.usefixtures("machine")
def test_a_line_says_how_far_it_is_where_there_is_no_terminal(screen, tmp_path):
    run_comparison(ask(tmp_path, 2), screen)
    shown = screen.file.getvalue()
    assert "trial 1/4: ecdctr, seed 17" in shown
    assert "trial 4/4: target_only, seed 18" in shown
    assert "2 of 2 seeds compared" in shown


def test_a_command_that_was_stopped_goes_on_where_it_was(machine, screen, tmp_path):
    machine.stop_after = 3
    with pytest.raises(KeyboardInterrupt):
        run_comparison(ask(tmp_path, 3), screen)
    folder = tmp_path / "runs" / "comparisons" / "1970-02-08"
    # Of the first seed, which is complete.
    assert read_json(folder / "comparison.json").seeds == (17,)
    before = list(machine.trained)
    machine.stop_after = None
    found = run_comparison(ask(tmp_path, 3), screen)
    assert found.seeds == (17, 18, 19)
    assert read_json(folder / "comparison.json") == found
    assert len(machine.trained) == len(set(machine.trained)) == 6
    assert machine.trained[:3] == before


def test_more_seeds_train_only_the_new_ones(machine, screen, tmp_path):
    run_comparison(ask(tmp_path, 1), screen)
    run_comparison(ask(tmp_path, 2, ("ecdctr", "joint")), screen)
    assert machine.trained == [
        ("ecdctr", 17),
        ("target_only", 17),
        ("joint", 17),
        ("ecdctr", 18),
        ("joint", 18),
        ("target_only", 18),
    ]


def test_controls_are_trained_on_every_seed_and_explained(machine, screen, tmp_path):
    machine.steps = {"target_only": 100, "joint": 400}
    found = run_comparison(ask(tmp_path, 2, ("joint",)), screen)
    assert machine.trained == [
        ("joint", 17),
        ("target_only", 17),
        ("equal_steps_400", 17),
        ("joint", 18),
        ("target_only", 18),
        ("equal_steps_400", 18),
    ]
    assert [one.name for one in found.models] == [
        "joint",
        "target_only",
        "equal_steps_400",
    ]
    assert list(found.controls) == ["equal_steps_400"]
    folder = tmp_path / "runs" / "comparisons" / "1970-02-08"
    assert "equal_steps_400: target_only in batches of 16 impressions" in (
        (folder / "comparison.md").read_text()
    )


def test_without_controls_only_what_was_named_is_trained(machine, screen, tmp_path):
    machine.steps = {"target_only": 100, "joint": 400}
    question = dataclasses.replace(ask(tmp_path, 1, ("joint",)), controls=False)
    found = run_comparison(question, screen)
    assert [one.name for one in found.models] == ["joint", "target_only"]
    assert found.controls == {}


@pytest.mark.usefixtures("machine")
def test_a_comparison_says_how_far_apart_on_which_rows(screen, tmp_path):
    found = run_comparison(ask(tmp_path, 1), screen)
    assert [model.name for model in found.models] == ["ecdctr", "target_only"]
    assert found.models[0].differences["gauc"].value > 0
    assert (found.rows, found.clicks, found.users) == (80, 40, 2)
    assert found.costs["ecdctr"] == cost()
    assert found.oracle is None


def test_a_strategy_that_breaks_is_named_and_the_others_are_compared(
    machine, screen, tmp_path
):
    machine.breaks = {"joint": 18}
    found = run_comparison(ask(tmp_path, 3, ("ecdctr", "joint")), screen)
    assert [model.name for model in found.models] == ["ecdctr", "target_only"]
    assert found.seeds == (17, 18, 19)
    assert found.failed == {"joint": "seed 18: it broke"}
    # Of no use any more: what is compared has every seed.
    assert ("joint", 19) not in machine.trained
    folder = tmp_path / "runs" / "comparisons" / "1970-02-08"
    assert read_json(folder / "comparison.json") == found
    assert "| joint | failed: seed 18: it broke |" in (
        (folder / "comparison.md").read_text()
    )
    with (folder / "comparison.csv").open() as file:
        (line,) = [row for row in csv.DictReader(file) if row["strategy"] == "joint"]
    assert line["failed"] == "seed 18: it broke"


def test_a_strategy_that_cannot_be_scored_is_one_that_failed(machine, screen, tmp_path):
    machine.unscored = {"joint"}
    found = run_comparison(ask(tmp_path, 1, ("ecdctr", "joint")), screen)
    assert found.failed == {"joint": "seed 17: no score"}


def test_a_strategy_that_the_day_is_too_early_for_is_one_that_failed(screen, tmp_path):
    monkeypatched = pytest.MonkeyPatch()
    with monkeypatched.context() as patch:
        machine = Machine(patch)
        plan = machine.plan
        patch.setattr(
            trials,
            "plan_when_ready",
            lambda *asked: dataclasses.replace(
                plan(*asked), refused={"joint": "too early"}
            ),
        )
        found = run_comparison(ask(tmp_path, 1, ("ecdctr", "joint")), screen)
    assert found.failed == {"joint": "seed 17: too early"}


def test_when_no_strategy_can_be_scored_it_ends(machine, screen, tmp_path):
    machine.unscored = {"ecdctr", "target_only"}
    question = ask(tmp_path, 2)
    with pytest.raises(StrategiesFailedError, match="ecdctr: seed 17: no score; targ"):
        run_trials(question.config, DAY, question.strategies, 2, screen)
    assert {seed for _, seed in machine.trained} == {17}


def test_without_its_baseline_nothing_is_compared(machine, screen, tmp_path):
    machine.breaks = {"target_only": 17}
    with pytest.raises(StrategiesFailedError, match="target_only: seed 17: it broke"):
        run_comparison(ask(tmp_path, 1, ("ecdctr", "joint")), screen)
    assert ("joint", 17) in machine.trained


@pytest.mark.usefixtures("machine")
def test_what_failed_ends_the_command_after_its_tables(monkeypatch):
    shown = comparison(failed={"joint": "seed 17: it broke"})
    monkeypatch.setattr(api, "load_config", lambda _: make_config())
    monkeypatch.setattr(run_module, "run_comparison", lambda *_: shown)
    ran = CliRunner().invoke(main, ["compare", "a.yaml", "--day", "1970-02-08"])
    assert ran.exit_code == 3
    assert "Best means: AUC" in ran.output
    assert re.search(r"│ joint +│ +failed:", ran.output)
    assert "joint is not compared: seed 17: it broke." in ran.output
    assert "Strategies failed: joint: seed 17: it broke" in ran.output


def test_a_variant_that_breaks_has_a_line_in_an_ablation(
    machine, monkeypatch, tmp_path
):
    config = make_config(root=tmp_path / "runs", serving={"directory": tmp_path})
    monkeypatch.setattr(api, "load_config", lambda _: config)
    machine.breaks = {"no_cpm": 17}
    command = ["ablate", "a.yaml", "--day", "1970-02-08"]
    ran = CliRunner().invoke(main, command, env={"COLUMNS": "300"})
    assert ran.exit_code == 3, ran.output
    assert re.search(r"│ no_cpm +│ +failed:", ran.output)
    assert "no_cpm is not compared: seed 17: it broke." in ran.output
    assert "no win is counted" in " ".join(ran.output.split())
    folder = tmp_path / "runs" / "comparisons" / "1970-02-08"
    kept = read_json(folder / "ablation.json")
    assert kept.baseline == "whole"
    assert kept.failed == {"no_cpm": "seed 17: it broke"}
    assert "(ablation.svg)" in (folder / "ablation.md").read_text()
    assert kept.command == "crossctr ablate a.yaml --day 1970-02-08 --seeds 1"
    machine.breaks = {"whole": 17}
    monkeypatch.setattr(machine, "known", Known())
    assert "whole: seed 17" in CliRunner().invoke(main, command).output


def test_a_kind_that_the_configuration_does_not_name_gets_its_defaults():
    config = make_config(strategies={"mine": {"kind": "ecdctr"}}, strategy="mine")
    found = chosen(config, ["mine", "joint", "mine"])
    assert {name: entry.kind for name, entry in found.items()} == {
        "mine": "ecdctr",
        "joint": "joint",
    }


def test_an_unknown_strategy_is_refused_with_the_closest():
    with pytest.raises(ConfigError, match="'edctr'.*did you mean 'ecdctr'"):
        chosen(make_config(), ["edctr"])


def test_a_kind_that_the_configuration_cannot_have_is_refused():
    # Nothing tells the domains apart.
    with pytest.raises(ConfigError, match="star has a part of each domain's own"):
        chosen(make_config(), ["star"])


def test_a_strategy_that_needs_several_days_is_not_compared_on_one():
    with pytest.raises(ConfigError, match="'ctnet' is of kind ctnet, which scores"):
        chosen(make_config(), ["ctnet"])


@pytest.mark.usefixtures("machine")
def test_the_oracle_is_left_out_with_its_reason(screen, tmp_path):
    simulated = {"truth": str(tmp_path / "truth"), "preset": "small"}
    config = make_config(
        root=tmp_path / "runs", serving={"directory": tmp_path}, simulate=simulated
    )
    entries = chosen(config, ["target_only"])
    question = Question(config, DAY, entries, 1, "target_only", "")
    found = run_comparison(question, screen)
    assert found.oracle is None
    assert "The oracle is not known: there are no true" in found.note


def test_the_command_takes_names_between_commas(monkeypatch):
    asked = []
    monkeypatch.setattr(api, "load_config", lambda _: make_config())
    monkeypatch.setattr(
        run_module,
        "run_comparison",
        lambda question, _: asked.append(question) or comparison(),
    )

    def run(*arguments):
        command = ["compare", "a.yaml", "--day", "1970-02-08", *arguments]
        return CliRunner().invoke(main, command)

    shown = run("--strategies", "ecdctr, joint,ecdctr", "--seeds", "2")
    assert shown.exit_code == 0, shown.output
    assert "Best means: AUC ecdctr (0.7000)" in shown.output
    assert run().exit_code == 0
    assert [list(question.strategies) for question in asked] == [
        ["ecdctr", "joint", "target_only"],
        list(make_config().strategies),
    ]
    assert [question.num_seeds for question in asked] == [2, 10]
    assert asked[0].command == (
        "crossctr compare a.yaml --day 1970-02-08 --strategies ecdctr,joint "
        "--seeds 2 --baseline target_only"
    )
    refused = run("--strategies", "ecdctr,,joint")
    assert refused.exit_code == 2
    assert "has an empty name" in refused.output
