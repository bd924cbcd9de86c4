"""The training loop of every level."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from typing import NamedTuple

import tensorflow as tf

from models.batches import ExampleReader
from models.batches import batch_signature
from models.batches import describe_days
from models.errors import TrainingError
from models.network import Network
from models.optimizers import build_optimizer
from models.settings import TrainingConfig

_PROGRESS = logging.getLogger("crossctr.progress")
# Between two progress lines inside an epoch.
_PROGRESS_SECONDS = 5.0
# Between two points of TensorBoard's curve of the batch loss.
_SUMMARY_STEPS = 50


class TrainingResult(NamedTuple):
    """What a training came to.

    Attributes:
        rows: Rows of the window; each was trained on once per epoch.
        steps: Optimizer steps of all epochs.
        seconds: Time spent in the loop, reading included.
        losses: Mean log loss of each epoch, while training.
    """

    rows: int
    steps: int
    seconds: float
    losses: tuple[float, ...]


def make_train_step(network: Network, optimizer: Any) -> Callable[..., Any]:
    """Returns the compiled step `(rows, labels) -> mean log loss`.

    Args:
        network: The network.
        optimizer: Applies the gradients; those of embedding tables are IndexedSlices.
    """
    rows_spec, labels_spec, _ = batch_signature(network.features)
    variables = network.trainable_variables

    @tf.function(input_signature=(rows_spec, labels_spec))
    def train_step(rows: Any, labels: Any) -> Any:
        with tf.GradientTape() as tape:
            logits = network(rows, training=True)
            loss = tf.reduce_mean(
                tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits)
            )
        gradients = tape.gradient(loss, variables)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return loss

    step: Callable[..., Any] = train_step
    return step


def fit(
    network: Network,
    reader: ExampleReader,
    training: TrainingConfig,
    *,
    num_rows: int,
    run_dir: Path,
    optimizer: Any = None,
) -> TrainingResult:
    """Trains `network` on the reader's window.

    Args:
        network: The network; its variables are changed in place.
        reader: The rows.
        training: Batch size, epochs, learning rates, seed.
        num_rows: Rows of the window, for the progress lines.
        run_dir: Folder for TensorBoard's scalars.
        optimizer: The optimizer; a new one by default.

    Raises:
        TrainingError: If the loss is not finite.
    """
    optimizer = optimizer or build_optimizer(network, training)
    step_function = make_train_step(network, optimizer)
    writer = tf.summary.create_file_writer(str(run_dir))
    losses: list[float] = []
    started = time.monotonic()
    steps = 0
    with writer.as_default():
        for epoch in range(training.epochs):
            progress = _Progress(epoch + 1, training.epochs, num_rows)
            dataset = reader.dataset(
                batch_size=training.batch_size,
                shuffle_rows=training.shuffle_rows,
                seed=training.seed,
                epoch=epoch,
            )
            for rows, labels, days in dataset:
                loss = float(step_function(rows, labels))
                if not math.isfinite(loss):
                    raise _not_finite(loss, steps, epoch, days.numpy())
                if steps % _SUMMARY_STEPS == 0:
                    tf.summary.scalar("batch_loss", loss, step=steps)
                steps += 1
                progress.add(len(labels), loss)
            progress.finish()
            losses.append(progress.loss)
            tf.summary.scalar("epoch_loss", progress.loss, step=epoch)
            tf.summary.scalar("rows_per_second", progress.rate, step=epoch)
    writer.close()
    seconds = time.monotonic() - started
    return TrainingResult(num_rows, steps, seconds, tuple(losses))


class _Progress:
    """Counts one epoch and says, now and then, how far it is."""

    def __init__(self, epoch: int, epochs: int, num_rows: int) -> None:
        self._name = f"epoch {epoch}/{epochs}"
        self._num_rows = num_rows
        self._rows = 0
        self._loss_sum = 0.0
        self._started = self._reported = time.monotonic()

    def add(self, rows: int, loss: float) -> None:
        self._rows += rows
        self._loss_sum += loss * rows
        now = time.monotonic()
        if now - self._reported >= _PROGRESS_SECONDS:
            self._reported = now
            self._say(f"{self._rows / self._num_rows:.0%} of {self._num_rows:,} rows")

    def finish(self) -> None:
        self._say(f"{self._rows:,} rows")

    @property
    def loss(self) -> float:
        return self._loss_sum / max(self._rows, 1)

    @property
    def rate(self) -> float:
        return self._rows / max(time.monotonic() - self._started, 1e-9)

    def _say(self, done: str) -> None:
        _PROGRESS.info(
            f"{self._name} · {done} · {self.rate:,.0f} rows/s · loss {self.loss:.4f}"
        )


def _not_finite(loss: float, step: int, epoch: int, days: Any) -> TrainingError:
    return TrainingError(
        f"the loss became {loss} at step {step} of epoch {epoch + 1}, in a batch of "
        f"rows from {describe_days(days)}; expected a finite number. Lower "
        "training.dense_learning_rate or training.embedding_learning_rate, and look at "
        "the statistics of these days"
    )
