"""Cross layers: values, names and configuration."""

import numpy as np
import pytest
import tensorflow as tf

from models.layers.cross_stack import CrossStack


def test_each_layer_multiplies_the_input_with_what_came_before():
    stack = CrossStack(2)
    inputs = np.array([[1.0, 2.0], [-1.0, 0.5]], np.float32)
    stack(tf.constant(inputs))
    values = {
        "cross_0/kernel": np.array([[1.0, 0.0], [2.0, 1.0]]),
        "cross_0/bias": np.array([0.5, 0.0]),
        "cross_1/kernel": np.array([[0.0, 1.0], [1.0, 0.0]]),
        "cross_1/bias": np.array([0.0, -1.0]),
    }
    for name, variable in stack.named_variables().items():
        variable.assign(values.pop(name))
    assert values == {}
    # x1 = x0 * (x0 W + b) + x0: 1 * (1 + 4 + 0.5) + 1, 2 * (0 + 2) + 2, and so on.
    first = [[6.5, 6.0], [-1.5, 0.75]]
    second = [
        [1.0 * 6.0 + first[0][0], 2.0 * (6.5 - 1) + first[0][1]],
        [-1.0 * 0.75 + first[1][0], 0.5 * (-1.5 - 1) + first[1][1]],
    ]
    np.testing.assert_allclose(stack(tf.constant(inputs)), second, rtol=1e-6)


def test_without_layers_the_input_is_the_output():
    inputs = tf.constant([[1.0, 2.0]])
    np.testing.assert_array_equal(CrossStack(0)(inputs), inputs)


def test_a_negative_depth_is_refused():
    with pytest.raises(ValueError, match="Received: -1"):
        CrossStack(-1)


def test_a_configuration_makes_the_same_layer():
    stack = CrossStack(3, name="interaction")
    again = CrossStack.from_config(stack.get_config())
    assert (again.num_layers, again.name) == (3, "interaction")
