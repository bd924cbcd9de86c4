"""Warm starts of a day's target model, over days and ticks of CPM."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from models.days import DayRange
from pipeline.planning.steps import Known
from tests.pipeline.planning.worlds import make_config
from tests.pipeline.planning.worlds import planner
from tests.pipeline.planning.worlds import run_days

# CPM ticks every 5 days, so on days 30, 35 and 40; the target replays 7 days.


def target_on(day, known, config=None, logs=str, strategy="ecdctr"):
    return planner(config or make_config(), known, logs=logs).run(day, [strategy])[-1]


def test_ten_days_across_a_tick_of_cpm():
    _, targets = run_days(range(33, 43))
    trained = [(step.day, str_days(step), step.continues) for step in targets.values()]
    assert trained == [
        (33, (26, 32), False),  # the first run: nothing to continue from
        (34, (33, 33), True),
        (35, (28, 34), False),  # CPM of day 35
        (36, (35, 35), True),
        (37, (36, 36), True),
        (38, (37, 37), True),
        (39, (38, 38), True),
        (40, (33, 39), False),  # CPM of day 40
        (41, (40, 40), True),
        (42, (41, 41), True),
    ]
    steps = list(targets.values())
    for before, after in zip(steps, steps[1:], strict=False):
        assert (after.warm_start == before.training) == after.continues
    assert len({step.training for step in steps}) == 10


def str_days(step):
    return step.days.first, step.days.last


def test_the_plan_says_where_a_model_goes_on_from():
    _, targets = run_days([35, 36, 38, 40], ["ecdctr", "target_only"])
    notes = {key: step.note for key, step in targets.items()}
    assert notes[35, "ecdctr"] == "restarts from CPM of 1970-02-05, replays 7 days"
    assert notes[36, "ecdctr"] == (
        "continues from A-CTR of 1970-02-05, trains on 1 new day"
    )
    assert notes[38, "ecdctr"] == (
        "continues from A-CTR of 1970-02-06, trains on 2 new days"
    )
    assert notes[35, "target_only"] == "starts anew on 7 days"
    assert notes[38, "target_only"] == (
        "continues from target_only of 1970-02-06, trains on 2 new days"
    )


def test_a_first_run_between_two_ticks_replays_and_says_why():
    step = target_on(38, Known())
    assert not step.continues
    assert step.note == (
        "restarts from CPM of 1970-02-05, replays 7 days; no model of 1970-02-05 or "
        "later to continue from"
    )


def test_a_skipped_day_is_caught_up():
    _, targets = run_days([35, 36, 39])
    assert targets[39, "ecdctr"].days == DayRange(36, 38)
    assert targets[39, "ecdctr"].warm_start == targets[36, "ecdctr"].training


def test_days_older_than_the_window_are_not_caught_up():
    levels = {"cpm": {"every_days": 9, "window_days": 9}, "target": {"window_days": 2}}
    _, targets = run_days([36, 44], config=make_config(levels=levels))
    step = targets[44, "ecdctr"]
    assert step.continues
    assert step.days == DayRange(42, 43)
    assert "6 older days lie before its window" in step.note


def test_every_strategy_restarts_on_the_same_days():
    strategies = ["ecdctr", "ecdctr_no_tpm", "ecdctr_no_cpm", "target_only"]
    _, targets = run_days(range(34, 42), strategies)
    restarts = {
        strategy: [
            day
            for (day, name), step in targets.items()
            if name == strategy and not step.continues
        ]
        for strategy in strategies
    }
    assert restarts == dict.fromkeys(strategies, [34, 35, 40])


def test_a_backfill_uses_no_later_model_and_gives_the_same_plan():
    forward, targets = run_days(range(35, 40))
    for day in range(35, 40):
        again = target_on(day, forward)
        assert again.fingerprint == targets[day, "ecdctr"].fingerprint
        assert again.done
    # Day 37 had not been run: what ran later is nothing to continue from.
    later, _ = run_days([38, 39])
    step = target_on(37, later)
    assert not step.continues
    assert step.days == DayRange(30, 36)


def test_a_day_keeps_its_model_though_an_earlier_one_is_run_later():
    known, targets = run_days([36, 38, 39])
    known, _ = run_days([37], known=known)
    for day in (38, 39):
        assert target_on(day, known).training == targets[day, "ecdctr"].training
    assert target_on(40, known).days == DayRange(33, 39)


def test_a_killed_run_plans_the_same_again():
    known, targets = run_days([35, 36])
    step = target_on(37, known)
    trained = Known(
        known.blocks,
        known.results,
        known.published,
        known.live,
        {**known.models, step.training: 37},
    )
    again = target_on(37, trained)
    assert (again.training, again.done) == (step.training, False)
    assert again.warm_start == targets[36, "ecdctr"].training


@pytest.mark.parametrize(
    ("late_day", "continues"),
    [(37, True), (36, True), (34, False)],
    ids=["in the new days", "in an earlier run's", "in the replay"],
)
def test_late_rows_replace_every_model_that_trained_on_their_day(late_day, continues):
    config = make_config()
    known, _ = run_days(range(35, 39), config=config)

    def late(days):
        return f"{days} and late rows" if late_day in days else str(days)

    step = target_on(38, known, config=config, logs=late)
    assert not step.done
    assert step.continues == continues
    if continues:
        # From the newest model that has not seen the day as it was.
        assert step.days == DayRange(late_day, 37)
    else:
        assert step.days == DayRange(31, 37)


def test_a_run_between_two_ticks_of_the_target_judges_the_newest_model():
    levels = {
        "cpm": {"every_days": 6, "window_days": 9},
        "target": {"every_days": 2, "window_days": 7},
    }
    config = make_config(levels=levels)
    known, targets = run_days([36, 37, 38], config=config)
    on_tick, between, next_tick = targets.values()
    assert between.training == on_tick.training
    assert (between.day, between.run_day) == (36, 37)
    assert between.evaluation == DayRange(37, 37)
    assert between.fingerprint != on_tick.fingerprint
    assert (next_tick.continues, next_tick.days) == (True, DayRange(36, 37))
    assert target_on(37, known, config=config).done


def test_snapshots_that_arrive_between_two_ticks_of_cpm_are_used():
    # TPM ticks on day 40, CPM on 36 and 42.
    levels = {
        "tpm": {"every_days": 10, "window_days": 20, "snapshots": 2},
        "cpm": {"every_days": 6, "window_days": 9},
        "target": {"window_days": 7},
    }
    _, targets = run_days([39, 40, 41], config=make_config(levels=levels))
    before, with_new, after = targets.values()
    assert with_new.continues
    assert after.continues
    assert with_new.snapshots == after.snapshots
    assert with_new.snapshots[1] == before.snapshots[0]


def test_a_model_that_started_without_snapshots_goes_on_without():
    config = make_config(
        levels={
            "tpm": {"every_days": 10, "window_days": 20, "snapshots": 2},
            "cpm": {"every_days": 7, "window_days": 9},
            "target": {"window_days": 7},
        },
        first_day=datetime.date(1970, 1, 6),
    )
    _, targets = run_days([9, 10], ["ecdctr_no_cpm"], config=config)
    first, second = targets.values()
    assert first.snapshots == ()
    assert second.continues
    assert second.snapshots == ()
    assert "no snapshots until CPM's next tick" in second.note


CALENDARS = {
    "days": st.lists(st.integers(31, 46), min_size=2, max_size=7, unique=True),
    "cpm": st.integers(2, 9),
    "target": st.integers(1, 3),
    "window": st.integers(2, 9),
}


def _calendar(cpm, target, window):
    levels = {
        "cpm": {"every_days": cpm, "window_days": 9},
        "target": {"every_days": target, "window_days": window},
    }
    return make_config(levels=levels)


@settings(max_examples=40, deadline=None)
@given(**CALENDARS)
def test_no_day_is_trained_twice_into_one_chain(days, cpm, target, window):
    config = _calendar(cpm, target, window)
    _, targets = run_days(days, ["ecdctr", "target_only"], config=config)
    made = {step.training: step for step in targets.values()}
    for step in targets.values():
        while step.continues:
            before = made[step.warm_start]
            assert before.strategy == step.strategy
            assert before.days.last < step.days.first
            step = before


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(**CALENDARS)
def test_a_backfill_trains_on_what_a_run_at_the_time_would_have(
    days, cpm, target, window
):
    config = _calendar(cpm, target, window)
    days = sorted(days)
    _, then = run_days(days, config=config)
    known, _ = run_days([60], config=config)
    _, today = run_days(days, known=known, config=config)
    for key, step in then.items():
        late = today[key]
        assert (late.days, late.continues) == (step.days, step.continues)
        assert late.evaluation == step.evaluation
        assert len(late.snapshots) == len(step.snapshots)
        assert late.note == step.note
        assert all(block.days.first < key[0] for block in late.blocks)
