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

import numpy as np

from models.data.batches import ExampleReader
from models.days import to_date
from models.networks.network import Network
from models.progress import PROGRESS
from models.settings import TrainingConfig
from models.training.checkpoints import restore
from models.training.checkpoints import save_variables
from models.training.distribution import Workers
from models.training.epochs import EpochLoop
from models.training.epochs import Plan
from models.training.epochs import TrainingResult
from models.training.learners import Learner
from models.training.learners import PlainLearner


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
    plan = Plan(training.epochs, [1.0] * training.epochs)
    held_out: tuple[float, ...] = ()
    if training.early_stopping and len(rows_by_day) > 1:
        with _restored_weights(network, workers):
            search = EpochLoop(
                network, training, workers, run_dir / "search", make_learner(True)
            )
            held_out = search.run(
                reader.between(reader.first_day, newest - 1),
                sum(rows_by_day.values()) - rows_by_day[newest],
                plan,
                (reader.between(newest, newest), training.early_stopping),
            )
            search.close()
        plan = Plan(1 + int(np.argmin(held_out)), plan.factors)
        PROGRESS.info(
            f"{plan.epochs} epoch(s) were best for {to_date(newest)}; training them on "
            "the whole window"
        )
    num_rows = sum(rows_by_day.values())
    loop = EpochLoop(network, training, workers, run_dir, make_learner(False))
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
        self._loop = EpochLoop(network, once, workers, run_dir, learner)
        self._num_rows = 0

    def train(self, day: int, reader: ExampleReader, num_rows: int) -> None:
        """Trains on the impressions of `reader`, all of one day.

        Raises:
            DataError: If there are fewer impressions than workers.
            TrainingError: If the loss is not finite or explodes.
        """
        self._loop.run(reader, num_rows, Plan(1, [1.0]), name=f"{to_date(day)}, epoch")
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


@contextlib.contextmanager
def _restored_weights(network: Network, workers: Workers) -> Iterator[None]:
    """Restores the weights afterwards, via a file, as tables are large."""
    variables = workers.local(network.named_variables())
    with tempfile.TemporaryDirectory(prefix="crossctr-") as folder:
        prefix = Path(folder) / "weights"
        save_variables(prefix, variables)
        yield
        for name, variable in variables.items():
            num_rows = variable.shape[0] if variable.shape.rank else 1
            restore(prefix, name, variable, num_rows)
