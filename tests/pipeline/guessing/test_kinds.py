"""Kinds of columns by their values and names."""

from __future__ import annotations

import datetime
import random

import pyarrow as pa
import pytest

from pipeline.guessing.kinds import guess_kind
from pipeline.guessing.kinds import ids_in
from tests.pipeline.guessing.guesses import column

_DRAW = random.Random(5)
_COUNTS = [int(_DRAW.expovariate(0.05)) for _ in range(500)]


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("city", ["rome", "oslo", "rome"], "id"),
        ("slot_id", [3, 4, 3], "id"),
        ("i_ageDays", [3, 0, 12], "count"),
        ("num_devices", [1, 2, 1], "count"),
        ("age_gender", [3, 4, 3], "id"),
        ("u_refreshTimes", ["3", None, "400"], "count"),
        ("item_click_rate", [0.5, 0.25, 0.1], "rate"),
        ("item_click_rate", ["0.5", "0.25", ""], "rate"),
        ("price", [12.5, 3.25, 99.0], "number"),
        ("ctr", [12.5, 3.25, 1.0], "number"),
        ("delta_days", [-3, 4, 0], "number"),
        ("logged_in", [True, False, True], "id"),
        ("logged_in", ["true", "false", "true"], "id"),
        ("zip", ["00501", "10001", "94103"], "id"),
        ("plain", _COUNTS, "count"),
        ("plain", [1, 2, 3, 2], "id"),
        ("topics", [["a"], ["a", "b"], []], "ids"),
        ("topics", ["a|b", "b", "a|c"], "ids"),
        ("topics", ["4^12", "4", "12^4"], "ids"),
        ("topics", ["a, b", "b, a", "c"], "ids"),
        ("topics", ['["a", "b"]', "[]", '["b"]'], "ids"),
        ("topics", ["[1, 2]", "[3]", "[2]"], "ids"),
        ("embedding", [[0.5, 1.5], [0.25, 2.0]], "vector"),
        ("embedding", ["0.5|1.5", "0.25|2.0"], "vector"),
        ("embedding", ["[0.5, 1.5]", "[0.25, 2.0]"], "vector"),
    ],
)
def test_kind_of_a_column(name, values, kind):
    assert guess_kind(column(values, name)).kind == kind


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([None, None], "no row read has a value"),
        (["x", "x"], "every row read has the value 'x'"),
        (["word " * 30, "other words " * 20], "long texts"),
        ([f"r{i}" for i in range(200)], "nearly every row has a value of its own"),
    ],
)
def test_a_column_that_says_nothing_is_left_out(values, reason):
    found = guess_kind(column(values, "request", pa.string()))
    assert found.kind == ""
    assert found.reason.startswith(reason)


def test_user_ids_of_which_nearly_every_row_has_its_own_stay():
    users = column([f"u{i}" for i in range(200)], "user_id")
    assert guess_kind(users).kind == "id"


def test_whole_numbers_without_a_telling_name_are_unsure():
    assert guess_kind(column([1, 2, 3, 2], "plain")).check
    assert not guess_kind(column([1, 2, 3, 2], "slot_id")).check


@pytest.mark.parametrize(
    ("values", "ids"),
    [
        (["4^12", "4"], ["4", "12", "4"]),
        ([["a", "b"], []], ["a", "b"]),
        (['["a", "b"]', "['c']"], ["a", "b", "c"]),
        ([7.0, None, 8.0], ["7", "8"]),
    ],
)
def test_ids_of_a_column_are_those_of_its_lists(values, ids):
    found = column(values)
    assert ids_in(found, guess_kind(found)) == ids


def test_names_with_spaces_are_no_lists():
    assert guess_kind(column(["New York", "Los Angeles", "Oslo"], "city")).kind == "id"


def test_values_of_every_type_have_a_kind_or_a_reason():
    arrays = [
        pa.array([datetime.date(2024, 1, 1), datetime.date(2024, 1, 2)]),
        pa.array([b"a", b"b"]),
        pa.array([{"a": 1}, {"a": 2}]),
        pa.array([1.5, float("nan")]),
        pa.array(["a", "b"]).dictionary_encode(),
    ]
    for array in arrays:
        found = guess_kind(column(array))
        assert found.reason
