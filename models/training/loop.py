"""Training loop of every level."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from typing import NamedTuple

import numpy as np

from models.data.batches import ExampleReader
from models.data.batches import describe_days
from models.data.shuffling import split_sizes
from models.days import to_date
from models.errors import DataError
from models.errors import TrainingError
from models.networks.network import Network
from models.progress import PROGRESS
from models.settings import EarlyStopping
from models.settings import TrainingConfig
from models.training.checkpoints import restore
from models.training.checkpoints import save_variables
from models.training.distribution import Workers
from models.training.learners import Learner
from models.training.learners import PlainLearner
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


def fit(
    network: Network,
    reader: ExampleReader,
    training: TrainingConfig,
    *,
    rows_by_day: Mapping[int, int],
    run_dir: Path,
    optimizer: Any = None,
    workers: Workers | None = None,
    make_learner: Callable[[bool], Learner] | None = None,
) -> TrainingResult:
    """Trains `network` on the reader's window.

    Args:
        network: The network; its variables are changed in place.
        reader: Reader of the window.
        training: Batch size, epochs, learning rates, seed.
        rows_by_day: Number of impressions of each day of the window.
        run_dir: Folder for TensorBoard's scalars.
        optimizer: The plain learner's optimizer; a new one by default.
        workers: Processes that train together; defaults to this one alone.
        make_learner: Returns a learner. Its argument says whether it is for the search
            for the number of epochs, which always has its own optimizer. Defaults to
            plain training on the reader's impressions.

    Raises:
        DataError: If there are fewer impressions than workers.
        TrainingError: If the loss is not finite or explodes.
    """
    workers = workers or Workers()
    make_learner = make_learner or plain_learner(network, training, workers, optimizer)
    started = time.monotonic()
    newest = max(rows_by_day)
    plan = _Plan(training.epochs, [1.0] * training.epochs)
    held_out: tuple[float, ...] = ()
    if training.early_stopping and len(rows_by_day) > 1:
        with _weights_put_back(network, workers):
            search = _Loop(
                network, training, workers, run_dir / "search", make_learner(True)
            )
            held_out = search.run(
                reader.between(reader.first_day, newest - 1),
                sum(rows_by_day.values()) - rows_by_day[newest],
                plan,
                (reader.between(newest, newest), training.early_stopping),
            )
            search.close()
        plan = _Plan(1 + int(np.argmin(held_out)), plan.factors)
        PROGRESS.info(
            f"{plan.epochs} epoch(s) were best for {to_date(newest)}; training them on "
            "the whole window"
        )
    num_rows = sum(rows_by_day.values())
    loop = _Loop(network, training, workers, run_dir, make_learner(False))
    loop.run(reader, num_rows, plan)
    loop.close()
    return loop.result(num_rows, time.monotonic() - started, held_out)


class DailyTraining:
    """Training on one day after another, one pass each.

    `training.epochs` is ignored: in a second pass the network would memorise the few
    impressions of a day (our choice). The step is traced once, and the optimizer is
    kept from day to day.

    Args:
        network: The network; its variables are changed in place.
        training: Batch size, learning rates, seed.
        run_dir: Folder for TensorBoard's scalars.
        learner: The learner.
        workers: Processes that train together.
    """

    def __init__(
        self,
        network: Network,
        training: TrainingConfig,
        *,
        run_dir: Path,
        learner: Learner,
        workers: Workers,
    ) -> None:
        self._started = time.monotonic()
        once = training.model_copy(update={"epochs": 1})
        self._loop = _Loop(network, once, workers, run_dir, learner)
        self._num_rows = 0

    def train(self, day: int, reader: ExampleReader, num_rows: int) -> None:
        """Trains on the impressions of `reader`, all of one day.

        Raises:
            DataError: If there are fewer impressions than workers.
            TrainingError: If the loss is not finite or explodes.
        """
        self._loop.run(reader, num_rows, _Plan(1, [1.0]), name=f"{to_date(day)}, epoch")
        self._num_rows += num_rows

    def finish(self) -> TrainingResult:
        """Returns the result of all days; no day can be added afterwards."""
        self._loop.close()
        return self._loop.result(self._num_rows, time.monotonic() - self._started)


def plain_learner(
    network: Network, training: TrainingConfig, workers: Workers, optimizer: Any = None
) -> Callable[[bool], Learner]:
    """Returns a factory of plain learners; a search gets a new optimizer."""
    return lambda search: PlainLearner(
        network, training, workers, None if search else optimizer
    )


class _Plan(NamedTuple):
    """Number of epochs, and the learning rate factor of each."""

    epochs: int
    factors: list[float]


class _Loop:
    """Pass through all epochs."""

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
        plan: _Plan,
        search: tuple[ExampleReader, EarlyStopping] | None = None,
        name: str = "epoch",
    ) -> tuple[float, ...]:
        """Trains; with `search`, up to `plan.epochs`, writing `plan.factors`.

        Returns:
            The held-out day's log loss after each epoch, if there is a `search`.
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
        self, held_out: list[float], rule: EarlyStopping, epoch: int, plan: _Plan
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
                raise _stopped(
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


@contextlib.contextmanager
def _weights_put_back(network: Network, workers: Workers) -> Iterator[None]:
    """Restores the weights afterwards, via a file, as tables are large."""
    variables = workers.local(network.named_variables())
    with tempfile.TemporaryDirectory(prefix="crossctr-") as folder:
        prefix = Path(folder) / "weights"
        save_variables(prefix, variables)
        yield
        for name, variable in variables.items():
            num_rows = variable.shape[0] if variable.shape.rank else 1
            restore(prefix, name, variable, num_rows)


def _stopped(
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
