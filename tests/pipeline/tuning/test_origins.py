"""Origins: windows before the run's day, and no day of it or later among their days."""

from __future__ import annotations

import datetime

import pytest

from models.days import to_day
from models.errors import ConfigError
from pipeline.config.load import load_config
from pipeline.tuning.origins import origins_before
from tests.pipeline.planning.worlds import ROOT
from tests.pipeline.planning.worlds import make_config
from tests.pipeline.planning.worlds import planner

CONFIGS = {
    "xmarket": ("2019-01-01", ["2016-01-02", "2017-01-01", "2018-01-01"]),
    "amazon": ("2014-06-01", ["2014-02-16", "2014-03-23", "2014-04-27"]),
    "feeds_ads": ("2024-02-23", ["2024-02-02", "2024-02-09", "2024-02-16"]),
}


def days_of(day):
    return to_day(datetime.date.fromisoformat(day))


@pytest.mark.checkout
@pytest.mark.parametrize(("name", "days"), CONFIGS.items(), ids=CONFIGS)
def test_origins_of_the_shipped_configurations(name, days):
    config = load_config(ROOT / "configs" / f"{name}.yaml")
    run_day, expected = days
    found = origins_before(config, days_of(run_day), 3)
    assert [origin.day for origin in found] == [days_of(day) for day in expected]


@pytest.mark.parametrize("day", [60, 61, 64, 90])
@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("evaluation_days", [1, 7, 40])
def test_windows_lie_apart_and_before_the_day(day, count, evaluation_days):
    config = make_config(evaluation_days=evaluation_days)
    found = origins_before(config, day, count)
    assert len(found) == count
    for origin in found:
        assert origin.judged.first == origin.day
        assert origin.judged.last < day
        # CPM's clock ticks every 5 days from day 0 on: nothing is continued.
        assert origin.day % 5 == 0
        assert len(origin.judged) <= evaluation_days
    for earlier, later in zip(found, found[1:], strict=False):
        assert earlier.judged.last < later.day
    assert found[0].day - config.first > 0
    assert sum(len(origin.judged) for origin in found) <= (day - config.first) / 2


@pytest.mark.parametrize("strategy", ["ecdctr", "target_only"])
def test_no_log_of_the_day_or_later_is_read(strategy):
    day, read = 61, []
    config = make_config(evaluation_days=7, references={"rows": 9})
    origins = origins_before(config, day, 3)
    config = config.model_copy(update={"evaluation_days": len(origins[0].judged)})

    def logs(days):
        read.append(days)
        return str(days)

    for origin in origins:
        made = planner(config, logs=logs)
        steps = made.run(origin.day, [strategy], judge=False)
        steps += made.run(origin.day, [], judge=False)
        days = [step.days.last for step in steps]
        days += [step.evaluation.last for step in steps if step.evaluation]
        assert max(days) == origin.judged.last
    assert read
    assert max(days.last for days in read) < day


@pytest.mark.parametrize("day", [1, 2, 5, 12])
def test_too_few_days_of_logs_are_named(day):
    with pytest.raises(ConfigError, match="choose fewer --origins"):
        origins_before(make_config(), day, 3)
