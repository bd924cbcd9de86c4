"""Chains of TPM periods and of CPM: where they start and what continues from what.

TPM ticks every 10 days with a window of 20, CPM every 5 with a window of 10; logs start
on day 1. TPM's first whole window ends before day 30, and three periods exist on day
50.
"""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from models.days import DayRange
from pipeline.planning.calendar import Clock
from pipeline.planning.steps import Known
from tests.pipeline.planning.worlds import completed
from tests.pipeline.planning.worlds import make_config
from tests.pipeline.planning.worlds import merged
from tests.pipeline.planning.worlds import of_kind
from tests.pipeline.planning.worlds import planner
from tests.pipeline.planning.worlds import run_days

LEVELS = {
    "tpm": {"every_days": 10, "window_days": 20, "snapshots": 3},
    "cpm": {"every_days": 5, "window_days": 10},
    "target": {"window_days": 7},
}


def config_with(tpm=(), cpm=(), **changes):
    levels = {**LEVELS, "tpm": LEVELS["tpm"] | dict(tpm)}
    levels["cpm"] = LEVELS["cpm"] | dict(cpm)
    return make_config(levels=levels, **changes)


CONTINUED = config_with(cpm={"continues": True})


def plan(day, known=None, config=None, strategies=("ecdctr",), **how):
    made = planner(config or make_config(), known, **how)
    return made.run(day, list(strategies))


def days_by_tick(steps, kind="tpm"):
    return {s.day: (s.days.first, s.days.last) for s in of_kind(steps, kind)}


# --- TPM


def test_the_first_period_trains_on_its_window_and_later_ones_on_the_days_since():
    steps = plan(62)
    assert days_by_tick(steps) == {
        30: (10, 29),
        40: (30, 39),
        50: (40, 49),
        60: (50, 59),
    }
    tpm = of_kind(steps, "tpm")
    assert [s.continues for s in tpm] == [False, True, True, True]
    assert [s.warm_start for s in tpm] == [None, *[s.fingerprint for s in tpm[:-1]]]
    assert tpm[-1].note == "continues from TPM of 1970-02-20, trains on 10 new days"
    assert tpm[0].note == ""


def test_the_snapshots_of_a_run_share_no_day():
    steps = plan(62)
    by_print = {s.fingerprint: s for s in of_kind(steps, "tpm")}
    read = [by_print[name] for name in steps[-1].snapshots]
    assert [s.day for s in read] == [60, 50, 40]
    assert not any(
        one.days.overlaps(other.days) for one in read for other in read if one != other
    )


def test_whole_windows_are_trained_again_where_they_are_asked_for():
    config = config_with(tpm={"trains_on": "window"})
    steps = plan(62, config=config)
    assert days_by_tick(steps) == {
        30: (10, 29),
        40: (20, 39),
        50: (30, 49),
        60: (40, 59),
    }
    tpm = of_kind(steps, "tpm")
    assert not any(s.continues for s in tpm)
    assert [s.warm_start for s in tpm] == [None, *[s.fingerprint for s in tpm[:-1]]]


def test_what_periods_train_on_is_part_of_their_fingerprint():
    # The window is as long as the time between two ticks: the days are the same.
    same = {"window_days": 10}
    one, other = (
        of_kind(plan(62, config=config_with(tpm={**same, "trains_on": on})), "tpm")
        for on in ("newest", "window")
    )
    assert [s.days for s in one] == [s.days for s in other]
    assert one[0].fingerprint == other[0].fingerprint
    assert one[1].fingerprint != other[1].fingerprint


@pytest.mark.parametrize(
    ("day", "periods"),
    [
        (9, []),  # no tick yet
        (12, [10]),
        (31, [10, 20, 30]),
        (49, [10, 20, 30, 40]),  # CPM ticked on day 45, before three long periods
        (50, [30, 40, 50]),
        (54, [30, 40, 50]),
        (61, [30, 40, 50, 60]),
    ],
)
def test_young_logs_have_a_preliminary_chain(day, periods):
    steps = plan(day)
    assert [s.day for s in of_kind(steps, "tpm")] == periods
    if periods and periods[0] == 10:
        first = of_kind(steps, "tpm")[0]
        assert (first.days, first.note) == (
            DayRange(1, 9),
            "window starts with the logs, 11 days short",
        )


def test_cpm_and_target_change_chains_together():
    known, targets = run_days(range(44, 53))
    chains = {}
    for day in range(44, 53):
        steps = plan(day, known)
        (cpm,) = of_kind(steps, "cpm")
        tpm = {s.fingerprint: s for s in of_kind(steps, "tpm")}
        assert set(targets[day, "ecdctr"].snapshots) <= tpm.keys()
        assert set(cpm.snapshots) <= tpm.keys()
        chains[day] = next(iter(tpm.values())).warm_start is not None
    # Day 20 continues from day 10; from day 50 on the chain starts with day 30.
    assert chains == {day: day < 50 for day in range(44, 53)}


