"""Optimizer of every level: its step costs the touched table rows, not the tables."""

from __future__ import annotations

import math
from typing import Any
from typing import Protocol

import tf_keras as keras
from tensorflow_recommenders.experimental.optimizers import CompositeOptimizer

from models.settings import TrainingConfig

# Our choice, a compromise: a single table row's gradient of a batch's mean loss is
# tiny, so with Keras's 0.1 rare rows hardly move, while near 0 the first update moves a
# row by the whole learning rate and ids are memorised within an epoch.
INITIAL_ACCUMULATOR = 0.01


class Trained(Protocol):
    """Variables of an optimizer; implemented by `Network`."""

    @property
    def embedding_variables(self) -> list[Any]:
        """The embedding tables, whose gradients are sparse."""

    @property
    def dense_variables(self) -> list[Any]:
        """Everything else."""


def build_optimizer(network: Trained, training: TrainingConfig) -> CompositeOptimizer:
    """Returns Adagrad for the embedding tables and Adam for everything else.

    Adagrad applies a sparse gradient to the table rows of the batch only; Adam's
    moments would decay in every row of a table on every step.

    Args:
        network: The network, with its variables created.
        training: Learning rates.
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

    return CompositeOptimizer([(embeddings, tables), (dense, others)])


def optimizer_state(optimizer: CompositeOptimizer) -> dict[str, Any]:
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
    optimizer: CompositeOptimizer, training: TrainingConfig, factor: float
) -> None:
    """Sets both learning rates to `factor` times those of the configuration."""
    embeddings, dense = optimizer.optimizers
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
