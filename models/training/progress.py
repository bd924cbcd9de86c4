"""Progress of a training: console lines and TensorBoard's scalars."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from models.progress import PROGRESS

# Interval of progress lines inside an epoch.
_LINE_SECONDS = 5.0


class EpochProgress:
    """Progress of one epoch, reported at intervals.

    Args:
        name: Beginning of the lines, e.g. `epoch 1/3`.
        num_rows: Number of impressions of the epoch.
        num_batches: Number of batches of all earlier epochs, for TensorBoard's axis.

    Attributes:
        steps: Number of batches so far, including earlier epochs.
        loss: Mean training log loss of the epoch.
        rate: Impressions per second, including reading.
        cpu_rate: Impressions per second of the process's CPU time.
        step_milliseconds: Mean time of a step, including reading.
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
        """Adds batches of the given sizes with their mean log losses."""
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
        """Reports the result of the epoch."""
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
