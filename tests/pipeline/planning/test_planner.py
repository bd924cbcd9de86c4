"""Plans of a day: pure planning without TFX; the only file is the schema."""

import datetime

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from models.days import DayRange
from models.errors import ConfigError
from pipeline.planning.steps import Known
from tests.pipeline.planning.worlds import completed
from tests.pipeline.planning.worlds import make_config
from tests.pipeline.planning.worlds import merged
from tests.pipeline.planning.worlds import planner

STRATEGIES = ["ecdctr", "ecdctr_no_tpm", "ecdctr_no_cpm", "target_only"]


def test_a_first_run_ingests_history_and_evaluation_days_as_two_blocks():
    steps = planner(make_config()).run(38, ["target_only"])
    assert [(s.kind, s.days) for s in steps] == [
        ("ingest", DayRange(1, 37)),
        ("ingest", DayRange(38, 38)),
        ("target", DayRange(31, 37)),
    ]
    assert steps[-1].evaluation == DayRange(38, 38)


def test_ecdctr_trains_three_chained_periods_then_cpm_then_the_target():
    steps = planner(make_config()).run(38, ["ecdctr"])
    tpm = [s for s in steps if s.kind == "tpm"]
    (cpm,) = [s for s in steps if s.kind == "cpm"]
    target = steps[-1]
    assert [s.day for s in tpm] == [10, 20, 30]
    assert [s.warm_start for s in tpm] == [None, *[s.fingerprint for s in tpm[:-1]]]
    assert cpm.day == 35
    assert cpm.snapshots == tuple(s.fingerprint for s in reversed(tpm))
    assert target.snapshots == cpm.snapshots
    assert target.warm_start == cpm.fingerprint


def test_the_parts_share_what_they_have_in_common():
    steps = planner(make_config()).run(38, STRATEGIES)
    kinds = [step.kind for step in steps]
    assert kinds == ["ingest"] * 2 + ["tpm"] * 3 + ["cpm"] * 2 + ["target"] * 4
    whole, no_tpm, no_cpm, plain = steps[-4:]
    assert no_tpm.snapshots == ()
    assert no_tpm.warm_start != whole.warm_start
    assert no_cpm.warm_start is None
    assert no_cpm.snapshots == whole.snapshots
    assert (plain.snapshots, plain.warm_start) == ((), None)
    assert len({step.fingerprint for step in steps}) == len(steps)


def test_a_second_run_finds_everything_done():
    config = make_config()
    steps = planner(config).run(38, STRATEGIES)
    again = planner(config, completed(steps)).run(38, STRATEGIES)
    assert all(step.done for step in again)
    assert [s.fingerprint for s in again] == [s.fingerprint for s in steps]


def test_the_next_day_adds_one_block_and_one_target_run():
    config = make_config()
    known = completed(planner(config).run(38, ["ecdctr"]))
    due = [s for s in planner(config, known).run(39, ["ecdctr"]) if not s.done]
    assert [(s.kind, s.days) for s in due] == [
        ("ingest", DayRange(39, 39)),
        ("target", DayRange(38, 38)),
    ]


def test_a_new_period_continues_the_stored_chain():
    config = make_config()
    known = completed(planner(config).run(38, ["ecdctr"]))
    steps = planner(config, known).run(41, ["ecdctr"])
    periods = [s for s in steps if s.kind == "tpm"]
    # CPM of day 40 and the target both read the periods of days 20, 30 and 40.
    assert [(s.day, s.done) for s in periods] == [(20, True), (30, True), (40, False)]


def test_periods_before_the_first_day_of_logs_do_not_exist():
    steps = planner(make_config()).run(12, ["ecdctr"])
    (period,) = [s for s in steps if s.kind == "tpm"]
    assert period.days == DayRange(1, 9)
    assert "11 days short" in period.note


