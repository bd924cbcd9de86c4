"""Calendar: clocks, windows and gaps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.days import DayRange
from models.days import to_date
from models.days import to_day
from pipeline.planning.calendar import Clock


@given(
    every=st.integers(1, 400),
    window=st.integers(1, 400),
    anchor=st.integers(0, 30_000),
    day=st.integers(0, 30_000),
)
def test_a_window_ends_before_the_newest_tick(every, window, anchor, day):
    clock = Clock(every=every, window=window, anchor=anchor)
    tick = clock.tick(day)
    assert day - every < tick <= day
    assert (tick - anchor) % every == 0
    first = clock.first_tick(day)
    assert day <= first < day + every
    assert (first - anchor) % every == 0
    rows = clock.window_of(tick)
    assert rows.last == tick - 1
    assert len(rows) == window


@given(st.integers(-10_000, 60_000))
def test_day_and_date_are_inverse(day):
    assert to_day(to_date(day)) == day


def test_a_day_counts_from_1970():
    assert str(to_date(0)) == "1970-01-01"
    assert str(DayRange(17897, 17898)) == "2019-01-01..2019-01-02"


def test_a_range_that_ends_before_it_starts_is_refused():
    with pytest.raises(ValueError, match="1970-01-03 to 1970-01-02"):
        DayRange(2, 1)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (DayRange(1, 4), False),
        (DayRange(1, 5), True),
        (DayRange(7, 7), True),
        (DayRange(9, 12), True),
        (DayRange(10, 12), False),
    ],
)
def test_overlap_includes_both_ends(other, expected):
    assert DayRange(5, 9).overlaps(other) is expected
    assert other.overlaps(DayRange(5, 9)) is expected
