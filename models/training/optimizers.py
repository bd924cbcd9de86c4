"""Optimizer of every level: its step costs the touched table rows, not the tables."""

from __future__ import annotations

import math
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any
from typing import Protocol

import tensorflow as tf
import tf_keras as keras
from tensorflow_recommenders.experimental.optimizers import CompositeOptimizer

from models.settings import TrainingConfig
from models.training.ftrl import SparseFtrl

# Our choice, a compromise: a single table row's gradient of a batch's mean loss is
# tiny, so with Keras's 0.1 rare rows hardly move, while near 0 the first update moves a
# row by the whole learning rate and ids are memorised within an epoch.
INITIAL_ACCUMULATOR = 0.01

# An optimizer, and a function that returns its variables.
Part = tuple[Any, Callable[[], list[Any]]]


class Trained(Protocol):
    """Variables of an optimizer; implemented by `Network`."""

    @property
    def embedding_variables(self) -> list[Any]:
        """The embedding tables, whose gradients are sparse."""

    @property
    def wide_variables(self) -> list[Any]:
        """The wide part's weights, whose gradients are sparse but for the numbers'."""

    @property
    def dense_variables(self) -> list[Any]:
        """Everything else."""


class LevelOptimizer(CompositeOptimizer):
    """Optimizers of embedding tables, dense weights and the wide part, if any.

    Args:
        parts: The optimizers in this order, each with a function that returns its
            variables.
    """

    def __init__(self, parts: list[Part]) -> None:
        super().__init__(parts)
        self._wide = parts[2] if len(parts) > 2 else None

    @property
    def wide(self) -> SparseFtrl | None:
        """The wide part's optimizer."""
        return None if self._wide is None else self._wide[0]

    def continue_weights(self) -> None:
        """Starts the wide part from its weights, which were set without its slots."""
        if self.wide is not None:
            self.wide.keep_weights(self.wide_variables)

    @property
    def wide_variables(self) -> list[Any]:
        """The variables of `wide`."""
        return [] if self._wide is None else self._wide[1]()


def build_optimizer(network: Trained, training: TrainingConfig) -> LevelOptimizer:
    """Returns Adagrad for embedding tables, FTRL for the wide part, Adam for the rest.

    Adagrad and FTRL apply a sparse gradient to the table rows of the batch only; Adam's
    moments would decay in every row of a table on every step.

    Args:
        network: The network, with its variables created.
        training: Learning rates and penalty.
    """
    embeddings = keras.optimizers.Adagrad(
        training.embedding_learning_rate,
        initial_accumulator_value=INITIAL_ACCUMULATOR,
        jit_compile=False,
    )
    dense = keras.optimizers.Adam(training.dense_learning_rate, jit_compile=False)
    # Slots are created here, not inside the traced step.
    embeddings.build(network.embedding_variables)
    dense.build(network.dense_variables)

    def tables() -> list[Any]:
        return network.embedding_variables

    def others() -> list[Any]:
        return network.dense_variables

    def weights() -> list[Any]:
        return network.wide_variables

    parts: list[Part] = [(embeddings, tables), (dense, others)]
    if network.wide_variables:
        wide = SparseFtrl(training.wide_learning_rate, training.wide_l2)
        wide.build(network.wide_variables)
        wide.keep_weights(network.wide_variables)
        parts.append((wide, weights))
    return LevelOptimizer(parts)


def apply_means(
    optimizer: Any, gradients: Sequence[Any], variables: Sequence[Any], rows: Any
) -> None:
    """Applies the gradients of a mean loss; FTRL gets those of the sum.

    Args:
        optimizer: Result of `build_optimizer`, or any optimizer of Keras.
        gradients: One per variable.
        variables: The variables.
        rows: Number of impressions that the loss is the mean of.
    """
    if isinstance(optimizer, LevelOptimizer):
        count = tf.cast(rows, tf.float32)
        wide = {variable.ref() for variable in optimizer.wide_variables}
        gradients = [
            _times(gradient, count) if variable.ref() in wide else gradient
            for gradient, variable in zip(gradients, variables, strict=True)
        ]
    optimizer.apply_gradients(zip(gradients, variables, strict=True))


def optimizer_state(optimizer: LevelOptimizer) -> dict[str, Any]:
    """Returns the optimizer's slots and step counts by permanent name.

    Names are `optimizer/<part>/<position>`, as a network creates its variables in a
    fixed order. Learning rates are not among them: they come from the configuration.
    """
    return {
        f"optimizer/{part}/{position}": variable
        for part, inner in enumerate(optimizer.optimizers)
        for position, variable in enumerate(inner.variables)
    }


def set_rate_factor(
    optimizer: LevelOptimizer, training: TrainingConfig, factor: float
) -> None:
    """Sets Adagrad's and Adam's rates to `factor` times those of the configuration.

    FTRL's stays, see `SparseFtrl`.
    """
    embeddings, dense, *_ = optimizer.optimizers
    embeddings.learning_rate.assign(training.embedding_learning_rate * factor)
    dense.learning_rate.assign(training.dense_learning_rate * factor)


def cosine_factor(done: float) -> float:
    """Returns the cosine factor of the learning rate, falling from 1 to 0.01.

    Args:
        done: Share of completed steps, from 0 to 1.

    Example:
        >>> [round(cosine_factor(done), 3) for done in (0.0, 0.5, 1.0)]
        [1.0, 0.505, 0.01]
    """
    return 0.01 + 0.99 * (1.0 + math.cos(math.pi * min(done, 1.0))) / 2.0


def _times(gradient: Any, factor: Any) -> Any:
    if isinstance(gradient, tf.IndexedSlices):
        values = gradient.values * factor
        return tf.IndexedSlices(values, gradient.indices, gradient.dense_shape)
    return gradient * factor
