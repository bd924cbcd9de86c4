"""FTRL: the update of the paper, untouched rows, and weights that are continued."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras as keras

from models.training.ftrl import INITIAL_ACCUMULATOR
from models.training.ftrl import SparseFtrl

RATE, L2 = 0.5, 2.0
Floats = npt.NDArray[np.float64]


class ProximalFtrl:
    """Algorithm 1 of McMahan et al. (KDD'13), one coordinate after the other."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.weights = np.zeros(shape)
        self._z, self._n = np.zeros(shape), np.full(shape, INITIAL_ACCUMULATOR)

    def step(self, row: int, gradient: Floats) -> None:
        n, w = self._n[row], self.weights[row]
        sigma = (np.sqrt(n + gradient**2) - np.sqrt(n)) / RATE
        self._z[row] += gradient - sigma * w
        self._n[row] += gradient**2
        self.weights[row] = -self._z[row] / (np.sqrt(self._n[row]) / RATE + 2 * L2)


def rows_gradient(values: list[list[float]], rows: list[int]) -> tf.IndexedSlices:
    return tf.IndexedSlices(tf.constant(values), tf.constant(rows), (5, 2))


def built(*variables: tf.Variable) -> SparseFtrl:
    optimizer = SparseFtrl(RATE, L2)
    optimizer.build(list(variables))
    return optimizer


def test_steps_equal_those_of_the_paper() -> None:
    table, reference = tf.Variable(tf.zeros([5, 2])), ProximalFtrl((5, 2))
    optimizer = built(table)
    rng = np.random.default_rng(0)
    for _ in range(20):
        rows = rng.choice(5, 3, replace=False)
        gradients = rng.normal(size=(3, 2))
        step = rows_gradient(gradients.astype(np.float32).tolist(), rows.tolist())
        optimizer.apply_gradients([(step, table)])
        for row, gradient in zip(rows, gradients, strict=True):
            reference.step(row, gradient)
    np.testing.assert_allclose(table, reference.weights, rtol=1e-4, atol=1e-6)


def test_gradients_of_a_row_that_comes_twice_are_added_first() -> None:
    table, reference = tf.Variable(tf.zeros([5, 2])), ProximalFtrl((5, 2))
    step = rows_gradient([[1.0, 2.0], [4.0, 0.0], [0.5, -1.0]], [3, 0, 3])
    built(table).apply_gradients([(step, table)])
    reference.step(0, np.array([4.0, 0.0]))
    reference.step(3, np.array([1.5, 1.0]))
    np.testing.assert_allclose(table, reference.weights, rtol=1e-5)


def test_rows_without_a_gradient_keep_weights_and_slots() -> None:
    table = tf.Variable(tf.fill([5, 2], 0.3))
    optimizer = built(table)
    before = [
        variable.numpy() for variable in optimizer.variables if variable.shape.rank
    ]
    step = rows_gradient([[1.0, 1.0]], [2])
    optimizer.apply_gradients([(step, table)])
    after = [
        variable.numpy() for variable in optimizer.variables if variable.shape.rank
    ]
    assert len(before) == 2  # the slots
    for old, new in zip([np.full([5, 2], 0.3), *before], [table, *after], strict=True):
        changed = (np.asarray(new) != old.astype(np.float32)).any(axis=1)
        np.testing.assert_array_equal(changed, [False, False, True, False, False])


def test_a_dense_gradient_updates_every_row_alike() -> None:
    sparse, dense = (tf.Variable(tf.zeros([2, 2])) for _ in range(2))
    optimizer = built(sparse, dense)
    values = tf.constant([[1.0, -2.0], [3.0, 0.5]])
    rows = tf.IndexedSlices(values, tf.constant([0, 1]), (2, 2))
    optimizer.apply_gradients([(rows, sparse), (values, dense)])
    np.testing.assert_array_equal(sparse, dense)
    assert np.all(dense.numpy() != 0)


def test_a_step_of_few_rows_creates_no_tensor_of_the_tables_size() -> None:
    table = tf.Variable(tf.zeros([5_003, 2]))
    optimizer = built(table)

    @tf.function(autograph=False)
    def step(values: tf.Tensor) -> None:
        gradient = tf.IndexedSlices(values, tf.constant([7]), (5_003, 2))
        optimizer.apply_gradients([(gradient, table)])

    graph = step.get_concrete_function(tf.TensorSpec([1, 2])).graph
    outputs = [output for op in graph.get_operations() for output in op.outputs]
    assert "ResourceSparseApplyFtrlV2" in {op.type for op in graph.get_operations()}
    assert not [t for t in outputs if t.shape.rank and 5_003 in t.shape.as_list()]


def test_copied_weights_are_kept_until_a_gradient_moves_them() -> None:
    table = tf.Variable([[0.4, -0.2], [0.1, 0.3]])
    optimizer = built(table)
    optimizer.keep_weights([table])
    zero = tf.IndexedSlices(tf.zeros([2, 2]), tf.constant([0, 1]), (2, 2))
    optimizer.apply_gradients([(zero, table)])
    np.testing.assert_allclose(table, [[0.4, -0.2], [0.1, 0.3]], rtol=1e-5)
    small = tf.IndexedSlices(tf.constant([[0.01, 0.0]]), tf.constant([0]), (2, 2))
    optimizer.apply_gradients([(small, table)])
    assert 0.3 < table.numpy()[0, 0] < 0.4


def test_the_optimizer_is_one_of_keras() -> None:
    assert isinstance(SparseFtrl(RATE, L2), keras.optimizers.Optimizer)
