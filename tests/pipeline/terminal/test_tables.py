"""Tables of the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.references.stored import StoredReference
from components.references.stored import StoredReferences
from models.settings import FEW_STEPS
from pipeline.store.results import TargetResult
from pipeline.store.results import few_steps
from pipeline.store.results import label_constants
from pipeline.terminal.plain_text import Console
from pipeline.terminal.tables import plan_table
from pipeline.terminal.tables import result_table
from tests.pipeline.planning.worlds import make_ctnet_config
from tests.pipeline.planning.worlds import planner


def shown(table):
    """Returns a table as a wide terminal shows it."""
    console = Console(width=400)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def test_a_plan_says_everything_that_a_step_reads():
    steps = planner(make_ctnet_config()).run(41, ["ctnet", "snapshots"])
    text = shown(plan_table(steps, {step.fingerprint: "" for step in steps}))
    lines = text.splitlines()
    labels = {f"{step.label} {step.fingerprint[:8]}": step for step in steps}
    lines = [line for line in lines if any(label in line for label in labels)]
    assert len(lines) == len(steps)
    for line, step in zip(lines, steps, strict=True):
        read = {*step.snapshots, step.warm_start, step.source, step.live} - {None}
        assert [one for one in read if one[:8] not in line] == []


CANDIDATE = {
    "auc": 0.6722,
    "gauc": None,
    "gauc_coverage": 0.252,
    "log_loss": 0.3883,
    "normalized_entropy": 0.9829,
    "calibration": 0.971,
    "example_count": 3722.0,
    "click_count": 3221.0,
}
CONSTANT = {
    **CANDIDATE,
    "click_rate": 0.8669,
    "auc": 0.5,
    "log_loss": 0.3951,
    "normalized_entropy": 1.0001,
    "calibration": 1.0018,
}


def result(strategy, constant):
    decision = {
        "candidate": CANDIDATE,
        "constant": constant,
        "approved": False,
        "state": "cold_start",
    }
    return TargetResult(strategy, decision, report={}, published=None)


def cells(results, references=None):
    lines = shown(result_table(results, "de", {}, references)).splitlines()
    return [
        [cell.strip() for cell in line.strip("│┃").replace("┃", "│").split("│")]
        for line in lines
        if line.startswith(("│", "┃"))
    ]


def test_models_and_the_constant_stand_in_one_table():
    head, first, second, constant = cells(
        [result("a", CONSTANT), result("b", CONSTANT)]
    )
    assert head[5:9] == [
        "normalized entropy",
        "predicted/actual",
        "impressions",
        "clicks",
    ]
    assert first[0] == "a"
    assert second[0] == "b"
    assert first[5:] == ["0.9829", "0.971", "3,722", "3,221", "refused (cold start)"]
    assert constant == [
        *("constant", "0.5000", "undefined", "25.2%", "0.3951"),
        *("1.0001", "1.002", "3,722", "3,221", ""),
    ]


def test_references_stand_below_the_constant():
    gbdt = StoredReference({**CANDIDATE, "auc": 0.7001}, 10, 20, "")
    references = StoredReferences(
        {"constant": StoredReference(CONSTANT, 20, 20, ""), "gbdt": gbdt},
        {"user_click_rate": 0.2},
        Path("unused"),
    )
    *_, constant, last = cells([result("a", CONSTANT)], references)
    assert constant[0] == "constant"
    assert last[:2] == ["gbdt", "0.7001"]
    assert "fitted on a sample of 10 of 20" in last[-1]


def test_the_table_stands_without_a_constant():
    _, *lines = cells([result("a", None)])
    assert [line[0] for line in lines] == ["a"]


@pytest.mark.parametrize(
    ("by_strategy", "labels"),
    [
        ([("a", 0.1), ("b", 0.1)], ["constant"]),
        ([("a", None), ("b", 0.1)], ["constant"]),
        ([("a", 0.1), ("b", 0.2), ("c", 0.1)], ["constant (a, c)", "constant (b)"]),
        ([("a", None)], []),
    ],
)
def test_a_constant_is_shown_once(by_strategy, labels):
    assert [label for label, _ in label_constants(by_strategy)] == labels


@pytest.mark.parametrize("warm_start", [None, {"copied": {"logit/bias": 1}}])
@pytest.mark.parametrize("steps", [0, 1, FEW_STEPS - 1, FEW_STEPS])
def test_few_optimizer_steps_are_said(steps, warm_start):
    text = few_steps({"steps": steps, "warm_start": warm_start})
    if steps == FEW_STEPS:
        assert text == ""
        return
    assert text.startswith(f"{steps} optimizer step")
    assert "fewer than 50" in text
    assert ("random start" in text) == (warm_start is None)
