"""Check of a sample against a schema: it stops at what an ingest would stop at."""

import pyarrow as pa
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from pipeline.schemas.sample_check import schema_problems

FLOATS, INTS = pa.large_list(pa.float32()), pa.large_list(pa.int64())


def problems(declared, rows, kind):
    schema = text_format.Parse(
        f'feature {{ name: "f" {declared} }}', schema_pb2.Schema()
    )
    return list(schema_problems(schema, "ads", pa.table({"f": pa.array(rows, kind)})))


@pytest.mark.parametrize(
    "domain",
    ["", "float_domain { disallow_nan: true disallow_inf: true }"],
    ids=["no range", "range without limits"],
)
def test_numbers_without_limits_have_any_value(domain):
    assert problems(f"type: FLOAT {domain}", [[-28.5], [1.5]], FLOATS) == []


@pytest.mark.parametrize(
    ("declared", "rows", "kind", "problem"),
    [
        ("type: INT int_domain { min: 0 }", [[-3], [4]], INTS, "-3 lies beyond 0"),
        ("type: INT int_domain { max: 0 }", [[-3], [4]], INTS, "4 lies beyond 0"),
        ("type: FLOAT float_domain { min: 0 }", [[-1.5]], FLOATS, "-1.5 lies beyond 0"),
        ("type: FLOAT float_domain { max: 0 }", [[1.5]], FLOATS, "1.5 lies beyond 0"),
    ],
    ids=["count below", "integer above", "rate below", "number above"],
)
def test_a_limit_of_0_holds(declared, rows, kind, problem):
    text = problem.replace("beyond", "beyond the schema's limit")
    assert problems(declared, rows, kind) == [f"f: {text}"]


def test_a_feature_of_some_rows_is_present():
    # An empty list counts as present in TFDV's statistics, too.
    declared = "type: FLOAT presence { min_fraction: 1.0 }"
    assert problems(declared, [[1.0], [], []], FLOATS) == []
    (found,) = problems(declared, [[], []], FLOATS)
    assert "in 0.0% of the rows; the schema wants it in at least 100.0%" in found


@pytest.mark.parametrize(("least", "found"), [(0, 0), (1, 1), (4, 1)])
def test_fewer_values_than_the_schema_wants_are_named(least, found):
    declared = f"type: FLOAT value_count {{ min: {least} max: 4 }}"
    shown = problems(declared, [[], [0.5] * 4], FLOATS)
    assert len(shown) == found
    assert all(f"0 values in a row; the schema wants {least}" in one for one in shown)
