"""JSON to arrays and back, with TensorFlow Serving's types."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from components.model_server.errors import BadRequestError
from components.model_server.json_tensors import array_of
from components.model_server.json_tensors import jsonable
from components.model_server.json_tensors import parse


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (["a", "ä🙂", ""], object),
        ([["a", "b"], ["c", "d"]], object),
        ([], object),
        ([[], []], object),
        ("a", object),
        ([1, -1, 2**63 - 1, -(2**63)], np.int64),
        ([0.5, 3, -1e38, 2**24 - 1], np.float32),
        ([1e300, 2**53 - 1], np.float64),
        ([True, False], np.bool_),
        ([255], np.uint8),
    ],
)
def test_values_survive_a_round_trip(value, dtype):
    array = array_of("x", parse(json.dumps(value).encode()), dtype)
    assert array.dtype == dtype
    back = jsonable({"x": array})["x"]

    def decoded(item):
        if isinstance(item, list):
            return [decoded(one) for one in item]
        if isinstance(item, dict):
            return array_of("x", item, object).item().decode()
        return item

    expected = np.array(value, dtype).tolist() if dtype is not object else value
    assert decoded(back) == expected


def test_nan_and_infinity_are_rates_and_bytes_are_base64():
    values = array_of("x", parse(b"[NaN, Infinity, -Infinity]"), np.float32)
    assert math.isnan(values[0])
    assert values[1:].tolist() == [math.inf, -math.inf]
    assert array_of("x", [{"b64": "/w=="}], object).tolist() == [b"\xff"]


REFUSED = [
    ('"3"', np.int64, "must be int64; received '3'"),
    ("3.0", np.int64, "must be int64; received 3.0"),
    ("true", np.int64, "must be int64; received True"),
    ("null", np.int64, "must be int64; received None"),
    ("{}", np.int64, "must be int64; received {}"),
    ("9223372036854775808", np.int64, "out of range"),
    ("256", np.uint8, "out of range"),
    ('"0.5"', np.float32, "must be float32; received '0.5'"),
    ("true", np.float32, "must be float32; received True"),
    ("null", np.float32, "must be float32; received None"),
    ("1e39", np.float32, "out of range"),
    ("16777216", np.float32, "too large for an integer"),
    ("1e400", np.float64, "the number '1e400' is too large"),
    ("12", object, "must be string; received 12"),
    ("true", object, "must be string; received True"),
    ("null", object, "must be string; received None"),
    (r'"\ud83d"', object, "half a character"),
    (r'"a\udc00b"', object, "half a character"),
    ('{"b64": 1}', object, "b64 must be a string"),
    ('{"b64": "*"}', object, "b64 '*' is not base64"),
    ('{"b64": "ä"}', object, "is not base64"),
    ('{"b64": "", "x": 1}', object, "must be string"),
    ("1", np.bool_, "must be bool"),
    ("1", np.complex64, "cannot be sent as JSON"),
]


@pytest.mark.parametrize(("text", "dtype", "message"), REFUSED)
@pytest.mark.parametrize("form", ["{}", "[{}]", "[[{}]]"])
def test_other_types_are_refused(text, dtype, message, form):
    with pytest.raises(BadRequestError) as caught:
        array_of("x", parse(form.format(text).encode()), dtype)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "value", [[[1], [1, 2]], [[1], 2], [1, [2]], [[1], []], [[], [1]], [[[1]], [1]]]
)
def test_lists_of_other_lengths_are_refused(value):
    with pytest.raises(BadRequestError, match="lists of equal length"):
        array_of("x", value, np.int64)


def test_a_long_value_is_cut_in_the_message():
    with pytest.raises(BadRequestError) as caught:
        array_of("x", ["a" * 10_000], np.int64)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("depth", [33, 1_000, 1_000_000])
@pytest.mark.parametrize(("left", "right"), ["[]", ('{"a":', "}"), ('[{"a":', "}]")])
def test_deeply_nested_json_is_refused_before_parsing(depth, left, right):
    for text in (left * depth, left * depth + "1" + right * depth):
        with pytest.raises(BadRequestError, match="deeper than 32 levels"):
            parse(text.encode())


def test_brackets_in_strings_do_not_count_as_depth():
    value = {"a": ["[" * 1_000, '"[{\\"' * 100, "\\", "{"], "b": [[[[["x"]]]]]}
    assert parse(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[1] 2", "not JSON"),
        (b'"' + b'\\"' * 200_000, "not JSON"),
        (b'["\xff"]', "must be UTF-8; byte 2 is not"),
        ("[1]".encode("utf-16"), "must be UTF-8"),
        ("[1]".encode("utf-16-le"), "not JSON"),
        (b"\xef\xbb\xbf[1]", "not JSON"),
        (b'{"a": 1, "a": 2}', "names 'a' twice"),
        (b"[" + b"9" * 5_000 + b"]", "more digits than any type"),
    ],
)
def test_invalid_json_is_refused(text, message):
    with pytest.raises(BadRequestError, match=message):
        parse(text)
