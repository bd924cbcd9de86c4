"""Differences of two models over the steps of a study."""

import datetime
import math
import re

import pytest

from benchmarks.ctnet_months import MONTHS
from benchmarks.ctnet_months import month_starts
from benchmarks.study_metrics import difference
from benchmarks.study_metrics import difference_text
from models.days import to_date


def _result(ctnet, base):
    return {
        "days": {
            "ctnet": [{"gauc": value} for value in ctnet],
            "base": [{"gauc": value} for value in base],
        }
    }


def test_a_difference_is_paired_and_leaves_the_first_step_out():
    results = [
        _result([0.9, 0.62, 0.73], [0.1, 0.60, 0.70]),
        _result([0.9, 0.54, float("nan")], [0.1, 0.50, 0.60]),
    ]
    mean, low, high = difference(results, "ctnet", "base")
    # Means of the seeds: 0.025 and 0.04; t of one degree of freedom is 12.706.
    assert mean == pytest.approx(0.0325)
    assert high - mean == pytest.approx(12.706 * 0.0075, rel=1e-4)
    assert mean - low == pytest.approx(high - mean)
    assert difference_text((mean, low, high)) == "+0.0325 [-0.0628, +0.1278]"


def test_one_seed_has_no_interval():
    found = difference([_result([0.9, 0.62], [0.1, 0.60])], "ctnet", "base")
    assert found[1:] == (-math.inf, math.inf)


@pytest.mark.parametrize("found", [(0.01, -0.01, 0.03), (-0.02, -0.03, -0.01)])
def test_an_interval_that_is_too_narrow_names_no_winner(found):
    assert not re.search("[a-z]", difference_text(found))


def test_months_begin_on_their_first_day_and_end_with_one_more():
    starts = [to_date(day) for day in month_starts(datetime.date(2013, 11, 1))]
    assert len(starts) == MONTHS + 1
    assert starts[:3] == [
        datetime.date(2013, 11, 1),
        datetime.date(2013, 12, 1),
        datetime.date(2014, 1, 1),
    ]
    assert starts[-1] == datetime.date(2014, 11, 1)
