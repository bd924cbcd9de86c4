"""Root in which commands run without graphs: tests choose which steps fail."""

from __future__ import annotations

import sys
from types import ModuleType

from click.testing import CliRunner

from models.errors import DataError
from pipeline import api
from pipeline.cli import run as cli
from pipeline.cli.group import main
from pipeline.execution import job
from pipeline.execution.job import Plan
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
    """A root without graphs: steps that are not chosen to fail are done at once."""

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
        monkeypatch.setattr(job, "too_few_to_publish", lambda *_: "")
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
