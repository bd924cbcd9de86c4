"""What a training says while it runs: console lines and TensorBoard's scalars."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from models.progress import PROGRESS

# Between two progress lines inside an epoch.
_LINE_SECONDS = 5.0


class EpochProgress:
    """Counts one epoch and says, now and then, how far it is.

    Args:
        name: What the lines begin with, e.g. `epoch 1/3`.
        num_rows: Rows of the epoch.
        num_batches: Batches of all epochs before it, for TensorBoard's axis.

    Attributes:
        steps: Batches so far, those of earlier epochs included.
        loss: Mean log loss of the epoch, while training.
        rate: Rows per second, reading included.
        cpu_rate: Rows per second of the process's CPU time.
        step_milliseconds: Mean time of a step, reading included.
    """

    def __init__(self, name: str, num_rows: int, num_batches: int) -> None:
        self._name = name
        self._num_rows = num_rows
        self._rows = 0
        self.steps = num_batches
        self._epoch_steps = 0
        self._loss_sum = 0.0
        self._started = self._reported = time.monotonic()
        self._cpu_started = time.process_time()
        self.loss = self.rate = self.cpu_rate = self.step_milliseconds = 0.0

    def add(self, sizes: Sequence[int], losses: Any, rate_factor: float) -> None:
        """Counts batches of `sizes` rows with mean log losses of the same length."""
        self._rows += sum(sizes)
        self.steps += len(losses)
        self._epoch_steps += len(losses)
        self._loss_sum += float(np.dot(losses, sizes))
        tf.summary.scalar("batch_loss", float(losses[-1]), step=self.steps - 1)
        tf.summary.scalar("learning_rate_factor", rate_factor, step=self.steps - 1)
        now = time.monotonic()
        self._measure(now)
        if now - self._reported >= _LINE_SECONDS:
            self._reported = now
            self._say(f"{self._rows / self._num_rows:.0%} of {self._num_rows:,} rows")

    def finish(self, epoch: int, held_out: float | None) -> None:
        """Says and logs what the epoch came to."""
        end = "" if held_out is None else f" · held-out day {held_out:.4f}"
        self._say(f"{self._rows:,} rows", end)
        tf.summary.scalar("epoch_loss", self.loss, step=epoch)
        tf.summary.scalar("rows_per_second", self.rate, step=epoch)
        tf.summary.scalar("step_milliseconds", self.step_milliseconds, step=epoch)
        if held_out is not None:
            tf.summary.scalar("held_out_loss", held_out, step=epoch)

    def _measure(self, now: float) -> None:
        seconds = max(now - self._started, 1e-9)
        self.loss = self._loss_sum / self._rows
        self.rate = self._rows / seconds
        self.cpu_rate = self._rows / max(time.process_time() - self._cpu_started, 1e-9)
        self.step_milliseconds = 1e3 * seconds / self._epoch_steps

    def _say(self, done: str, end: str = "") -> None:
        PROGRESS.info(
            f"{self._name} · {done} · {self.rate:,.0f} rows/s · "
            f"{self.step_milliseconds:.1f} ms/step · loss {self.loss:.4f}{end}"
        )