def test_without_cpm_the_chain_changes_on_the_same_day():
    for day, first in ((49, 10), (50, 30)):
        steps = plan(day, strategies=["ecdctr_no_cpm"])
        assert of_kind(steps, "tpm")[0].day == first


def test_a_first_run_plans_the_periods_that_others_continue_from():
    steps = plan(95)
    assert list(days_by_tick(steps)) == [30, 40, 50, 60, 70, 80, 90]
    again = plan(95, completed(steps))
    assert [s.day for s in of_kind(again, "tpm")] == [70, 80, 90]
    assert all(s.done for s in again)


def test_a_killed_run_goes_on_where_it_stopped():
    steps = plan(95)
    stored = [s for s in steps if s.kind == "ingest" or s.day <= 50]
    due = [s for s in plan(95, completed(stored)) if not s.done]
    assert [(s.kind, s.day) for s in due] == [
        *[("tpm", day) for day in (60, 70, 80, 90)],
        ("cpm", 95),
        ("target", 95),
    ]


@pytest.mark.parametrize("config", [make_config(), CONTINUED])
@pytest.mark.parametrize("day", [48, 52, 75, 96])
def test_a_backfill_later_has_the_chain_of_daily_runs(day, config):
    daily, _ = run_days(range(40, day), config=config)
    later, _ = run_days([180], config=config)
    of_daily, of_later, alone = (
        plan(day, known, config=config) for known in (daily, later, Known())
    )
    for kind in ("tpm", "cpm"):
        in_daily = _described(of_daily, kind)
        assert in_daily
        for other in (_described(of_later, kind), _described(alone, kind)):
            assert in_daily.items() <= other.items()


def _described(steps, kind):
    """Returns by tick what is trained on, and from what tick it continues."""
    ticks = {s.fingerprint: s.day for s in steps}
    every = {"tpm": 10, "cpm": 5}[kind]
    found = {}
    for s in of_kind(steps, kind):
        parent = ticks.get(s.warm_start, s.day - every) if s.warm_start else None
        found[s.day] = (s.days, parent, len(s.snapshots), s.note)
    return found


def test_a_skipped_month_is_trained_when_a_later_run_needs_it():
    known, _ = run_days([62])
    due = [s for s in plan(95, known) if not s.done and s.kind == "tpm"]
    assert [(s.day, s.days) for s in due] == [
        (day, DayRange(day - 10, day - 1)) for day in (70, 80, 90)
    ]


# --- Late and removed impressions


def test_late_impressions_retrain_the_periods_from_their_month_on():
    known, _ = run_days(range(50, 76))

    def late(days):
        return f"{days} and late rows" if 63 in days else str(days)

    due = [s for s in plan(75, known, logs=late) if not s.done and s.kind == "tpm"]
    assert [s.day for s in due] == [70]
    stored = {s.day: s.fingerprint for s in of_kind(plan(75, known), "tpm")}
    assert due[0].warm_start == stored[60]


def removed_before(known, day):
    """Returns what is known once `clean` has removed the blocks before a day."""
    gone = {name for name, days in known.blocks.items() if days.last < day}
    return dataclasses.replace(known, removed=frozenset(gone))


def test_stored_periods_are_kept_though_their_impressions_are_gone():
    known, _ = run_days(range(31, 96))
    cleaned = removed_before(known, 60)
    assert all(s.done for s in plan(95, cleaned))
    due = [s.day for s in plan(101, cleaned) if s.kind == "tpm" and not s.done]
    assert due == [100]


@pytest.mark.parametrize("config", [make_config(), CONTINUED])
def test_a_chain_to_train_again_starts_with_the_first_whole_window_that_is_left(config):
    known, _ = run_days(range(31, 96), config=config)
    cleaned = removed_before(known, 55)
    wider = config.model_copy(
        update={"network": config.network.model_copy(update={"width": 4})}
    )
    steps = plan(95, cleaned, config=wider)
    assert days_by_tick(steps) == {80: (60, 79), 90: (80, 89)}
    assert not any(s.reads & cleaned.removed for s in steps if s.kind != "ingest")
    known = merged(cleaned, completed(steps))
    again = removed_before(known, 70)
    assert all(s.done for s in plan(95, again, config=wider))
    due = [s for s in plan(101, again, config=wider) if not s.done]
    assert days_by_tick(due) == {100: (90, 99)}


def test_removed_impressions_that_nothing_else_replaces_are_still_refused_later():
    known, _ = run_days([62])
    gone = dataclasses.replace(
        known, removed=frozenset(known.blocks), results=frozenset()
    )
    # Nothing is left to train on: the plan is the usual one, which `run` refuses.
    assert list(days_by_tick(plan(62, gone))) == [30, 40, 50, 60]


