"""Ids, numbers and times of everyday types; what does not fit is marked."""

import datetime
import zoneinfo
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.log_example_gen.time_formats import parse_time_format
from components.log_example_gen.times import read_times
from components.log_example_gen.values import ColumnTypeError
from components.log_example_gen.values import read_ids
from components.log_example_gen.values import read_numbers


def read(function, values, *arguments):
    """Returns the values and, by row, what is wrong."""
    problems = {}

    def mark(mask, problem):
        problems.update(dict.fromkeys(np.flatnonzero(mask).tolist(), problem))

    return function(values, *arguments, mark).to_pylist(), problems


NO_ID = "is not a whole number, as an id has to be"


@pytest.mark.parametrize(
    ("values", "expected", "problems"),
    [
        (pa.array(["a", "b", "a"]).dictionary_encode(), [b"a", b"b", b"a"], {}),
        (pa.array([7, None]).dictionary_encode(), [b"7", None], {}),
        (pa.array([1.0, None, float("nan"), -0.0]), [b"1", None, None, b"0"], {}),
        (pa.array([1.5, 2.0**54], pa.float64()), [None, None], {0: NO_ID, 1: NO_ID}),
        (pa.array([Decimal("12.00"), Decimal("1.50")]), [b"12", None], {1: NO_ID}),
        (pa.array([2**64 - 1], pa.uint64()), [b"18446744073709551615"], {}),
        (pa.array([True, None]), [b"true", None], {}),
        (pa.array([b"\xff\x00"], pa.binary(2)), [b"\xff\x00"], {}),
        (pa.array([datetime.date(2024, 2, 26)]), [b"2024-02-26"], {}),
        (
            pa.array([b"\xff", b"a"], pa.binary()).view(pa.string()),
            [None, b"a"],
            {0: "is not UTF-8 text"},
        ),
    ],
)
def test_ids_of_everyday_types(values, expected, problems):
    assert read(read_ids, values) == (expected, problems)


def test_a_timestamp_is_no_id():
    with pytest.raises(ColumnTypeError, match="text or an integer"):
        read(read_ids, pa.array([datetime.datetime(2024, 2, 26)]))


FAR = "is beyond the range of 64-bit integers"
INFINITE = "is beyond the range of 64-bit floating-point numbers"


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        ("9223372036854775807", pa.int64(), 2**63 - 1),
        ("9223372036854775808", pa.int64(), FAR),
        ("9" * 5000, pa.int64(), FAR),
        ("+3", pa.int64(), "is not an integer"),
        ("0x10", pa.int64(), "is not an integer"),
        ("007", pa.int64(), 7),
        ("3.0", pa.int64(), 3),
        ("3.5", pa.int64(), "is not an integer"),
        ("1e3", pa.int64(), 1000),
        ("1e400", pa.int64(), INFINITE),
        ("1e400", pa.float64(), INFINITE),
        ("-1e-400", pa.float64(), 0.0),
        (".5", pa.float64(), 0.5),
        ("True", pa.float64(), 1),
        ("false", pa.float64(), 0),
        ("NaN", pa.float64(), None),
        (" ", pa.float64(), None),
        ("many", pa.float64(), "is not a number"),
    ],
)
def test_numbers_in_text(value, kind, expected):
    values, problems = read(read_numbers, pa.array(["1", value, "1", value]), kind)
    if isinstance(expected, str):
        assert (values, problems) == ([1, None, 1, None], {1: expected, 3: expected})
    else:
        assert (values, problems) == ([1, expected, 1, expected], {})


@given(st.lists(st.one_of(st.integers(), st.floats(), st.decimals()).map(str)))
def test_numbers_in_text_are_those_of_python(texts):
    values, problems = read(read_numbers, pa.array(texts, pa.string()), pa.float64())
    for row, (text, value) in enumerate(zip(texts, values, strict=True)):
        number = float(text) if "NaN" not in text else float("nan")
        if text.lower() == "nan":
            assert value is None
        elif np.isfinite(number):
            assert value == number
        else:
            assert row in problems


def test_numbers_of_types_that_hold_more():
    many = pa.array([2**64 - 1, 3], pa.uint64())
    assert read(read_numbers, many, pa.int64()) == ([None, 3], {0: FAR})
    found = read(read_numbers, pa.array([1.0, 1.5, np.inf, np.nan]), pa.int64())
    assert found == ([1, None, None, None], {1: "is not an integer", 2: "is infinite"})
    assert read(read_numbers, pa.array([Decimal("1.5")]), pa.float64()) == ([1.5], {})


