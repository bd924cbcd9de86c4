"""Learner of CCTL: spans of target impressions with source impressions beside them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from models.cctl.measurement import SAMPLE_IMPRESSIONS
from models.cctl.measurement import Measurement
from models.cctl.network import CompanionNetwork
from models.cctl.record import CctlRecord
from models.cctl.towers import TowerPair
from models.cctl.trainer import Trainer
from models.data.batches import Batch
from models.data.batches import ExampleReader
from models.data.mixing import SourceStream
from models.data.mixing import cut
from models.data.mixing import rows_beside
from models.data.shuffling import split_sizes
from models.settings import TrainingConfig
from models.training.steps import EXPLODED

# Steps of a window if the towers are never synced.
_WINDOW = 50
# Standard errors below zero at which a window's gain undoes the window.
_UNDONE = -2.0


class CctlLearner:
    """Learner of a companion network.

    In a step, source impressions get their weights; the mixed tower is trained on the
    target's impressions and the weighted source impressions, the pure tower on the
    target's alone. Before either learns from the target's impressions of a step, the
    difference of their losses is that step's part of the window's gain. Every k steps
    the towers are made equal: to the mixed one, or, where the gain is surely below
    zero, to the pure one. They were equal at the window's start and learn the same
    target impressions, so the gain measures what the window's source impressions bring,
    also in later passes. A pass ends its last window, because a window over its end
    might have an impression twice.

    Args:
        network: The companion network; changed in place.
        sources: Reader of the source impressions.
        training: Batch size (target impressions of a step), epochs, rates, seed.
        optimizer: The mixed tower's optimizer; a new one by default.
        record: Record of the training; a new one by default.
    """

    def __init__(
        self,
        network: CompanionNetwork,
        sources: ExampleReader,
        training: TrainingConfig,
        *,
        optimizer: Any = None,
        record: CctlRecord | None = None,
    ) -> None:
        self._network = network
        self._cctl = network.cctl
        self._training = training
        self._source_reader = sources
        self._sources: SourceStream | None = None
        self._alone = False
        self.record = record or CctlRecord(network.sources)
        # Steps of the current window.
        self._steps_of_window = 0
        # Target impressions of a pass, and of the current one so far.
        self._num_rows = self._rows_of_pass = 0
        # Source impressions that were measured before the first step.
        self._peeked = 0
        self._window = self._cctl.sync_steps or _WINDOW
        self._measurement = Measurement(network, training)
        self._trainer = Trainer(network, training, self._measurement, optimizer)
        self._towers = TowerPair(
            network, self._trainer.optimizer, self._trainer.pure_optimizer
        )
        # Traced here, so that tracing does not count in the first epoch's speed.
        functions = self._trainer.traced_functions()
        if self._cctl.estimator == "gain":
            functions += self._measurement.traced_functions()
        for function in functions:
            function.get_concrete_function()
        self._towers.sync(whole=True)

    def begin(self, reader: ExampleReader, num_rows: int) -> None:
        """Opens the source impressions of the same days and measures them.

        Without source impressions in these days, the target's are trained on alone.
        """
        beside = rows_beside(self._training.batch_size, self._cctl.source_ratio)
        self._sources = SourceStream(
            self._source_reader.between(reader.first_day, reader.last_day),
            batch_rows=max(beside, 1),
            shuffle_rows=self._training.shuffle_rows,
            seed=self._training.seed,
        )
        self._num_rows, self._rows_of_pass = num_rows, 0
        self._steps_of_window = self._peeked = 0
        sample = self._sources.peek(SAMPLE_IMPRESSIONS)
        self._alone = sample is None
        if sample is not None and self._cctl.estimator == "gain":
            self._peeked = len(sample.labels)
            self._measurement.measure(reader, sample)

    def set_rate_factor(self, factor: float) -> None:
        """Sets the towers' rates to `factor` times those of the configuration."""
        self._trainer.set_rate_factor(factor)

    def train(self, span: Batch) -> npt.NDArray[Any]:
        """Returns the log loss of each batch on the target's impressions."""
        if self._sources is None or self._alone:
            losses: npt.NDArray[Any] = self._trainer.train_span_alone(
                span.rows, span.labels
            ).numpy()
            return losses
        sizes = split_sizes(len(span.labels), self._training.batch_size)
        starts = [0, *np.cumsum(sizes)]
        losses, done = np.zeros(0, np.float32), 0
        while done < len(sizes) and (losses < EXPLODED).all():
            last = min(done + self._window - self._steps_of_window, len(sizes))
            found = self._train_part(cut(span, starts[done], starts[last]))
            losses = np.concatenate([losses, found])
            done = last
            if self._steps_of_window >= self._window:
                self._end_window()
        self._rows_of_pass += len(span.labels)
        if self._rows_of_pass >= self._num_rows:
            self._rows_of_pass = 0
            if self._steps_of_window:
                self._end_window()
        return losses

    def _train_part(self, target: Batch) -> npt.NDArray[Any]:
        """Trains on batches that lie in one window; returns their log losses."""
        source = self._take(len(target.labels))
        losses, weights = self._trainer.train_span(
            target.rows, target.labels, source.rows, source.labels
        )
        self._add_to_record(source, weights.numpy(), len(losses))
        if self._cctl.sync_steps:
            self._towers.touch(target.rows, source.rows)
        return losses.numpy()  # type: ignore[no-any-return]

    def _take(self, num_rows: int) -> Batch:
        """Returns the source impressions beside `num_rows` target impressions."""
        assert self._sources is not None
        before = self._sources.rows_taken
        found = self._sources.take(rows_beside(num_rows, self._cctl.source_ratio))
        passes = self._sources.passes
        is_new = passes == 1 and before >= self._peeked
        self._measurement.flow.counts.assign(float(is_new))
        if is_new and self._cctl.estimator == "gain":
            self._measurement.add(found)
        self.record.source_rows += len(found.labels)
        self.record.source_passes = max(self.record.source_passes, passes)
        return found

    def _add_to_record(self, source: Batch, weights: Any, steps: int) -> None:
        """Records steps and weights; the last source impressions may have none."""
        weighted = cut(source, 0, len(weights))
        indices = self._network.source_of(weighted.rows).numpy()
        self.record.add_rows(weighted, indices, weights)
        self.record.steps += steps
        self._steps_of_window += steps

    def end(self) -> None:
        """Ends the last window and the reading, and records what was measured."""
        if self._alone and self._cctl.sync_steps:
            # Training of the mixed tower alone must not count as the next gain.
            self._towers.sync(whole=True)
        elif self._steps_of_window:
            self._end_window()
        if self._sources is not None:
            self._sources.close()
        if self._cctl.estimator == "gain":
            self.record.add_measured(self._network.gain_weights)
        self.record.write_text()

    def _end_window(self) -> None:
        """Records the window's gain, and makes the towers equal."""
        mean, error, number = self._trainer.take_gain()
        gain = None if number < 2 else (mean, error)
        undo = gain is not None and mean < _UNDONE * error
        undo = undo and self._cctl.sync_steps > 0
        self.record.add_window(gain, self._towers.distance(), undone=undo)
        if self._cctl.sync_steps:
            self._towers.sync(undo=undo)
        if self._cctl.estimator == "gain":
            self._measurement.refresh()
        self._steps_of_window = 0
