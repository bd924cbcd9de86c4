"""Learner of CCTL: spans of target impressions with source impressions beside them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from models.cctl.measurement import SAMPLE_IMPRESSIONS
from models.cctl.measurement import Measurement
from models.cctl.network import CompanionNetwork
from models.cctl.record import CctlRecord
from models.cctl.towers import TowerPair
from models.cctl.trainer import Trainer
from models.cctl.windows import Windows
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


class CctlLearner:
    """Learner of a companion network.

    In a step, source impressions get their weights; the mixed tower is trained on the
    target's impressions and the weighted source impressions, the pure tower on the
    target's alone, and the flow network on the agreement of source impressions. Every k
    steps both towers score the next target batch before they are trained on it; the
    difference of their losses is the window's gain, and the pure tower is reset to the
    mixed one. A window that began in an earlier pass has no gain, because the towers
    may have been trained on some impressions of the batch since then.

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
        # Steps of this learner, and of the current pass over the target's impressions.
        self._steps = self._steps_of_pass = 0
        # Target impressions of a pass, of the current one so far, and completed passes.
        self._num_rows = self._rows_of_pass = self._passes = 0
        # Source impressions that were measured before the first step.
        self._peeked = 0
        self._window = self._cctl.sync_steps or _WINDOW
        self._windows = Windows(network, training.seed)
        # Before the first steps the pure tower has no BatchNorm statistics.
        self._has_past = self._windows.steps > 0
        self._measurement = Measurement(network, training)
        self._trainer = Trainer(
            network, training, self._measurement, self._windows, optimizer
        )
        self._towers = TowerPair(
            network, self._trainer.optimizer, self._trainer.pure_optimizer
        )
        # Traced here, so that tracing does not count in the first epoch's speed.
        functions = self._trainer.traced_functions()
        if self._cctl.estimator == "agreement":
            functions += self._measurement.traced_functions()
        for function in functions:
            function.get_concrete_function()
        self._towers.sync(whole=True)

    def begin(self, reader: ExampleReader, num_rows: int) -> None:
        """Opens the source impressions of the same days and measures agreement.

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
        self._passes = self._steps_of_pass = self._peeked = 0
        sample = self._sources.peek(SAMPLE_IMPRESSIONS)
        self._alone = sample is None
        if sample is not None and self._cctl.estimator == "agreement":
            self._peeked = len(sample.labels)
            self.record.target_slope = self._measurement.measure(reader, sample)

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
            if self._steps and self._steps % self._window == 0:
                self._end_window(cut(span, starts[done], starts[done + 1]))
            last = min(done + self._window - self._steps % self._window, len(sizes))
            found = self._train_part(cut(span, starts[done], starts[last]))
            losses = np.concatenate([losses, found])
            done = last
        self._rows_of_pass += len(span.labels)
        if self._rows_of_pass >= self._num_rows:
            self._passes += 1
            self._rows_of_pass = self._steps_of_pass = 0
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
        self.record.source_rows += len(found.labels)
        self.record.source_passes = max(self.record.source_passes, passes)
        return found

    def _add_to_record(self, source: Batch, weights: Any, steps: int) -> None:
        """Records steps and weights; the last source impressions may have none."""
        weighted = cut(source, 0, len(weights))
        indices = self._network.source_of(weighted.rows).numpy()
        self.record.add_rows(weighted, indices, weights)
        self.record.steps += steps
        self._steps += steps
        self._steps_of_pass += steps
        self._windows.count_steps(steps)

    def end(self) -> None:
        """Ends reading and records agreement, trust and kept sources."""
        if self._sources is not None:
            self._sources.close()
        sums = self._network.sums
        target_slope = float(self._measurement.target_slope)
        slopes, errors = sums.slopes().numpy(), sums.errors().numpy()
        # Standard error of a quotient, from those of both slopes.
        ratio = slopes / target_slope
        error = np.hypot(errors, ratio * self.record.target_slope[1]) / target_slope
        self.record.agreement = {
            name: (float(ratio[i]), float(error[i]))
            for i, name in enumerate(self._network.sources)
            if float(sums.sums[i, sums.ROWS]) > 0
        }
        self.record.trust = float(self._network.trust)
        self.record.measured = bool(self._measurement.reference_is_reliable.numpy())
        if self._cctl.estimator == "companion":
            keep = tf.sigmoid(self._network.keep_logits).numpy().tolist()
            self.record.keep = dict(zip(self._network.sources, keep, strict=True))
        if self._alone and self._cctl.sync_steps:
            # Training of the mixed tower alone must not count as the next gain.
            self._towers.sync(whole=True)
        elif not self._alone:
            # No sync follows; the distance after fewer than k steps is not comparable.
            self._add_window(None, apart=not self.record.windows)
        self.record.write_text()

    def _end_window(self, target: Batch) -> None:
        """Measures the gain on a batch new to both towers, then syncs them."""
        gain = None
        first = self._steps == self._window and not self._has_past
        if (not first or not self._cctl.sync_steps) and self._is_unseen():
            losses = self._trainer.tower_losses(target.rows, target.labels)
            mixed, pure = (float(loss) for loss in losses)
            gain = pure - mixed
            self._windows.add(gain)
        self._add_window(gain)
        if self._cctl.sync_steps:
            self._towers.sync()

    def _is_unseen(self) -> bool:
        """Returns whether the next batch is new to the towers in this window."""
        return self._passes == 0 or self._steps_of_pass >= self._window

    def _add_window(self, gain: float | None, *, apart: bool = True) -> None:
        distance = self._towers.distance() if apart else None
        self.record.add_window(gain, distance, float(self._network.trust))