def test_the_default_clocks_keep_one_chain_between_two_cpm_ticks():
    # TPM ticks on day 300, CPM six days earlier: it reads a period more in the past.
    config = make_config(levels={})
    steps = planner(config).run(300, ["ecdctr"])
    tpm = [step for step in steps if step.kind == "tpm"]
    assert [step.day for step in tpm] == [210, 240, 270, 300]
    prints = [step.fingerprint for step in tpm]
    assert [step.warm_start for step in tpm] == [None, *prints[:-1]]
    (cpm,) = [step for step in steps if step.kind == "cpm"]
    assert (cpm.day, cpm.snapshots) == (294, tuple(reversed(prints[:3])))
    assert steps[-1].snapshots == tuple(reversed(prints[1:]))
    again = planner(config, completed(steps)).run(300, ["ecdctr"])
    assert all(step.done for step in again)


def test_the_target_takes_no_snapshot_that_cpm_could_not_have():
    steps = planner(make_config(levels={})).run(30, ["ecdctr", "ecdctr_no_cpm"])
    whole, no_cpm = steps[-2:]
    (cpm,) = [step for step in steps if step.kind == "cpm"]
    assert (cpm.day, cpm.snapshots) == (28, ())
    assert whole.snapshots == ()
    assert "CPM had none yet" in whole.note
    assert len(no_cpm.snapshots) == 1


def test_a_model_that_was_approved_and_not_yet_published_is_due():
    config = make_config()
    known = completed(planner(config).run(38, STRATEGIES))
    killed = Known(known.blocks, known.results)
    due = [
        s.strategy for s in planner(config, killed).run(38, STRATEGIES) if not s.done
    ]
    assert due == ["ecdctr"]


def test_a_changed_log_makes_its_block_and_all_later_ones_due():
    config = make_config()
    known = completed(planner(config).run(38, ["ecdctr"]))

    def late(days):
        return f"{days} and late rows" if 38 in days else str(days)

    due = [s.label for s in planner(config, known, logs=late).run(38, []) if not s.done]
    assert due == ["ingest 1970-02-08..1970-02-08"]

    def rewritten(days):
        return f"{days} rewritten"

    steps = planner(config, known, logs=rewritten).run(38, ["ecdctr"])
    assert not any(step.done for step in steps)


def test_the_live_model_is_the_latest_days_latest_attempt():
    published = [(30, "old"), (36, "z first"), (36, "a second"), (38, "too late")]
    known = Known(live=published)
    assert planner(make_config(), known).run(38, ["ecdctr"])[-1].live == "a second"
    assert planner(make_config(), known).run(30, ["ecdctr"])[-1].live is None


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({"gate": {"min_auc": 0.6}}, {"target"}),
        ({"network": {"width": 4}}, {"tpm", "cpm", "target"}),
        ({"label": "label == 0"}, {"ingest", "tpm", "cpm", "target"}),
        # These decide whether a block may be made, not what is in it.
        ({"max_bad_share": 0.5}, set()),
        ({"missing_days": {"feeds": "wait"}}, set()),
    ],
)
def test_a_changed_key_makes_due_what_depends_on_it(changes, kinds):
    known = completed(planner(make_config()).run(38, ["ecdctr"]))
    steps = planner(make_config(**changes), known).run(38, ["ecdctr"])
    assert {step.kind for step in steps if not step.done} == kinds


def test_changed_intervals_do_not_retrain():
    whole = planner(make_config()).run(38, ["ecdctr"])[-1]
    drawn = planner(make_config(intervals={"draws": 10})).run(38, ["ecdctr"])[-1]
    assert drawn.training == whole.training
    assert drawn.fingerprint != whole.fingerprint


def test_a_changed_gate_does_not_retrain():
    whole = planner(make_config()).run(38, ["ecdctr"])[-1]
    gated = planner(make_config(gate={"min_auc": 0.6})).run(38, ["ecdctr"])[-1]
    assert gated.training == whole.training
    assert gated.fingerprint != whole.fingerprint


