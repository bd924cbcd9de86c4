"""Adapters against their formulas, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf

from models.ctnet.adapters import ADAPTERS
from models.ctnet.adapters import Adapter

TARGET = [[1.0, -2.0], [0.5, 4.0]]
SOURCE = [[1.0, 0.0, 2.0], [0.0, 1.0, -1.0]]


def _built(kind: str) -> Adapter:
    adapter = Adapter(kind)
    adapter(tf.constant(TARGET), tf.constant(SOURCE))
    return adapter


@pytest.mark.parametrize("kind", ADAPTERS)
def test_nothing_is_added_at_the_start(kind: str) -> None:
    result = _built(kind)(tf.constant(TARGET), tf.constant(SOURCE))
    assert np.array_equal(result, TARGET)


@pytest.mark.parametrize(
    ("kind", "formula"),
    [
        ("glu", lambda target, value, gate: target + value / (1 + math.exp(-gate))),
        ("gate", lambda target, value, _: target * (1 + math.tanh(value))),
        ("linear", lambda target, value, _: target + value),
    ],
)
def test_values(kind: str, formula: object) -> None:
    adapter = _built(kind)
    named = adapter.named_variables()
    # U: unit 0 reads the first number, unit 1 the sum of the last two.
    named["value/kernel"].assign([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    named["value/bias"].assign([0.5, 0.0])
    if kind == "glu":
        named["gate/kernel"].assign([[0.0, 1.0], [0.0, 0.0], [0.0, 0.0]])
        named["gate/bias"].assign([0.0, -1.0])
    values = [[1.5, 2.0], [0.5, 0.0]]
    gates = [[0.0, 0.0], [0.0, -1.0]]
    expected = [
        [formula(t, v, g) for t, v, g in zip(*rows, strict=True)]  # type: ignore[operator]
        for rows in zip(TARGET, values, gates, strict=True)
    ]
    result = adapter(tf.constant(TARGET), tf.constant(SOURCE))
    np.testing.assert_allclose(result, expected, rtol=1e-6)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match=r"glu, gate, linear. Received: 'film'"):
        Adapter("film")


def test_the_configuration_comes_back() -> None:
    assert Adapter.from_config(Adapter("gate").get_config()).kind == "gate"
