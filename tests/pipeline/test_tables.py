"""The tables that the command line prints."""

from __future__ import annotations

from pipeline.tables import plan_table
from pipeline.terminal import Console
from tests.pipeline.test_ctnet_plan import make_world
from tests.pipeline.test_plan import planner


def shown(table):
    """Returns a table as a wide terminal shows it."""
    console = Console(width=400)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def test_a_plan_says_everything_that_a_step_reads():
    steps = planner(make_world()).run(41, ["ctnet", "snapshots"])
    text = shown(plan_table(steps, {step.fingerprint: "" for step in steps}))
    lines = text.splitlines()
    labels = {f"{step.label} {step.fingerprint[:8]}": step for step in steps}
    lines = [line for line in lines if any(label in line for label in labels)]
    assert len(lines) == len(steps)
    for line, step in zip(lines, steps, strict=True):
        read = {*step.snapshots, step.warm_start, step.source, step.live} - {None}
        assert [one for one in read if one[:8] not in line] == []
