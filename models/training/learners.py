"""Learner protocol, and the plain learner: optimizer steps on spans of batches."""

from __future__ import annotations

from typing import Any
from typing import Protocol

import numpy.typing as npt

from models.data.batches import Batch
from models.data.batches import ExampleReader
from models.networks.network import Network
from models.settings import TrainingConfig
from models.training.distribution import Workers
from models.training.optimizers import build_optimizer
from models.training.optimizers import set_rate_factor
from models.training.steps import make_train_span


class Learner(Protocol):
    """Optimizer steps on spans, which are groups of batches."""

    def begin(self, reader: ExampleReader, num_rows: int) -> None:
        """Prepares for passes over the `num_rows` impressions of `reader`."""

    def set_rate_factor(self, factor: float) -> None:
        """Sets the learning rates to `factor` times those of the configuration."""

    def train(self, span: Batch) -> npt.NDArray[Any]:
        """Trains on the batches of a span.

        Returns:
            The training log loss of each batch; ends with the first one that is not
            finite or has exploded.
        """

    def end(self) -> None:
        """Releases what `begin` opened."""


class PlainLearner:
    """Learner that trains a network on all impressions with equal weight.

    Args:
        network: The network; its variables are changed in place.
        training: Batch size and learning rates.
        workers: Processes that train together.
        optimizer: The optimizer; a new one by default.
    """

    def __init__(
        self,
        network: Network,
        training: TrainingConfig,
        workers: Workers,
        optimizer: Any = None,
    ) -> None:
        if optimizer is None:
            with workers.scope():
                optimizer = build_optimizer(network, training)
        self._training = training
        self._optimizer = optimizer
        self._span = make_train_span(
            network, optimizer, training.batch_size, workers.strategy
        )
        # Traced here, so that tracing does not count in the first epoch's speed.
        self._span.get_concrete_function()  # type: ignore[attr-defined]

    def begin(self, reader: ExampleReader, num_rows: int) -> None:
        """Needs nothing."""

    def set_rate_factor(self, factor: float) -> None:
        """Sets both rates to `factor` times those of the configuration."""
        set_rate_factor(self._optimizer, self._training, factor)

    def train(self, span: Batch) -> npt.NDArray[Any]:
        """Returns the log loss of each batch, see `Learner`."""
        losses: npt.NDArray[Any] = self._span(span.rows, span.labels).numpy()
        return losses

    def end(self) -> None:
        """Needs nothing."""
