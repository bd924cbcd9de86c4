"""Network of a study, trained window by window in one process."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.held_out import Remaining
from models.data.batches import ExampleReader
from models.data.batches import batch_signature
from models.networks.network import Network
from models.settings import TrainingConfig
from models.training.optimizers import build_optimizer
from models.training.optimizers import optimizer_state
from models.training.steps import SPAN
from models.training.steps import make_train_span


class Trainee:
    """A network that is trained window by window, with a train step traced once.

    As in the pipeline, the optimizer starts each training without state.

    Attributes:
        network: The network.
        rows: Impressions read in all trainings.
        seconds: Wall seconds of all trainings.
    """

    def __init__(self, network: Network, training: TrainingConfig) -> None:
        self.network = network
        self._training = training
        self._optimizer = build_optimizer(network, training)
        self._fresh = values(optimizer_state(self._optimizer))
        self._span = make_train_span(network, self._optimizer, training.batch_size)
        rows_spec, _, _ = batch_signature(network.features)
        self._score = tf.function(
            lambda rows: network(rows, training=False), input_signature=(rows_spec,)
        )
        self._start = values(network.named_variables())
        self.rows = self.seconds = 0.0

    def begin_again(self) -> None:
        """Restores the initial weights."""
        assign(self.network.named_variables(), self._start)

    def train(self, reader: ExampleReader | Remaining, *, moving: bool) -> None:
        """Trains on the impressions of a window.

        Args:
            reader: The window.
            moving: Whether BatchNorm's moving statistics are updated.

        Raises:
            ValueError: The loss is not finite.
        """
        started = time.monotonic()
        assign(optimizer_state(self._optimizer), self._fresh)
        self._optimizer.continue_weights()
        for mlp in self.network.mlps:
            if mlp.keep_statistics == moving:
                mlp.keep_statistics = not moving
                # The traced step has the former setting built in.
                training = self._training
                self._span = make_train_span(
                    self.network, self._optimizer, training.batch_size
                )
        for epoch in range(self._training.epochs):
            for span in reader.batches(
                batch_size=self._training.batch_size,
                shuffle_rows=self._training.shuffle_rows,
                seed=self._training.seed,
                epoch=epoch,
                span=SPAN,
            ):
                losses = self._span(span.rows, span.labels).numpy()
                if not np.isfinite(losses).all():
                    raise ValueError(f"the loss became {losses[-1]}")
                self.rows += len(span.labels)
        self.seconds += time.monotonic() - started

    def probabilities(self, rows: dict[str, Any]) -> Any:
        """Returns the click probabilities of impressions, (N,)."""
        given = {name: tf.constant(column) for name, column in rows.items()}
        return 1 / (1 + np.exp(-self._score(given).numpy().astype(np.float64)))


def values(named: dict[str, Any]) -> dict[str, Any]:
    """Returns the values of named variables."""
    return {name: variable.numpy() for name, variable in named.items()}


def assign(named: dict[str, Any], new: dict[str, Any]) -> None:
    """Assigns new values to named variables."""
    for name, variable in named.items():
        variable.assign(new[name])
