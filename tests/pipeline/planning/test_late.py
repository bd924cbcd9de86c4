"""Late logs: detection, blocks due again, runs to repeat."""

import dataclasses
from types import SimpleNamespace

from models.days import DayRange
from pipeline.planning.late import Ingested
from pipeline.planning.late import LateLog
from pipeline.planning.late import explain
from pipeline.planning.late import late_logs
from pipeline.planning.late import runs_to_repeat
from tests.pipeline.planning.worlds import completed
from tests.pipeline.planning.worlds import make_config
from tests.pipeline.planning.worlds import merged
from tests.pipeline.planning.worlds import planner

# Block 1..3 was ingested without ads on day 2.
BEFORE = Ingested(
    frozenset({1, 2, 3}), {"ads": {1: "a", 3: "c"}, "feeds": {1: "x", 2: "y", 3: "z"}}
)
SAME = {"ads": {1: "a", 3: "c"}, "feeds": {1: "x", 2: "y", 3: "z"}}


DAYS = DayRange(1, 4)


def late(days=DAYS, **changed):
    return late_logs(BEFORE, {**SAME, **changed}, days)


def test_the_same_files_are_not_late():
    assert late() == []


def test_what_arrived_changed_or_went_is_late():
    found = late(ads={1: "a", 2: "b", 3: "new"}, feeds={1: "x", 3: "z"})
    assert list(map(str, found)) == [
        "ads 1970-01-03 arrived",
        "feeds 1970-01-03 gone",
        "ads 1970-01-04 changed",
    ]


def test_days_that_no_block_holds_are_new_and_not_late():
    assert late(ads={**SAME["ads"], 4: "d"}) == []


def test_days_nobody_asked_for_are_left_out():
    assert late(DayRange(3, 4), ads={1: "a", 2: "b", 3: "c"}) == []


def test_a_block_that_is_due_again_says_why():
    steps = planner(make_config()).run(4, ["target_only"])
    now = {**SAME, "ads": {1: "a", 2: "b", 3: "c"}}
    first, second, target = explain(steps, BEFORE, now)
    assert first.note == "again, as logs came late: ads 1970-01-03 arrived"
    assert second.note == ""  # day 4 is new
    assert target.note == steps[-1].note
    (other, *_) = explain(steps, BEFORE, SAME)
    assert "an earlier block, the configuration or the code has changed" in other.note


def test_a_block_that_is_done_needs_no_reason():
    steps = [
        dataclasses.replace(step, done=True)
        for step in planner(make_config()).run(4, ["target_only"])
    ]
    assert explain(steps, BEFORE, {"ads": {}, "feeds": {}}) == steps


def run_days(config, days, logs=str):
    """Returns what is known after the runs of `days`, and their gate decisions."""
    known, decisions = None, []
    for day in days:
        steps = planner(config, known, logs).run(day, ["target_only"])
        more = completed(steps)
        known = merged(known, more) if known else more
        last_day, strategy = steps[-1].days.last, steps[-1].strategy
        decisions.append(
            SimpleNamespace(last_day=last_day, properties={"strategy": strategy})
        )
    store = SimpleNamespace(artifacts={"GateDecision": decisions}.get)
    return known, store


def test_only_runs_that_used_the_former_version_are_offered():
    config = make_config()
    known, store = run_days(config, [30, 35, 36, 37])

    def logs(days):
        return f"{days}, and a late log" if 34 in days else str(days)

    changed = planner(config, known, logs)
    found = runs_to_repeat(store, changed, [LateLog("ads", 34, "arrived")], 37)
    assert found == [(35, "target_only"), (36, "target_only")]
    assert runs_to_repeat(store, changed, [], 37) == []


def test_a_repeated_run_is_no_longer_offered():
    config = make_config()
    known, store = run_days(config, [35, 36])

    def logs(days):
        return f"{days}, and a late log" if 34 in days else str(days)

    again = completed(planner(config, known, logs).run(35, ["target_only"]))
    changed = planner(config, merged(known, again), logs)
    found = runs_to_repeat(store, changed, [LateLog("ads", 34, "arrived")], 37)
    assert found == [(36, "target_only")]


def test_a_run_of_a_strategy_that_is_gone_is_not_offered():
    config = make_config(
        strategies={"ecdctr": {}, "target_only": {}, "whole": {"kind": "ecdctr"}}
    )
    steps = planner(config).run(35, ["whole"])
    known = completed(steps)
    decision = SimpleNamespace(last_day=34, properties={"strategy": "whole"})
    store = SimpleNamespace(artifacts={"GateDecision": [decision]}.get)

    def logs(days):
        return f"{days}, and a late log" if 34 in days else str(days)

    late_log = [LateLog("ads", 34, "arrived")]
    assert runs_to_repeat(store, planner(config, known, logs), late_log, 37)
    renamed = planner(make_config(), known, logs)
    assert runs_to_repeat(store, renamed, late_log, 37) == []