# --- CPM


def test_cpm_trains_on_its_window_by_default():
    steps = plan(62)
    (cpm,) = of_kind(steps, "cpm")
    assert (cpm.day, cpm.days, cpm.warm_start) == (60, DayRange(50, 59), None)
    assert not cpm.continues


def test_a_continued_cpm_trains_on_the_days_since_the_one_before():
    # Its chain starts where that of its snapshots is complete.
    steps = plan(62, config=CONTINUED)
    assert days_by_tick(steps, "cpm") == {50: (40, 49), 55: (50, 54), 60: (55, 59)}
    cpm = of_kind(steps, "cpm")
    assert [s.continues for s in cpm] == [False, True, True]
    assert [s.warm_start for s in cpm] == [None, *[s.fingerprint for s in cpm[:-1]]]
    assert cpm[1].note == "continues from CPM of 1970-02-20, trains on 5 new days"
    ticks = {s.fingerprint: s.day for s in of_kind(steps, "tpm")}
    assert [[ticks[name] for name in s.snapshots] for s in cpm] == [
        [50, 40, 30],
        [50, 40, 30],
        [60, 50, 40],
    ]
    assert steps[-1].warm_start == cpm[-1].fingerprint


def test_the_target_restarts_from_every_new_cpm_that_continues():
    _, targets = run_days(range(58, 67), config=CONTINUED)
    restarts = [day for (day, _), step in targets.items() if not step.continues]
    assert restarts == [58, 60, 65]


def test_a_continued_cpm_restarts_on_what_is_logged_while_its_window_is_cut_short():
    config = config_with(cpm={"continues": True, "window_days": 30})
    strategies = ["ecdctr_no_tpm"]
    early = plan(26, config=config, strategies=strategies)
    assert days_by_tick(early, "cpm") == {25: (1, 24)}
    later = plan(46, config=config, strategies=strategies)
    assert days_by_tick(later, "cpm") == {35: (5, 34), 40: (35, 39), 45: (40, 44)}


def test_a_stored_cpm_is_continued_and_its_past_is_not_planned():
    known, _ = run_days([62], config=CONTINUED)
    steps = plan(66, known, config=CONTINUED)
    assert [(s.day, s.done) for s in of_kind(steps, "cpm")] == [(65, False)]
    stored = {s.day: s for s in of_kind(plan(62, known, config=CONTINUED), "cpm")}
    assert of_kind(steps, "cpm")[0].warm_start == stored[60].fingerprint


def test_periods_that_an_earlier_cpm_needs_are_planned():
    known, _ = run_days([62], config=CONTINUED)
    # Sixty days without a run: each CPM between reads the snapshots of its day.
    steps = plan(122, known, config=CONTINUED)
    made = {s.fingerprint for s in steps} | known.results
    for step in of_kind(steps, "cpm"):
        assert set(step.snapshots) <= made
        assert step.warm_start in made
    assert [s.day for s in of_kind(steps, "cpm")] == list(range(65, 121, 5))


# --- Laws


@settings(deadline=None, max_examples=80)
@given(
    day=st.integers(3, 150),
    tpm=st.tuples(st.integers(1, 25), st.integers(1, 60), st.integers(1, 5)),
    cpm=st.tuples(st.integers(1, 25), st.integers(1, 60), st.booleans()),
    whole=st.booleans(),
)
def test_every_chain_is_complete_and_never_reads_ahead(day, tpm, cpm, whole):
    config = config_with(
        tpm={
            **dict(zip(("every_days", "window_days", "snapshots"), tpm, strict=True)),
            "trains_on": "window" if whole else "newest",
        },
        cpm=dict(zip(("every_days", "window_days", "continues"), cpm, strict=True)),
    )
    if Clock(cpm[0], cpm[1]).tick(day) <= 1:
        return
    steps = plan(day, config=config)
    by_print = {s.fingerprint: s for s in steps}
    for step in [*of_kind(steps, "tpm"), *of_kind(steps, "cpm")]:
        assert step.days.last == step.day - 1
        if step.warm_start is None:
            continue
        before = by_print[step.warm_start]
        assert before.kind == step.kind
        if step.continues:
            # No impression is left out, none is learnt from twice.
            assert step.days.first == before.day
    for step in steps:
        assert all(by_print[name].day <= step.day for name in step.snapshots)
    firsts = [s for s in of_kind(steps, "tpm") if s.warm_start is None]
    assert len(firsts) == bool(of_kind(steps, "tpm"))
    assert all(s.done for s in plan(day, completed(steps), config=config))
    # Whoever reads snapshots reads those of one chain.
    assert len({bool(s.snapshots) for s in of_kind(steps, "cpm")}) <= 1
