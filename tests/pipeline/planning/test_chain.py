"""Plans of CTNet: warm starts, days read, and reloads of the source model."""

from __future__ import annotations

import pytest

from models.days import DayRange
from models.errors import ConfigError
from pipeline.planning.steps import Known
from tests.pipeline.planning.worlds import completed
from tests.pipeline.planning.worlds import make_ctnet_config
from tests.pipeline.planning.worlds import merged
from tests.pipeline.planning.worlds import of_kind
from tests.pipeline.planning.worlds import planner
from tests.pipeline.planning.worlds import run_days


def over_days(days, strategies=("ctnet",), config=None):
    """Plans and completes runs; returns the steps of every day, those done included."""
    known, by_day = Known(), {}
    for day in days:
        steps = planner(config or make_ctnet_config(), known).run(day, list(strategies))
        by_day[day] = steps
        known = merged(known, completed(steps))
    return known, by_day


def test_the_first_day_puts_the_target_model_and_the_source_model_together():
    steps = planner(make_ctnet_config()).run(38, ["ctnet"])
    assert [step.kind for step in steps] == [
        *("ingest", "ingest", "source", "base", "target")
    ]
    source, base, target = steps[2:]
    assert (base.day, base.days, base.judged) == (38, DayRange(31, 37), False)
    # Trained strictly before the day, on 30 days as far as there are logs.
    assert (source.day, source.days) == (37, DayRange(7, 36))
    assert (target.warm_start, target.source) == (base.fingerprint, source.fingerprint)
    assert target.initialize_only
    assert target.continues
    assert target.note == "starts from the target model of 1970-02-08 as it is"


def test_the_first_model_starts_from_the_model_that_target_only_has_that_day():
    steps = planner(make_ctnet_config()).run(38, ["target_only", "ctnet"])
    (base,) = of_kind(steps, "base")
    plain, ctnet = of_kind(steps, "target")
    assert base.fingerprint == plain.training == ctnet.warm_start


def test_from_then_on_it_reads_new_rows_alone_and_the_newest_source_each_day():
    # CPM ticks on day 40, which restarts every other strategy.
    _, by_day = over_days(range(38, 44))
    targets = {day: of_kind(steps, "target")[0] for day, steps in by_day.items()}
    for day in range(39, 44):
        (source,) = of_kind(by_day[day], "source")
        target = targets[day]
        assert not of_kind(by_day[day], "base")
        assert (target.days, target.initialize_only) == (
            DayRange(day - 1, day - 1),
            False,
        )
        assert target.warm_start == targets[day - 1].training
        assert target.source == source.fingerprint
        assert (source.day, source.days) == (day - 1, DayRange(day - 2, day - 2))
        (former,) = of_kind(by_day[day - 1], "source")
        assert source.warm_start == former.fingerprint
        assert target.note == (
            f"continues from ctnet of 1970-02-{day - 31:02}, trains on 1 new day"
        )


@pytest.mark.parametrize("day", range(34, 44))
def test_no_source_row_is_of_the_day_of_the_newest_target_row_or_later(day):
    _, by_day = over_days([34, 36, 37, day] if day > 37 else [day])
    for steps in by_day.values():
        (source,) = of_kind(steps, "source")
        (target,) = of_kind(steps, "target")
        assert source.days.last < target.days.last < target.run_day
        assert source.day < target.day


def test_without_reload_the_first_source_stays():
    known, by_day = over_days([38, 39, 40], ["kept"])
    sources = {steps[-1].source for steps in by_day.values()}
    assert sources == {of_kind(by_day[38], "source")[0].fingerprint}
    # Nothing else needs a newer one.
    assert [step.done for step in of_kind(by_day[40], "source")] == [True]
    assert planner(make_ctnet_config(), known).run(40, ["kept"])[-1].done


def test_variants_share_their_parents_and_are_models_of_their_own():
    _, by_day = over_days([38, 39], ["ctnet", "kept", "gate"])
    first = by_day[38]
    assert len(of_kind(first, "base")) == len(of_kind(first, "source")) == 1
    # On the first day no source was left to be read again.
    ctnet, kept, gate = of_kind(first, "target")
    assert ctnet.training == kept.training != gate.training
    assert len({step.training for step in of_kind(by_day[39], "target")}) == 3


def test_with_snapshots_the_target_tower_starts_with_them():
    _, by_day = over_days([41, 42], ["snapshots"])
    periods = of_kind(by_day[41], "tpm")
    (base,), (target,) = (of_kind(by_day[41], kind) for kind in ("base", "target"))
    (source,) = of_kind(by_day[41], "source")
    newest = (periods[-1].fingerprint, periods[-2].fingerprint)
    assert base.snapshots == target.snapshots == newest
    assert source.snapshots == ()
    assert by_day[42][-1].snapshots == newest


def test_a_day_that_was_run_is_planned_the_same_again():
    known, by_day = over_days([36, 38, 39])
    again = planner(make_ctnet_config(), known).run(39, ["ctnet"])
    assert all(step.done for step in again)
    assert again[-1].fingerprint == by_day[39][-1].fingerprint
    # A day between, run only now, leaves the later one as it is.
    known = merged(
        known, completed(planner(make_ctnet_config(), known).run(37, ["ctnet"]))
    )
    kept = planner(make_ctnet_config(), known).run(39, ["ctnet"])[-1]
    assert kept.training == by_day[39][-1].training


def test_days_that_ran_without_it_are_no_beginning_of_it():
    known, _ = run_days([2, 37], ["target_only"], config=make_ctnet_config())
    target = planner(make_ctnet_config(), known).run(38, ["ctnet"])[-1]
    assert target.initialize_only
    assert target.day == 38


def test_a_first_day_without_source_rows_is_refused():
    with pytest.raises(ConfigError, match="source model before 1970-01-03 is of"):
        planner(make_ctnet_config()).run(2, ["ctnet"])


def test_a_late_source_row_replaces_the_models_that_saw_it():
    known, by_day = over_days([37, 38, 39])

    def late(days):
        return f"{days} and late rows" if 37 in days else str(days)

    steps = planner(make_ctnet_config(), known, logs=late).run(39, ["ctnet"])
    target = steps[-1]
    assert target.training != by_day[39][-1].training
    assert target.warm_start == by_day[37][-1].training
    assert target.days == DayRange(37, 38)
