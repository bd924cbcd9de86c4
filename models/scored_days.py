"""What models said of a target's newest days before they were trained on them."""

from __future__ import annotations

import math
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from models.batches import Batch
from models.batches import ExampleReader
from models.batches import batch_signature
from models.calibration import Platt
from models.calibration import fit_platt
from models.compat import save_arrays
from models.network import Network

# Rows of a day that are scored, at least, if it has more: two numbers need no more, and
# what is kept of a day stays below 4 MiB.
MAX_ROWS = 262_144
# Rows on which two models' levels are compared. They are the same for both, so what the
# sample has by chance cancels out.
REFERENCE_ROWS = 8_192
_BATCH_ROWS = 4_096

Rows = Mapping[str, npt.NDArray[np.int64]]


class ScoredDays:
    """Labels and logits of days, each by the model that had seen the days before it.

    These are the rows to fit a calibrator on. But the model that is served has been
    trained on them since, and so may expect more or fewer clicks everywhere than those
    that scored them. So a logit is kept relative to the level of its own model, the
    log-odds of its mean prediction on a fixed sample of rows; the served model's level
    is added before anything is fitted (our choice).

    Args:
        reference: The fixed sample, rows by feature.
        days: Day of each scored row, shape (N,).
        logits: Logits relative to the level of the model that scored them, shape (N,).
        labels: 0 or 1, shape (N,).

    Example:
        >>> scored = ScoredDays.drawn_from(window_before, seed=17)  # doctest: +SKIP
        >>> scored.add(day, network, rows_of_day)  # doctest: +SKIP
        >>> calibrator = scored.calibrator(trained, first_day=day)  # doctest: +SKIP
    """

    def __init__(
        self,
        reference: Rows,
        days: npt.ArrayLike = (),
        logits: npt.ArrayLike = (),
        labels: npt.ArrayLike = (),
    ) -> None:
        self._reference = reference
        self._days = np.asarray(days, np.int32)
        self._logits = np.asarray(logits, np.float32)
        self._labels = np.asarray(labels, np.int8)
        self._network: Network | None = None
        self._traced: Callable[[Rows], Any] | None = None

    @classmethod
    def drawn_from(cls, reader: ExampleReader, *, seed: int) -> ScoredDays:
        """Returns no scored day yet, and a reference drawn from the reader's rows."""
        batches = [batch.rows for batch in _first(reader, REFERENCE_ROWS, seed)]
        names = [feature.name for feature in reader.features.features]
        return cls(
            {name: np.concatenate([b[name] for b in batches]) for name in names}
            if batches
            else {}
        )

    @classmethod
    def read(cls, path: Path) -> ScoredDays:
        """Returns what `write` wrote."""
        with np.load(path) as stored:
            prefix = "reference/"
            reference = {
                name.removeprefix(prefix): stored[name]
                for name in stored.files
                if name.startswith(prefix)
            }
            return cls(reference, stored["day"], stored["logit"], stored["label"])

    def write(self, path: Path, *, first_day: int) -> None:
        """Writes the reference and the days from `first_day` on as an .npz file."""
        kept = self._days >= first_day
        arrays: dict[str, npt.NDArray[Any]] = {
            "day": self._days[kept],
            "logit": self._logits[kept],
            "label": self._labels[kept],
        }
        arrays |= {f"reference/{name}": rows for name, rows in self._reference.items()}
        save_arrays(path, arrays)

    def add(self, day: int, network: Network, reader: ExampleReader) -> None:
        """Scores a day.

        Args:
            day: Days since 1970-01-01.
            network: The network; it must not have been trained on the day yet.
            reader: The day's rows of the target.
        """
        level = self._level(network)
        for batch in _first(reader, MAX_ROWS, seed=day):
            logits = self._predict(network, batch.rows) - level
            days = np.full(len(logits), day, np.int32)
            self._days = np.concatenate([self._days, days])
            self._logits = np.concatenate([self._logits, logits.astype(np.float32)])
            self._labels = np.concatenate([self._labels, batch.labels.astype(np.int8)])

    def calibrator(self, network: Network, *, first_day: int) -> Platt:
        """Returns the calibrator of `network` from the days from `first_day` on."""
        used = self._days >= first_day
        if not used.any():
            return Platt()
        level = self._level(network)
        return fit_platt(self._logits[used] + level, self._labels[used])

    def _level(self, network: Network) -> float:
        """Returns the log-odds of the mean prediction on the reference; 0 without."""
        if not self._reference:
            return 0.0
        logits = self._predict(network, self._reference)
        mean = float(np.mean(1 / (1 + np.exp(-np.clip(logits, -500, 500)))))
        return math.log(mean / (1 - mean))

    def _predict(self, network: Network, rows: Rows) -> npt.NDArray[np.float64]:
        if network is not self._network or self._traced is None:
            spec, _, _ = batch_signature(network.features)
            self._network = network
            self._traced = tf.function(
                lambda inputs: network(inputs, training=False),
                input_signature=(spec,),
                autograph=False,
            )
        return np.asarray(self._traced(rows).numpy(), np.float64)


def _first(reader: ExampleReader, num_rows: int, seed: int) -> Iterator[Batch]:
    """Yields batches of rows in random order, until there are `num_rows`."""
    num_read = 0
    for batch in reader.batches(
        batch_size=_BATCH_ROWS, shuffle_rows=4 * _BATCH_ROWS, seed=seed
    ):
        yield batch
        num_read += len(batch.labels)
        if num_read >= num_rows:
            return
