"""References are planned once for a run, on the target level's window."""

from __future__ import annotations

import pytest

from models.days import DayRange
from models.errors import DataError
from pipeline.execution.failures import Failures
from pipeline.planning.step_kinds import StepKind
from tests.pipeline.planning.worlds import completed
from tests.pipeline.planning.worlds import make_config
from tests.pipeline.planning.worlds import planner


def references_of(steps):
    (step,) = [step for step in steps if step.kind == StepKind.REFERENCES]
    return step


def planned(day=40, strategies=("ecdctr", "target_only"), known=None, **changes):
    config = make_config(**{"references": {"rows": 100}, **changes})
    return planner(config, known).run(day, list(strategies))


def test_they_read_the_targets_window_and_are_judged_on_its_rows():
    step = references_of(planned())
    assert step.days == DayRange(33, 39)
    assert step.evaluation == DayRange(40, 40)
    assert all(block.days.last < 40 for block in step.blocks)
    (judged,) = step.evaluation_blocks
    assert 40 in judged.days


def test_strategies_and_seeds_share_them():
    one = references_of(planned())
    for other in (
        planned(strategies=["target_only"]),
        planned(training={"seed": 5}),
        planned(strategies=["ecdctr"], network={"hidden_units": [3]}),
    ):
        assert references_of(other).fingerprint == one.fingerprint


@pytest.mark.parametrize(
    "changes",
    [
        {"references": {"rows": 101}},
        {"evaluation_days": 2},
        {"levels": {"target": {"window_days": 8}}},
    ],
    ids=["rows", "evaluation", "window"],
)
def test_what_they_are_made_from_makes_them_due(changes):
    strategies = ["target_only"]
    one = planned(strategies=strategies)
    other = planned(strategies=strategies, **changes)
    assert references_of(one).fingerprint != references_of(other).fingerprint


def test_the_whole_window_is_read_where_the_target_continues():
    steps = planned()
    known = completed(steps)
    later = planned(day=41, known=known)
    assert references_of(later).days == DayRange(34, 40)


def test_what_is_stored_is_done():
    steps = planned()
    again = planned(known=completed(steps))
    assert references_of(again).done


def test_a_configuration_or_a_caller_may_leave_them_out():
    assert not [s for s in planned(references={"rows": 0}) if s.kind == "references"]
    config = make_config(references={"rows": 9})
    steps = planner(config).run(40, ["target_only"], references=False)
    assert StepKind.REFERENCES not in {step.kind for step in steps}


def test_references_alone_are_planned_without_strategies():
    config = make_config(references={"rows": 9})
    steps = planner(config).run(40, [], judge=False)
    assert {step.kind for step in steps} == {StepKind.INGEST, StepKind.REFERENCES}
    beside = planner(config).run(40, ["target_only"], judge=False)
    assert references_of(steps).fingerprint == references_of(beside).fingerprint


def test_settings_of_references_make_others():
    settings = {"logistic": {"inverse_l2": 0.5}}
    plain, tuned = (
        references_of(planned(references={"rows": 9, **own}))
        for own in ({}, {"settings": settings})
    )
    assert plain.fingerprint != tuned.fingerprint


def test_strategies_go_on_without_references_that_failed():
    steps = planned()
    failures = Failures(steps)
    failures.add(references_of(steps), DataError("out of memory"))
    assert failures.reasons == {"references": "out of memory"}
    targets = [step for step in steps if step.kind == StepKind.TARGET]
    assert all(failures.needs(step) for step in targets)


def test_references_go_on_without_a_strategy_that_failed():
    steps = planned()
    failures = Failures(steps)
    failures.add(steps[-1], DataError("no rows"))
    assert failures.needs(references_of(steps))
