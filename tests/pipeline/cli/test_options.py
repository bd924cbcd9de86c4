"""Options that commands share."""

import pytest

from models.days import DayRange
from models.errors import ConfigError
from pipeline.cli.options import days_between


def test_a_range_of_days_includes_both_ends():
    assert days_between(19_783, 19_783) == DayRange(19_783, 19_783)


def test_a_range_that_ends_before_it_begins_is_refused():
    message = r"--from 2024-03-01 is after --to 2024-02-29; swap them"
    with pytest.raises(ConfigError, match=message):
        days_between(19_783, 19_782)