MOMENT = datetime.datetime(2024, 2, 29, 23, 30, 15)
SECONDS = 1709249415


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "America/New_York"])
def test_timestamps_of_every_unit_and_zone(unit, zone):
    aware = MOMENT.replace(tzinfo=datetime.timezone.utc)
    values = pa.array([aware, None], pa.timestamp(unit, "UTC"))
    values = values.view(pa.int64()).view(pa.timestamp(unit, zone))
    assert read(read_times, values, "%Y%m%d") == ([SECONDS, None], {})


@given(
    st.datetimes(
        datetime.datetime(2024, 10, 26),
        datetime.datetime(2024, 10, 29),
        timezones=st.just(zoneinfo.ZoneInfo("Europe/Berlin")),
        allow_imaginary=False,
    )
)
def test_a_day_on_which_clocks_change_is_read_like_any_other(moment):
    expected = int(moment.timestamp() // 1)
    values = pa.array([moment], pa.timestamp("us", "Europe/Berlin"))
    assert read(read_times, values, "%Y%m%d")[0] == [expected]
    text = f"{moment:%Y-%m-%dT%H:%M:%S.%f%z}"
    form = "%Y-%m-%dT%H:%M:%S.%f%z"
    assert read(read_times, pa.array([text]), form)[0] == [expected]


@pytest.mark.parametrize(
    ("form", "value"),
    [
        ("%Y-%m-%d %H:%M:%S", "2024-02-29 23:30:15"),
        ("%d.%m.%Y %H:%M:%S", "29.02.2024 23:30:15"),
        ("%Y-%m-%dT%H:%M:%S.%f", "2024-02-29T23:30:15.999999999"),
        ("%Y-%m-%dT%H:%M:%S%z", "2024-02-29T23:30:15Z"),
        ("%Y-%m-%dT%H:%M:%S%z", "2024-03-01T05:00:15+05:30"),
        ("%Y-%m-%dT%H:%M:%S%z", "2024-02-29T18:30:15-0500"),
        ("%Y%m%d%H%M%S", 20240229233015),
        ("%Y%m%d%H%M%S", 20240229233015.0),
        ("epoch_seconds", SECONDS),
        ("epoch_seconds", SECONDS + 0.75),
        ("epoch_seconds", f"{SECONDS}.75"),
        ("epoch_milliseconds", SECONDS * 1000 + 999),
        ("epoch_milliseconds", f"{SECONDS}999"),
        ("epoch_microseconds", SECONDS * 10**6),
    ],
)
def test_times_in_text_and_numbers(form, value):
    assert read(read_times, pa.array([value, None]), form) == ([SECONDS, None], {})


@pytest.mark.parametrize(
    "text",
    ["2023-02-29", "2024-13-01", "2024-2-29", "2024-02-29 ", "x024-02-29", "20240229"],
)
def test_what_the_calendar_or_the_format_lacks_is_marked(text):
    found = read(read_times, pa.array(["2024-02-29", text, ""]), "%Y-%m-%d")
    assert found[0] == [1709164800, None, None]
    assert found[1] == {1: "is not a time written like %Y-%m-%d"}


def test_a_count_of_another_unit_is_marked():
    found = read(read_times, pa.array([SECONDS * 10**6, SECONDS]), "epoch_seconds")
    assert found == ([None, SECONDS], {0: "is not a time written like epoch_seconds"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("%Y%m", "year, month and day have to stand in it once each"),
        ("%Y%m%d%d", "once each"),
        ("", "once each"),
        ("%Y-%m-%d %h", "has '%h', which is not read; expected %Y, %m"),
        ("%f%Y%m%d", "%f and %z vary in length, so they have to be its end"),
        ("YYYY-MM-DD HH:MM:SS", "has 'S', which stands for nothing; expected a format"),
        ("yyyy-mm-dd", "has 'y', which stands for nothing"),
        ("epoch", "has 'e', which stands for nothing; .*epoch_seconds"),
        ("%Y年%m月%d日", "has more than ASCII"),
    ],
)
def test_a_time_format_that_cannot_be_read_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse_time_format(text)


def test_the_former_spelling_means_the_same():
    for former, today in (
        ("YYYYMMDDHHMM", "%Y%m%d%H%M"),
        ("YYYY-MM-DDTHH:mm:ssZ", "%Y-%m-%dT%H:%M:%SZ"),
    ):
        assert parse_time_format(former) == parse_time_format(today)
