"""Rows of requests: what scripts and files may hold, and what is refused."""

import math

import numpy as np
import pytest

from models.errors import DataError
from models.features.table import FeatureTable
from pipeline.request_rows import checked_row
from pipeline.request_rows import python_row

NAN = math.nan
TABLE = FeatureTable(
    features=(
        {"name": "user_id", "kind": "id", "vocabulary": "user"},
        {"name": "slot", "kind": "id", "vocabulary": "user"},
        {"name": "seen", "kind": "ids", "vocabulary": "user"},
        {"name": "views", "kind": "count"},
        {"name": "price", "kind": "number"},
        {"name": "title", "kind": "vector", "length": 2},
        {"name": "pair", "kind": "cross", "of": ["user_id", "slot"]},
    ),
    vocabularies={"user": {"capacity": 9}},
)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("title", np.array([0.5, 2.0]), [0.5, 2.0]),
        ("title", np.float32([0.5, 2.0]), [0.5, 2.0]),
        ("title", (1, 2), [1.0, 2.0]),
        ("title", [np.float64(1.0), 2.0], [1.0, 2.0]),
        ("title", [1.0, NAN], []),
        ("title", [None, 1.0], []),
        ("title", NAN, []),
        ("seen", np.array(["a", "b"]), [b"a", b"b"]),
        ("seen", ["a", None, b"\xff"], [b"a", b"\xff"]),
        ("user_id", NAN, []),
        ("user_id", np.str_("u"), [b"u"]),
        ("user_id", b"\xff", [b"\xff"]),
        ("views", 3.0, [3]),
        ("views", np.int32(3), [3]),
        ("views", NAN, []),
        ("views", True, [1]),
        ("price", 20_000_001, [20_000_000.0]),
        ("price", np.nan, []),
        ("price", -1.5, [-1.5]),
        ("price", [-1.5], [-1.5]),
        ("price", None, []),
    ],
)
def test_values_of_scripts_are_those_of_logs(name, value, expected):
    assert python_row("row 0", {name: value}, TABLE) == {name: expected}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("price", "n/a", "input price must be float32; received 'n/a'"),
        ("views", 1.5, "input views must be int64; received 1.5"),
        ("user_id", 5, "input user_id must be string; received 5"),
        ("title", "1^2", "input title must be float32; received '1\\^2'"),
        ("title", [[1.0, 2.0]], "title of kind vector must be a list of values"),
        ("price", [1.0, 2.0], "price of kind number must be one value"),
        ("pair", "u1 1", "there is no feature 'pair'; .* user_id, slot, seen, views"),
        ("prise", 1.0, "there is no feature 'prise'; did you mean 'price'"),
    ],
)
def test_what_no_log_could_hold_is_refused(name, value, message):
    with pytest.raises(DataError, match=f"^row 3: {message}"):
        python_row("row 3", {name: value}, TABLE)


def test_json_has_types_of_its_own():
    assert checked_row("line 1", {"user_id": None, "seen": ["a"]}, TABLE) == {
        "user_id": [],
        "seen": [b"a"],
    }
    for name, value in (("views", True), ("views", 3.0), ("title", [1.0, None])):
        with pytest.raises(DataError, match=f"input {name} must be"):
            checked_row("line 1", {name: value}, TABLE)
