"""Backfill without TFX: days in order, a line for each, a table of all."""

import contextlib
import dataclasses
import json
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from models.days import DayRange
from models.errors import DataError
from pipeline import api
from pipeline.cli.group import main
from pipeline.execution import backfill as module
from pipeline.execution.backfill import backfill
from pipeline.execution.backfill import first_failures
from pipeline.execution.day_file import DayDone
from pipeline.execution.failures import StrategiesFailedError
from pipeline.execution.interruption import Interrupted
from pipeline.planning.step_kinds import StepKind
from pipeline.planning.steps import Step
from pipeline.store.results import TargetResult
from pipeline.terminal.plain_text import Console

METRICS = {"auc": 0.7, "gauc": None, "log_loss": 0.3, "calibration": 1.012}


class World:
    """Stands for planner, runner and store: what has run is done."""

    def __init__(self, monkeypatch, fails_on=None, breaks=(), refuses=()):
        self.stored = set()
        self.breaks, self.refuses = dict(breaks), dict(refuses)
        self.ran = []
        self.fails_on = fails_on
        monkeypatch.setattr(module, "plan_when_ready", self.plan)
        monkeypatch.setattr(module, "run_steps", self.run)
        monkeypatch.setattr(module, "Store", lambda *_: None)
        monkeypatch.setattr(module, "rows_of", lambda _, step: 10 * step.day)
        monkeypatch.setattr(module, "target_result", self.result)
        monkeypatch.setattr(module, "unread_lines", self.unread)

    def plan(self, _config, make, _console):
        day, strategies = make(
            SimpleNamespace(
                run=lambda *asked, references: asked if not references else ()
            )
        )
        refused = {s: "too early" for s in strategies if self.refuses.get(s) == day}
        strategies = [s for s in strategies if s not in refused]
        before = Step(
            StepKind.INGEST, "", day, day, DayRange(day, day), f"b{day}", False
        )
        target = dataclasses.replace(
            before, kind=StepKind.TARGET, days=DayRange(1, day - 1)
        )
        steps = [before] + [
            dataclasses.replace(target, strategy=s, fingerprint=f"{s}{day}")
            for s in strategies
        ]
        return SimpleNamespace(
            steps=[
                dataclasses.replace(step, done=step.fingerprint in self.stored)
                for step in steps
            ],
            refused=refused,
        )

    def unread(self, _config, blocks, domains):
        days = [day for block in blocks for day in range(block.first, block.last + 1)]
        return [f"{domain}: not read: x.json" for domain in domains if 4 in days]

    def run(self, _config, steps, _console, *, day, only_live):
        assert only_live
        if day == self.fails_on:
            raise DataError("a bad log")
        self.ran.append(day)
        broken = {s: "it broke" for s, on in self.breaks.items() if on == day}
        self.stored |= {s.fingerprint for s in steps if s.strategy not in broken}
        if broken:
            raise StrategiesFailedError(broken)

    def result(self, _store, step):
        approved = step.day != 4
        decision = {"approved": approved, "state": "compared", "candidate": METRICS}
        published = f"/serving/x/{step.day}00" if approved else None
        return TargetResult(step.strategy, decision, {}, published)


CONFIG = SimpleNamespace(root=None, metadata=None, target="ads", domains=["ads"])


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    """The root of `CONFIG`."""
    monkeypatch.setattr(CONFIG, "root", tmp_path / "runs")
    return tmp_path / "runs"


def lines_in(root):
    """Returns the lines of the one backfill's file."""
    (path,) = (root / "backfills").iterdir()
    return [json.loads(line) for line in path.read_text().splitlines()]


def _run(capsys, days, strategies=("ecdctr",)):
    console = Console(width=160)
    try:
        done = backfill(CONFIG, days, strategies, console)
    finally:
        shown = capsys.readouterr().out
    return done, shown


def test_days_run_in_order_and_each_has_a_line(monkeypatch, capsys):
    world = World(monkeypatch)
    done, shown = _run(capsys, DayRange(3, 5))
    assert world.ran == [3, 4, 5]
    assert [one.rows for one in done] == [30, 40, 50]
    announced, *lines = shown.splitlines()
    assert announced.startswith(f"Finished days are in {CONFIG.root}/backfills/1970-")
    assert lines[0].startswith(
        "1/3 1970-01-04 · ingest, target · 30 rows trained on · "
        "ecdctr AUC 0.7000 GAUC undefined, published as 300 · "
    )
    assert lines[1] == "ads: not read: x.json"
    assert "refused" in lines[2]
    assert shown.count("not read") == 1
    assert "3 day(s) in" in shown
    assert "\n".join(lines).count("1970-01-0") == 6


def test_what_is_done_is_not_done_again(monkeypatch, capsys):
    world = World(monkeypatch)
    _run(capsys, DayRange(3, 4))
    done, shown = _run(capsys, DayRange(3, 5))
    assert world.ran == [3, 4, 5]
    assert [one.ran for one in done] == [(), (), ("ingest", "target")]
    assert "1/3 1970-01-04 · nothing to do · 0 rows" in shown


