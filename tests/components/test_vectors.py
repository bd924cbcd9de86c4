"""Vectors of logs: lists of numbers, or texts that hold several."""

import math

import numpy as np
import pyarrow as pa
import pytest

from components.log_example_gen.values import ColumnTypeError
from components.log_example_gen.vectors import read_vectors


def read(values, separator=None):
    """Returns the vectors, and by problem the rows that have it."""
    problems = {}

    def mark(bad, problem):
        rows = np.flatnonzero(bad).tolist()
        if rows:
            problems.setdefault(problem, []).extend(rows)

    found = read_vectors(values, separator, 2, mark)
    assert found.type == pa.large_list(pa.float32())
    return found.to_pylist(), problems


@pytest.mark.parametrize(
    "kind",
    [pa.list_(pa.float32()), pa.large_list(pa.float64()), pa.list_(pa.float32(), 2)],
    ids=str,
)
def test_lists_of_numbers(kind):
    values = pa.array([[0.5, -2.0], None, [3.0, 4.0]], kind)
    assert read(values) == ([[0.5, -2.0], [], [3.0, 4.0]], {})


def test_integers_and_texts():
    assert read(pa.array([[1, 2]]))[0] == [[1.0, 2.0]]
    texts = pa.array(["0.5 -1e1", None, "x 1"])
    found, problems = read(texts, separator=" ")
    assert found[:2] == [[0.5, -10.0], []]
    assert problems == {"is not a number": [2]}


def test_a_vector_with_a_missing_element_is_missing():
    values = pa.array([[1.0, math.nan], [None, 1.0], [1.0, 2.0]])
    assert read(values) == ([[], [], [1.0, 2.0]], {})


def test_other_lengths_and_infinite_elements_are_marked():
    values = pa.array([[1.0], [1.0, 2.0, 3.0], [], [1.0, math.inf], [1e300, 0.0]])
    found, problems = read(values)
    assert found == [[]] * 5
    assert problems == {
        "is not a vector of 2 numbers": [0, 1],
        "is infinite": [3],
        "is beyond the range of 32-bit floating-point numbers": [4],
    }


@pytest.mark.parametrize(
    "values", [pa.array([1.5]), pa.array(["1,2"]), pa.array([[[1.0]]])], ids=str
)
def test_other_types_are_refused(values):
    with pytest.raises(ColumnTypeError, match="a list of numbers"):
        read(values)
