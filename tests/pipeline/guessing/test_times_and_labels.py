"""Times and labels by their values and names."""

from __future__ import annotations

import datetime

import numpy as np
import pyarrow as pa
import pytest

from models.days import to_day
from models.errors import DataError
from pipeline.guessing.labels import guess_label
from pipeline.guessing.times import find_times
from pipeline.guessing.times import times_of
from tests.pipeline.guessing.guesses import column

_MOMENTS = [
    datetime.datetime(2024, 2, 26, 12, 30, 5, tzinfo=datetime.timezone.utc)
    + datetime.timedelta(hours=7 * i)
    for i in range(40)
]
_SECONDS = [int(moment.timestamp()) for moment in _MOMENTS]
_DAYS = [to_day(moment.date()) for moment in _MOMENTS]


@pytest.mark.parametrize(
    ("values", "form"),
    [
        (_SECONDS, "epoch_seconds"),
        ([s * 1000 for s in _SECONDS], "epoch_milliseconds"),
        ([str(s * 1000) for s in _SECONDS], "epoch_milliseconds"),
        ([s * 1_000_000 for s in _SECONDS], "epoch_microseconds"),
        ([s + 0.25 for s in _SECONDS], "epoch_seconds"),
        *(
            ([moment.strftime(form) for moment in _MOMENTS], form)
            for form in (
                "%Y%m%d%H%M",
                "%Y%m%d",
                "%Y-%m-%d",
                "%Y-%m-%d %H:%M:%S",
                "%Y-%m-%d %H:%M",
                "%d.%m.%Y %H:%M",
                "%d/%m/%Y %H:%M:%S",
            )
        ),
        ([f"{m:%Y-%m-%dT%H:%M:%S}.250Z" for m in _MOMENTS], "%Y-%m-%dT%H:%M:%S.%f%z"),
        ([f"{m:%Y-%m-%dT%H:%M:%S}Z" for m in _MOMENTS], "%Y-%m-%dT%H:%M:%S%z"),
    ],
)
def test_times_are_read_as_they_are_written(values, form):
    found = times_of(column(values, "time"))
    assert found is not None
    assert found.format == form
    assert found.days.tolist() == _DAYS


def test_timestamps_of_a_file_need_no_format():
    found = times_of(column(pa.array(_MOMENTS, pa.timestamp("ms", "UTC")), "shown"))
    assert found is not None
    assert found.is_native
    assert found.days.tolist() == _DAYS


def test_a_day_before_month_that_may_be_either_is_told():
    values = [f"0{day}/03/2024" for day in range(1, 10)]
    found = times_of(column(values, "date"))
    assert found is not None
    assert {found.format, found.ambiguous} == {"%d/%m/%Y", "%m/%d/%Y"}


def test_ids_like_seconds_are_no_times_without_a_name():
    assert find_times([column(_SECONDS, "item_id")]) == []
    assert [t.column for t in find_times([column(_SECONDS, "shown_at")])] == [
        "shown_at"
    ]


def test_the_finest_time_comes_first():
    columns = [
        column([f"{m:%Y-%m-%d}" for m in _MOMENTS], "date"),
        column(_SECONDS, "time"),
    ]
    assert [found.column for found in find_times(columns)] == ["time", "date"]


@pytest.mark.parametrize(
    ("name", "values", "rule", "sure"),
    [
        ("click", [0, 1, 0], "click == 1", True),
        ("label", [-1, 1, 1], "label == 1", True),
        ("is_clicked", [True, False, True], "is_clicked == 1", True),
        ("clicked", ["true", "false", "true"], "clicked == 1", True),
        ("clk", ["0", "1", "1"], "clk == 1", True),
        ("rating", [1, 5, 4], "rating >= 4", False),
        ("click", [0, 3, 1], "click > 0", False),
        ("label", [1, 2, 1], "label == 2", False),
        ("click", [0, 0, 0], "click == 1", False),
        ("click", [1, 1, 1], "click == 1", False),
        ("touched", [0, 1, 0], "touched == 1", False),
    ],
)
def test_label_of_a_column(name, values, rule, sure):
    columns = {"user_id": column([4, 5, 6], "user_id"), name: column(values, name)}
    found = guess_label("ads", columns)
    assert found.rule == rule
    assert (found.check == "") is sure


def test_clicks_are_what_the_rule_says():
    columns = {"rating": column([5, 3, None, 4], "rating")}
    found = guess_label("ads", columns)
    np.testing.assert_array_equal(found.clicks, [True, False, False, True])


def test_a_click_is_found_beside_counts_of_clicks():
    columns = {
        "user_clicks": column([0, 7, 3], "user_clicks"),
        "clicked_before": column([0, 1, 1], "clicked_before"),
        "click": column([0, 1, 0], "click"),
    }
    assert guess_label("ads", columns).rule == "click == 1"


def test_without_a_label_the_columns_that_were_looked_at_are_named():
    columns = {
        "user_id": column([4, 5, 6], "user_id"),
        "a": column([0, 1, 0], "a"),
        "b": column([1, 1, 0], "b"),
    }
    with pytest.raises(DataError) as caught:
        guess_label("ads", columns)
    for part in ("user_id (4, 5, 6)", "a (0, 1)", "--label ads=COLUMN"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("given", "rule"), [("b", "b == 1"), ("b >= 1", "b >= 1"), ("a>0", "a>0")]
)
def test_a_label_may_be_named(given, rule):
    columns = {"a": column([0, 1, 0], "a"), "b": column([1, 1, 0], "b")}
    assert guess_label("ads", columns, given).rule == rule


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("c", "is not a column of 'ads'"),
        ("b", "are not numbers"),
        ("c > 1", "not a column"),
    ],
)
def test_a_wrong_label_is_refused(given, message):
    columns = {"b": column(["yes", "no", "no"], "b")}
    with pytest.raises(DataError, match=message):
        guess_label("ads", columns, given)
