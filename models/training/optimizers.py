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

from models.compat import accumulator_of
from models.settings import TrainingConfig
from models.training.ftrl import SparseFtrl

# Our choice, in squared gradients of summed losses: a row of few impressions moves by
# the rate times its gradient, one that a batch has often by the rate at most. Near 0
# the first update would move any row by the whole rate, and ids would be known by
# heart within a pass.
INITIAL_ACCUMULATOR = 1.0

# Embedding tables with at most this many rows are those of value buckets and of ids
# such as a device or an hour; longer ones are of users, items and crosses.
FEW_ROWS = 100

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
    """Optimizers of embedding tables, dense weights and the wide part.

    Args:
        tables: Optimizer of embedding tables, with a function that returns these.
        dense: The same of dense weights.
        wide: The same of the wide part; None without one.
        long_tables: The same of embedding tables with a rate of their own; None without
            such a rate.
    """

    def __init__(
        self, tables: Part, dense: Part, wide: Part | None, long_tables: Part | None
    ) -> None:
        # In the order of the permanent names of their slots.
        self.parts = (tables, dense, wide, long_tables)
        super().__init__([part for part in self.parts if part is not None])
        self._wide = wide

    @property
    def wide(self) -> SparseFtrl | None:
        """The wide part's optimizer."""
        return None if self._wide is None else self._wide[0]

    @property
    def wide_variables(self) -> list[Any]:
        """The variables of `wide`."""
        return [] if self._wide is None else self._wide[1]()

    @property
    def row_variables(self) -> list[Any]:
        """Embedding tables and the wide part: each impression touches few rows."""
        tables = [self.parts[0], self.parts[3], self._wide]
        return [v for part in tables if part is not None for v in part[1]()]

    def continue_weights(self) -> None:
        """Starts the wide part from its weights, which were set without its slots."""
        if self.wide is not None:
            self.wide.keep_weights(self.wide_variables)

    def accumulator(self, table: Any) -> Any:
        """Returns Adagrad's accumulator of an embedding table."""
        for part in (self.parts[0], self.parts[3]):
            if part is not None and any(table is variable for variable in part[1]()):
                return accumulator_of(part[0], table)
        raise ValueError(f"{table.name} is none of the optimizer's embedding tables")


def build_optimizer(network: Trained, training: TrainingConfig) -> LevelOptimizer:
    """Returns Adagrad for embedding tables, FTRL for the wide part, Adam for the rest.

    Adagrad and FTRL apply a sparse gradient to the table rows of the batch only; Adam's
    moments would decay in every row of a table on every step.

    Args:
        network: The network, with its variables created.
        training: Learning rates and penalty.
    """
    own_rate = training.long_table_rate

    def is_long(table: Any) -> bool:
        return own_rate is not None and table.shape[0] > FEW_ROWS

    def short_tables() -> list[Any]:
        return [t for t in network.embedding_variables if not is_long(t)]

    def long_tables() -> list[Any]:
        return [t for t in network.embedding_variables if is_long(t)]

    def others() -> list[Any]:
        return network.dense_variables

    def weights() -> list[Any]:
        return network.wide_variables

    dense = keras.optimizers.Adam(training.dense_learning_rate, jit_compile=False)
    # Slots are created here, not inside the traced step.
    dense.build(others())
    wide = slow = None
    if network.wide_variables:
        ftrl = SparseFtrl(training.wide_learning_rate, training.wide_l2)
        ftrl.build(weights())
        ftrl.keep_weights(weights())
        wide = (ftrl, weights)
    if own_rate is not None:
        slow = (_adagrad(own_rate, long_tables()), long_tables)
    tables = _adagrad(training.table_rate, short_tables())
    return LevelOptimizer((tables, short_tables), (dense, others), wide, slow)


def _adagrad(rate: float, tables: list[Any]) -> Any:
    optimizer = keras.optimizers.Adagrad(
        rate, initial_accumulator_value=INITIAL_ACCUMULATOR, jit_compile=False
    )
    optimizer.build(tables)
    return optimizer


def apply_means(
    optimizer: Any, gradients: Sequence[Any], variables: Sequence[Any], rows: Any
) -> None:
    """Applies the gradients of a mean loss; tables and FTRL get those of the sum.

    An impression then moves the rows of its ids alike in batches of any size, while
    dense weights, which all impressions share, move by means.

    Args:
        optimizer: Result of `build_optimizer`, or any optimizer of Keras.
        gradients: One per variable.
        variables: The variables.
        rows: Number of impressions that the loss is the mean of.
    """
    if isinstance(optimizer, LevelOptimizer):
        count = tf.cast(rows, tf.float32)
        summed = {variable.ref() for variable in optimizer.row_variables}
        gradients = [
            _times(gradient, count) if variable.ref() in summed else gradient
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
        for part, inner in enumerate(optimizer.parts)
        if inner is not None
        for position, variable in enumerate(inner[0].variables)
    }


def set_rate_factor(
    optimizer: LevelOptimizer, training: TrainingConfig, factor: float
) -> None:
    """Sets Adagrad's and Adam's rates to `factor` times those of the configuration.

    FTRL's stays, see `SparseFtrl`.
    """
    tables, dense, _, long_tables = optimizer.parts
    tables[0].learning_rate.assign(training.table_rate * factor)
    dense[0].learning_rate.assign(training.dense_learning_rate * factor)
    if long_tables is not None and training.long_table_rate is not None:
        long_tables[0].learning_rate.assign(training.long_table_rate * factor)


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
