"""Canaries: private names of TensorFlow, TFT and Keras that `models.compat` uses."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras
from tensorflow.python.saved_model import loader_impl
from tensorflow.python.saved_model import path_helpers
from tensorflow.python.saved_model import save

from models.compat import accumulator_of
from models.compat import ftrl_slots_of
from models.compat import literal_folders


def adagrad(rate=0.5):
    """Returns an optimizer that has seen one gradient of a table's second row."""
    optimizer = keras.optimizers.Adagrad(rate, initial_accumulator_value=0.25)
    tables = [tf.Variable(tf.zeros([3, 2])), tf.Variable(tf.zeros([5, 2]))]
    optimizer.build(tables)
    gradient = tf.IndexedSlices(tf.constant([[1.0, 2.0]]), tf.constant([1]))
    optimizer.apply_gradients([(gradient, tables[1])])
    return optimizer, tables


def test_the_accumulator_is_the_sum_of_squared_gradients_of_its_table():
    optimizer, (first, second) = adagrad()
    expected = np.full([5, 2], 0.25)
    expected[1] += [1.0, 4.0]
    np.testing.assert_allclose(accumulator_of(optimizer, second), expected)
    np.testing.assert_allclose(accumulator_of(optimizer, first), np.full([3, 2], 0.25))


@pytest.mark.parametrize("kind", [keras.optimizers.Adagrad, keras.optimizers.Adam])
def test_the_learning_rate_is_none_of_the_optimizers_variables(kind):
    optimizer = kind(0.5)
    optimizer.build([tf.Variable(tf.zeros([3]))])
    assert len(optimizer.variables) >= 2  # the step count and a slot
    assert not any(v is optimizer.learning_rate for v in optimizer.variables)


def test_every_saved_model_is_saved_and_loaded_by_the_replaced_path():
    parameters = inspect.signature(path_helpers.get_variables_path).parameters
    assert list(parameters) == ["export_dir"]
    for module in (save, loader_impl):
        assert module.path_helpers is path_helpers
        assert "path_helpers.get_variables_path(" in inspect.getsource(module)


def test_replaced_names_are_put_back():
    before = (path_helpers.get_variables_path, tf.io.gfile.glob)
    with literal_folders():
        assert path_helpers.get_variables_path is not before[0]
        assert tf.io.gfile.glob is not before[1]
    assert (path_helpers.get_variables_path, tf.io.gfile.glob) == before


@pytest.mark.slow
def test_tfts_loader_takes_a_folder_and_has_the_function():
    from tensorflow_transform.saved.saved_transform_io_v2 import SavedModelLoader

    assert list(inspect.signature(SavedModelLoader).parameters) == ["saved_model_dir"]
    applied = inspect.signature(SavedModelLoader.apply_transform_model).parameters
    assert list(applied)[1] == "logical_input_map"


def test_ftrls_slots_are_found_by_variable():
    optimizer = keras.optimizers.Ftrl(0.5, initial_accumulator_value=0.25)
    first, second = (tf.Variable(tf.zeros([2])) for _ in range(2))
    optimizer.build([first, second])
    optimizer.apply_gradients([(tf.constant([1.0, 0.0]), second)])
    accumulator, linear = ftrl_slots_of(optimizer, second)
    np.testing.assert_allclose(accumulator, [1.25, 0.25])
    np.testing.assert_allclose(linear, [1.0, 0.0])
    np.testing.assert_allclose(ftrl_slots_of(optimizer, first)[0], [0.25, 0.25])