def test_a_day_that_fails_ends_it_and_keeps_the_table(monkeypatch, capsys):
    world = World(monkeypatch, fails_on=5)
    with pytest.raises(DataError, match="a bad log"):
        backfill(CONFIG, DayRange(3, 6), ["ecdctr"], Console(width=160))
    assert world.ran == [3, 4]
    shown = capsys.readouterr().out
    assert "2 day(s) in" in shown
    assert "1970-01-06" not in shown.partition("\n")[2]


def test_every_day_has_a_line_in_a_file_once_it_has_ended(monkeypatch, capsys, root):
    world = World(monkeypatch, fails_on=5)
    seen = []
    run = world.run

    def look(*arguments, **options):
        seen.append(len(lines_in(root)))
        run(*arguments, **options)

    monkeypatch.setattr(module, "run_steps", look)
    with pytest.raises(DataError):
        _run(capsys, DayRange(3, 6))
    assert seen == [0, 1, 2]
    first, second, third = lines_in(root)
    assert first.keys() == second.keys() == third.keys()
    assert [one["day"] for one in (first, second, third)] == [
        "1970-01-04",
        "1970-01-05",
        "1970-01-06",
    ]
    assert (first["number"], first["days"], first["rows"]) == (1, 4, 30)
    assert first["ran"] == ["ingest", "target"]
    result = {"strategy": "ecdctr", "approved": True, "metrics": METRICS}
    assert first["results"] == [{**result, "published": "/serving/x/300"}]
    assert [one["error"] for one in (first, second, third)] == [None, None, "a bad log"]


def test_ctrl_c_says_how_many_days_are_done(monkeypatch, capsys):
    world = World(monkeypatch)
    run = world.run

    def press(*arguments, day, **options):
        if day == 5:
            raise Interrupted("3 of 9 steps are done")
        run(*arguments, day=day, **options)

    monkeypatch.setattr(module, "run_steps", press)
    with pytest.raises(KeyboardInterrupt) as caught:
        _run(capsys, DayRange(3, 6))
    start, _, end = str(caught.value).partition(", listed in ")
    assert start == "2 of 4 days are done"
    assert end.endswith(".jsonl; 3 of 9 steps are done")


def test_a_strategy_that_breaks_is_left_out_of_the_days_after(monkeypatch, capsys):
    world = World(monkeypatch, breaks={"ctnet": 4})
    done, shown = _run(capsys, DayRange(3, 5), ["ecdctr", "ctnet"])
    assert world.ran == [3, 4, 5]
    by_day = [[result.strategy for result in one.results] for one in done]
    assert by_day == [["ecdctr", "ctnet"], ["ecdctr"], ["ecdctr"]]
    assert [dict(one.failed) for one in done] == [{}, {"ctnet": "it broke"}, {}]
    (second,) = [line for line in shown.splitlines() if line.startswith("2/3")]
    assert "ctnet failed: it broke" in second
    (row,) = [line for line in shown.splitlines() if "│ failed: it broke" in line]
    assert "ctnet" in row
    assert first_failures(done) == {"ctnet": "1970-01-05: it broke"}
    # The same command repeats what broke, and goes on from there.
    world.breaks = {}
    done, _ = _run(capsys, DayRange(3, 5), ["ecdctr", "ctnet"])
    assert [one.ran for one in done] == [(), ("target",), ("target",)]
    assert first_failures(done) == {}


def test_a_strategy_that_a_day_is_too_early_for_begins_on_a_later_one(
    monkeypatch, capsys
):
    World(monkeypatch, refuses={"ctnet": 3})
    done, _ = _run(capsys, DayRange(3, 4), ["ecdctr", "ctnet"])
    assert [len(one.results) for one in done] == [1, 2]
    assert first_failures(done) == {"ctnet": "1970-01-04: too early"}


def test_without_a_strategy_left_it_ends(monkeypatch, capsys):
    world = World(monkeypatch, breaks={"ecdctr": 4, "ctnet": 4})
    with pytest.raises(StrategiesFailedError):
        backfill(CONFIG, DayRange(3, 6), ["ecdctr", "ctnet"], Console(width=160))
    assert world.ran == [3, 4]
    assert "1 day(s) in" in capsys.readouterr().out


def test_the_command_ends_with_what_failed(monkeypatch):
    one = DayDone(4, (), 0, 1.0, (), {"ctnet": "it broke"})
    monkeypatch.setattr(api, "backfill_days", lambda *_: [one])
    reported = []
    monkeypatch.setattr(api, "report_days", lambda *_: reported.append(1))
    monkeypatch.setattr(api, "hold", lambda *_: contextlib.nullcontext())
    days = ["--from", "2019-01-01", "--to", "2019-01-02"]
    shown = CliRunner().invoke(main, ["backfill", "configs/xmarket.yaml", *days])
    assert (shown.exit_code, reported) == (3, [1])
    assert "Strategies failed: ctnet: 1970-01-05: it broke" in shown.output


def test_days_the_wrong_way_round_are_refused():
    arguments = ["backfill", "configs/xmarket.yaml"]
    days = ["--from", "2019-01-02", "--to", "2019-01-01"]
    result = CliRunner().invoke(main, [*arguments, *days])
    assert result.exit_code == 2
    assert "swap them" in result.output
