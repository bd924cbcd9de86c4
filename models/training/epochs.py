"""Epochs of a training: batches, learning rates, held-out loss and progress."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from typing import NamedTuple

from models.data.batches import ExampleReader
from models.data.batches import describe_days
from models.data.shuffling import split_sizes
from models.errors import DataError
from models.errors import TrainingError
from models.networks.network import Network
from models.settings import EarlyStopping
from models.settings import TrainingConfig
from models.training.distribution import Workers
from models.training.learners import Learner
from models.training.optimizers import cosine_factor
from models.training.progress import EpochProgress
from models.training.steps import EXPLODED
from models.training.steps import SPAN
from models.training.steps import make_evaluation_step


class TrainingResult(NamedTuple):
    """Result of a training.

    Attributes:
        rows: Number of impressions of the window, each trained on once per epoch.
        steps: Optimizer steps of all epochs, without the search for their number.
        seconds: Time spent in the loop, including reading and the search for the number
            of epochs.
        losses: Mean log loss of each epoch, while training.
        held_out: Log loss of the held-out newest day after each epoch of the search;
            empty without early stopping.
        rates: Impressions per second of each epoch, including reading.
        cpu_rates: Impressions per second of the process's CPU time, for each epoch.
    """

    rows: int
    steps: int
    seconds: float
    losses: tuple[float, ...]
    held_out: tuple[float, ...]
    rates: tuple[float, ...]
    cpu_rates: tuple[float, ...]


class Plan(NamedTuple):
    """Number of epochs, and the learning rate factor of each."""

    epochs: int
    factors: list[float]


class EpochLoop:
    """Epochs of a training, or of several trainings one after the other.

    Args:
        network: The network; its variables are changed in place.
        training: Batch size, learning rates and their schedule, seed.
        workers: Processes that train together.
        log: Folder for TensorBoard's scalars.
        learner: The learner.
    """

    def __init__(
        self,
        network: Network,
        training: TrainingConfig,
        workers: Workers,
        log: Path,
        learner: Learner,
    ) -> None:
        self._training = training
        self._workers = workers.count
        self._learner = learner
        self._evaluate = make_evaluation_step(network)
        self._writer = workers.summary_writer(log)
        self.steps = self._first_step = 0
        self.epochs: list[EpochProgress] = []

    def run(
        self,
        reader: ExampleReader,
        num_rows: int,
        plan: Plan,
        search: tuple[ExampleReader, EarlyStopping] | None = None,
        name: str = "epoch",
    ) -> tuple[float, ...]:
        """Trains all epochs of a plan.

        Args:
            reader: The impressions.
            num_rows: Their number.
            plan: The epochs; a search changes its `factors`.
            search: Held-out day and rule by which to stop before `plan.epochs`.
            name: Beginning of the progress lines.

        Returns:
            The held-out day's log loss after each epoch of a search.

        Raises:
            DataError: If there are fewer impressions than workers.
            TrainingError: If the loss is not finite or explodes.
        """
        if num_rows < self._workers:
            raise DataError(
                f"{num_rows} impression(s) to train on, fewer than the {self._workers} "
                "workers of TF_CONFIG, each of which needs one of every batch. Use "
                "fewer workers, a longer window, or take TF_CONFIG away"
            )
        held_out: list[float] = []
        self._first_step = self.steps
        with self._writer.as_default():
            self._learner.begin(reader, num_rows)
            for epoch in range(plan.epochs):
                label = f"{name} {epoch + 1}/{plan.epochs}"
                progress = EpochProgress(label, num_rows, self.steps)
                self._epoch(reader, epoch, num_rows, plan.factors[epoch], progress)
                if search:
                    held_out.append(self._log_loss(search[0]))
                progress.finish(len(self.epochs), held_out[-1] if search else None)
                self.steps = progress.steps
                self.epochs.append(progress)
                if search and self._stalls(held_out, search[1], epoch, plan):
                    break
            self._learner.end()
        return tuple(held_out)

    def close(self) -> None:
        """Ends TensorBoard's file."""
        self._writer.close()

    def result(
        self, num_rows: int, seconds: float, held_out: tuple[float, ...] = ()
    ) -> TrainingResult:
        """Returns the result of all epochs."""
        return TrainingResult(
            num_rows,
            self.steps,
            seconds,
            tuple(epoch.loss for epoch in self.epochs),
            held_out,
            tuple(epoch.rate for epoch in self.epochs),
            tuple(epoch.cpu_rate for epoch in self.epochs),
        )

    def _stalls(
        self, held_out: list[float], rule: EarlyStopping, epoch: int, plan: Plan
    ) -> bool:
        since = epochs_without_improvement(held_out, rule.min_improvement)
        if since and self._training.learning_rate_schedule == "plateau":
            for later in range(epoch + 1, len(plan.factors)):
                plan.factors[later] *= 0.5
        return since >= rule.patience

    def _epoch(
        self,
        reader: ExampleReader,
        epoch: int,
        num_rows: int,
        factor: float,
        progress: EpochProgress,
    ) -> None:
        training = self._training
        total = training.epochs * len(split_sizes(num_rows, training.batch_size))
        spans = reader.prefetched(
            batch_size=training.batch_size,
            shuffle_rows=training.shuffle_rows,
            seed=training.seed,
            epoch=epoch,
            span=SPAN,
        )
        for span in spans:
            if training.learning_rate_schedule == "cosine":
                factor = cosine_factor((progress.steps - self._first_step) / total)
            self._learner.set_rate_factor(factor)
            losses = self._learner.train(span)
            if not losses[-1] < EXPLODED:
                first = (len(losses) - 1) * training.batch_size
                batch = slice(first, first + training.batch_size)
                raise _divergence_error(
                    float(losses[-1]),
                    progress.steps + len(losses) - 1,
                    epoch,
                    span.days[batch],
                    {name: values[batch] for name, values in span.rows.items()},
                )
            sizes = split_sizes(len(span.labels), training.batch_size)
            progress.add(sizes, losses, factor)

    def _log_loss(self, reader: ExampleReader) -> float:
        total, num_rows = 0.0, 0
        spans = reader.prefetched(
            batch_size=SPAN * self._training.batch_size,
            shuffle_rows=self._training.shuffle_rows,
            seed=self._training.seed,
        )
        for span in spans:
            total += float(self._evaluate(span.rows, span.labels))
            num_rows += len(span.labels)
        return total / num_rows


def epochs_without_improvement(held_out: list[float], min_improvement: float) -> int:
    """Returns the number of last epochs without improvement on the best before them.

    Example:
        >>> epochs_without_improvement([0.40, 0.30, 0.31, 0.2999], 0.001)
        2
    """
    best, since = float("inf"), 0
    for loss in held_out:
        since = 0 if loss < best - min_improvement else since + 1
        best = min(best, loss)
    return since


def _divergence_error(
    loss: float, step: int, epoch: int, days: Any, rows: Mapping[str, Any]
) -> TrainingError:
    ranges = ", ".join(
        f"{name} {int(values.min())}..{int(values.max())}"
        for name, values in rows.items()
    )
    return TrainingError(
        f"the loss became {loss:.4g} at step {step} of epoch {epoch + 1}, in a batch "
        f"of {len(days)} impressions from {describe_days(days)}; expected less than "
        f"{EXPLODED:g}. The batch's table rows: {ranges}. Lower "
        "training.dense_learning_rate or training.embedding_learning_rate, and look "
        "at the statistics of these days"
    )