def test_changed_code_makes_everything_due():
    config = make_config()
    known = completed(planner(config).run(38, ["ecdctr"]))
    steps = planner(config, known, code="other").run(38, ["ecdctr"])
    assert not any(step.done for step in steps)


def test_the_live_model_is_the_newest_published_before_the_day():
    config = make_config()
    known = Known(live=((36, "old"), (37, "yesterday"), (38, "today"), (50, "later")))
    target = planner(config, known).run(38, ["ecdctr"])[-1]
    assert target.live == "yesterday"


def test_a_day_before_the_logs_is_refused():
    with pytest.raises(ConfigError, match="leaves no day to train on"):
        planner(make_config()).run(1, ["target_only"])


@settings(deadline=None, max_examples=60)
@given(
    day=st.integers(3, 90),
    earlier=st.lists(st.integers(3, 90), max_size=3),
    clocks=st.tuples(*[st.integers(1, 25)] * 3),
    windows=st.tuples(*[st.integers(1, 60)] * 3),
    evaluation=st.integers(1, 9),
    anchor=st.integers(0, 20),
)
def test_nothing_of_the_day_or_later_is_read(
    day, earlier, clocks, windows, evaluation, anchor
):
    levels = {
        name: {"every_days": every, "window_days": window}
        for name, every, window in zip(
            ("tpm", "cpm", "target"), clocks, windows, strict=True
        )
    }
    anchor_day = datetime.date(1970, 1, 1) + datetime.timedelta(days=anchor)
    config = make_config(
        levels=levels, evaluation_days=evaluation, anchor_day=anchor_day
    )
    known, by_print = Known(), {}
    for past in earlier:
        try:
            planned = planner(config, known).run(past, STRATEGIES)
        except ConfigError:
            continue
        by_print.update({s.training or s.fingerprint: s for s in planned})
        known = merged(known, completed(planned, ((past, f"model of {past}"),)))
    try:
        steps = planner(config, known).run(day, STRATEGIES)
    except ConfigError:
        return
    again = planner(config, merged(known, completed(steps))).run(day, STRATEGIES)
    assert [step.label for step in again if not step.done] == []
    # One chain of periods: the same day has one snapshot, whoever reads it.
    periods = [step.day for step in steps if step.kind == "tpm"]
    assert len(periods) == len(set(periods))
    # A stored period's own parent need not be planned again.
    by_print.update({s.training or s.fingerprint: s for s in steps})
    for step in steps:
        if step.kind == "ingest":
            continue
        assert step.days.last < step.day <= step.run_day <= day
        assert all(block.days.last < day for block in step.blocks)
        # Every row of the window is read exactly once.
        days = [d for block in step.blocks for d in _days(block.days) if d in step.days]
        assert sorted(days) == list(_days(step.days))
        for parent in (*step.snapshots, *filter(None, [step.warm_start])):
            assert by_print[parent].days.last < step.day
        if step.evaluation:
            judged = {d for b in step.evaluation_blocks for d in _days(b.days)}
            assert set(_days(step.evaluation)) <= judged
            assert step.evaluation.first == day


def _days(days):
    return range(days.first, days.last + 1)


def test_what_is_only_trained_is_done_once_its_model_is_stored():
    config = make_config()
    judged = planner(config).run(38, ["ecdctr"])
    known = completed(judged)
    only_model = Known(known.blocks, known.results, frozenset(), (), known.models)
    trained = planner(config, only_model).run(38, ["ecdctr"], judge=False)
    assert all(step.done for step in trained)
    assert not trained[-1].judged
    assert trained[-1].training == judged[-1].training
    assert trained[-1].fingerprint != judged[-1].fingerprint
    # And a model alone is no decision.
    nothing_judged = Known(known.blocks, models=known.models)
    assert not planner(config, nothing_judged).run(38, ["ecdctr"])[-1].done
    no_model = Known(known.blocks, known.results)
    assert not planner(config, no_model).run(38, ["ecdctr"], judge=False)[-1].done
