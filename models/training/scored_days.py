"""Scores of a target's newest days by models not yet trained on them."""

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

from models.compat import save_arrays
from models.data.batches import Batch
from models.data.batches import ExampleReader
from models.data.batches import batch_signature
from models.networks.network import Network
from models.training.calibration import Platt
from models.training.calibration import fit_platt

# Smallest sample of a larger day that is scored: two parameters need no more, and a
# stored day stays below 4 MiB.
MAX_ROWS = 262_144
# Number of impressions for comparing the levels of two models. The sample is the same
# for both, so that its noise cancels.
REFERENCE_ROWS = 8_192
_BATCH_ROWS = 4_096

Rows = Mapping[str, npt.NDArray[Any]]


class ScoredDays:
    """Labels and logits of days, each scored by a model trained up to the day before.

    A calibrator is fitted on these days. The served model, however, has been trained on
    them since and may predict more or fewer clicks overall than the models that scored
    them. Logits are therefore stored relative to the level of their model, the log-odds
    of its mean prediction on a fixed sample of impressions; the served model's level is
    added before fitting (our choice).

    Args:
        reference: The fixed sample: encoded features by column.
        days: Day of each scored impression, shape (N,).
        logits: Logits relative to the level of the scoring model, shape (N,).
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
        """Returns an instance without scored days; the reader gives the reference."""
        batches = [batch.rows for batch in _first(reader, REFERENCE_ROWS, seed)]
        names = list(reader.features.columns)
        return cls(
            {name: np.concatenate([b[name] for b in batches]) for name in names}
            if batches
            else {}
        )

    @classmethod
    def read(cls, path: Path) -> ScoredDays:
        """Reads a file of `write`."""
        with np.load(path) as stored:
            prefix = "reference/"
            reference = {
                name.removeprefix(prefix): stored[name]
                for name in stored.files
                if name.startswith(prefix)
            }
            return cls(reference, stored["day"], stored["logit"], stored["label"])

    def write(self, path: Path, *, first_day: int) -> None:
        """Writes the reference and the days since `first_day` as an .npz file."""
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
            network: The network, not yet trained on the day.
            reader: The target's impressions of the day.
        """
        level = self._level(network)
        for batch in _first(reader, MAX_ROWS, seed=day):
            logits = self._predict(network, batch.rows) - level
            days = np.full(len(logits), day, np.int32)
            self._days = np.concatenate([self._days, days])
            self._logits = np.concatenate([self._logits, logits.astype(np.float32)])
            self._labels = np.concatenate([self._labels, batch.labels.astype(np.int8)])

    def calibrator(self, network: Network, *, first_day: int) -> Platt:
        """Returns the calibrator of `network`, fitted on the days since `first_day`."""
        used = self._days >= first_day
        if not used.any():
            return Platt()
        level = self._level(network)
        return fit_platt(self._logits[used] + level, self._labels[used])

    def _level(self, network: Network) -> float:
        """Returns the log-odds of the mean prediction on the reference."""
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
    """Yields batches in random order until there are `num_rows` impressions."""
    num_read = 0
    for batch in reader.batches(
        batch_size=_BATCH_ROWS, shuffle_rows=4 * _BATCH_ROWS, seed=seed
    ):
        yield batch
        num_read += len(batch.labels)
        if num_read >= num_rows:
            return
