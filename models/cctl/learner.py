"""How CCTL trains: towers side by side, weights from the target's own knowledge."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

from models.cctl.agreement import agreement
from models.cctl.enhancement import COMPARED_ROWS
from models.cctl.flow import GroupEstimates
from models.cctl.flow import flow_loss
from models.cctl.flow import group_loss
from models.cctl.flow import shrinkage_factor
from models.cctl.network import CompanionNetwork
from models.cctl.record import CctlRecord
from models.cctl.towers import TowerPair
from models.cctl.windows import Windows
from models.data.batches import Batch
from models.data.batches import ExampleReader
from models.data.batches import batch_signature
from models.data.mixing import SourceStream
from models.data.mixing import cut
from models.data.mixing import join
from models.data.mixing import rows_beside
from models.data.shuffling import split_sizes
from models.progress import PROGRESS
from models.settings import TrainingConfig
from models.training.optimizers import build_optimizer
from models.training.optimizers import set_rate_factor
from models.training.steps import EXPLODED
from models.training.steps import SPAN
from models.training.steps import make_span
from models.training.steps import make_train_span

# Every so many rows of the target, one is kept from the reference, to see what its
# knowledge is worth on rows it has not learned.
_HELD_OUT = 4
# Source rows, and held-out rows of the target, on which the flow network learns before
# the first weight is asked for, and how often.
_SAMPLE_ROWS, _FLOW_PASSES = 32_768, 3
# Rows that it learns from at once, then and beside every step: more cost more than they
# tell.
_FLOW_ROWS = 256
_SCORED_ROWS = 8_192
# Rows of a batch of the reference: few, as the target has few, and it takes steps.
_REFERENCE_ROWS = 64
# A third pass would cost more than it tells.
_REFERENCE_PASSES = 2
# Steps of a window where the towers are never made one again.
_WINDOW = 50
# Standard errors from zero that the reference's agreement with the target needs before
# sources are measured by it.
_MIN_Z_SCORE = 2.0


class CctlLearner:
    """One training of a companion network.

    A step: the source rows get their weights; the mixed tower learns from the target's
    rows and the weighted source rows, the pure tower from the target's rows, the flow
    network from the source rows' agreement. Every k steps the next batch of the target
    is scored by both towers before either learns from it, the difference is the
    window's gain, and the pure tower starts again from the mixed one. A window that
    began in an earlier pass has no gain: some rows of the batch may have been learned
    since then.

    Args:
        network: The networks; changed in place.
        sources: The sources' rows.
        training: Batch size (target rows of a step), epochs, rates, seed.
        optimizer: The mixed tower's; a new one by default.
        record: What happened; a new one by default.
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
        self.optimizer = optimizer or build_optimizer(network.trained_part, training)
        self._pure_optimizer = build_optimizer(network.pure, training)
        self._reference_optimizer = build_optimizer(network.reference, training)
        self._helpers = keras.optimizers.Adam(
            training.dense_learning_rate, jit_compile=False
        )
        self._helpers.build(network.helper_variables)
        self._flow = keras.optimizers.Adam(
            self._cctl.flow_learning_rate, jit_compile=False
        )
        self._flow.build(network.flow.trainable_variables)
        self._source_reader = sources
        self._sources: SourceStream | None = None
        self._alone = False
        self.record = record or CctlRecord(network.sources)
        # Steps of this learner, and of it in the present pass over the target's rows.
        self._steps = self._steps_of_pass = 0
        # Rows of a pass, of the present one so far, and passes that are over.
        self._num_rows = self._rows_of_pass = self._passes = 0
        # Source rows that were counted before the first step.
        self._peeked = 0
        self._window = self._cctl.sync_steps or _WINDOW
        self._towers = TowerPair(network, self.optimizer, self._pure_optimizer)
        self._windows = Windows(network, training.seed)
        # 0 until the reference has shown that it knows something.
        self._reference_is_reliable = tf.Variable(0.0, trainable=False)
        self._target_slope = tf.Variable(1.0, trainable=False)
        # Whether the sums count the source rows of a step; each row counts once.
        self._counts = tf.Variable(1.0, trainable=False)
        # Before the first steps the pure tower has no statistics to normalise by.
        self._has_past = self._windows.steps > 0
        self._generator = np.random.default_rng(training.seed)
        self._trace()
        self._towers.sync(whole=True)

    # --- What the loop asks for

    def begin(self, reader: ExampleReader, num_rows: int) -> None:
        """Opens the sources' rows of the same days and learns what agreement is.

        Without source rows in these days, the target's rows are learned alone.
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
        sample = self._sources.peek(_SAMPLE_ROWS)
        self._alone = sample is None
        if sample is not None and self._cctl.estimator == "agreement":
            self._peeked = len(sample.labels)
            self._measure(reader, sample)

    def _measure(self, reader: ExampleReader, sample: Batch) -> None:
        """Trains the reference and the flow network, and measures all domains.

        A fourth of the target's rows is held out from the reference in every pass. A
        reference that an earlier training left is measured on the new rows first and
        learns from all of them then.
        """
        self._counts.assign(1.0)
        sums = self._network.sums
        known = float(sums.sums[-1, sums.ROWS]) > 0
        if known:
            # Newer rows count for more.
            sums.sums.assign(sums.sums / 2)
        held_out, held_out_logits = self._learn_reference(reader, known)
        target = len(self._network.sources)
        parts = [(held_out, np.full(len(held_out.labels), target, np.int32))]
        parts.append((sample, self._network.source_of(sample.rows).numpy()))
        rows = join([part for part, _ in parts])
        domain = np.concatenate([of_row for _, of_row in parts])
        logits = np.concatenate([held_out_logits, self._logits_of(sample)])
        sums.add_rows(
            tf.constant(rows.labels), tf.constant(logits), tf.constant(domain)
        )
        gains = sums.gains()
        learned = self._generator.random(len(domain)) >= 1 / _HELD_OUT
        for _ in range(1 if known else _FLOW_PASSES):
            order = self._generator.permutation(np.flatnonzero(learned))
            self._learn_flow(rows.rows, rows.labels, logits, domain, order)
        # What was counted while the network learned is no measure.
        sums.set_gains(gains)
        found = []
        for start in range(0, len(domain), _SCORED_ROWS):
            stop = start + _SCORED_ROWS
            some = cut(rows, start, stop)
            parts = self._count_gains(
                some.rows, some.labels, logits[start:stop], domain[start:stop]
            )
            found.append([part.numpy() for part in parts])
        difference, gain, mass = map(np.concatenate, zip(*found, strict=True))
        judged = ~learned & (domain < target)
        of_domain = sums.slopes().numpy()[domain]
        self._network.flow_share.assign(
            shrinkage_factor(
                difference[judged], gain[judged], mass[judged], of_domain[judged]
            )
        )
        slope, error = float(sums.slopes()[-1]), float(sums.errors()[-1])
        sure = slope > _MIN_Z_SCORE * error
        self._reference_is_reliable.assign(float(sure))
        self._target_slope.assign(slope if sure else 1.0)
        self.record.target_slope = (slope, error)
        PROGRESS.info(
            f"the target's own model · agreement {slope:.2f} ± {error:.2f} on rows "
            "held out" + ("" if sure else "; too little to weigh the sources by")
        )

    def _learn_reference(self, reader: ExampleReader, known: bool) -> tuple[Batch, Any]:
        """Trains the reference; returns rows it had not seen, and their logits."""
        kept: list[Batch] = []
        logits: list[Any] = []
        passes = 1 if known else min(self._training.epochs, _REFERENCE_PASSES)
        for number in range(passes):
            last = number + 1 == passes
            for span in self._target_spans(reader):
                held_out = np.arange(len(span.labels)) % _HELD_OUT == 0
                held_out |= known
                if last and sum(len(part.labels) for part in kept) < _SAMPLE_ROWS:
                    kept.append(_where(span, held_out))
                    if known:
                        logits.append(self._logits_of(span))
                learned = span if known else _where(span, ~held_out)
                if len(learned.labels):
                    read = self._network.reference.features.features
                    rows = {f.name: learned.rows[f.name] for f in read}
                    self._reference(rows, learned.labels)
        held = join(kept)
        return held, np.concatenate(logits) if known else self._logits_of(held)

    def set_rate_factor(self, factor: float) -> None:
        """Sets the towers' rates to `factor` times those of the configuration."""
        set_rate_factor(self.optimizer, self._training, factor)
        set_rate_factor(self._pure_optimizer, self._training, factor)
        self._helpers.learning_rate.assign(self._training.dense_learning_rate * factor)

    def train(self, span: Batch) -> Any:
        """Trains on some batches; returns each one's log loss on the target's rows."""
        if self._sources is None or self._alone:
            return self._span_alone(span.rows, span.labels).numpy()
        sizes = split_sizes(len(span.labels), self._training.batch_size)
        starts = [0, *np.cumsum(sizes)]
        losses, done = np.zeros(0, np.float32), 0
        while done < len(sizes) and (losses < EXPLODED).all():
            if self._steps and self._steps % self._window == 0:
                self._end_window(cut(span, starts[done], starts[done + 1]))
            last = min(done + self._window - self._steps % self._window, len(sizes))
            target = cut(span, starts[done], starts[last])
            source = self._take(len(target.labels))
            found, weights = self._span(
                target.rows, target.labels, source.rows, source.labels
            )
            self._note(source, weights.numpy(), len(found))
            if self._cctl.sync_steps:
                self._towers.touch(target.rows, source.rows)
            losses = np.concatenate([losses, found.numpy()])
            done = last
        self._rows_of_pass += len(span.labels)
        if self._rows_of_pass >= self._num_rows:
            self._passes += 1
            self._rows_of_pass = self._steps_of_pass = 0
        return losses

    def _take(self, num_rows: int) -> Batch:
        """Returns the source rows beside some rows of the target."""
        assert self._sources is not None
        before = self._sources.rows_taken
        found = self._sources.take(rows_beside(num_rows, self._cctl.source_ratio))
        passes = self._sources.passes
        self._counts.assign(float(passes == 1 and before >= self._peeked))
        self.record.source_rows += len(found.labels)
        self.record.source_passes = max(self.record.source_passes, passes)
        return found

    def _note(self, source: Batch, weights: Any, steps: int) -> None:
        """Records steps and the weights of source rows; the last may have none."""
        weighed = cut(source, 0, len(weights))
        of_row = self._network.source_of(weighed.rows).numpy()
        self.record.add_rows(weighed, of_row, weights)
        self.record.steps += steps
        self._steps += steps
        self._steps_of_pass += steps
        self._windows.count_steps(steps)

    def end(self) -> None:
        """Ends the reading and notes what the sources came to."""
        if self._sources is not None:
            self._sources.close()
        sums = self._network.sums
        target_slope = float(self._target_slope)
        slopes, errors = sums.slopes().numpy(), sums.errors().numpy()
        # Of a quotient: what either is not sure of.
        ratio = slopes / target_slope
        error = np.hypot(errors, ratio * self.record.target_slope[1]) / target_slope
        self.record.agreement = {
            name: (float(ratio[i]), float(error[i]))
            for i, name in enumerate(self._network.sources)
            if float(sums.sums[i, sums.ROWS]) > 0
        }
        self.record.trust = float(self._network.trust)
        self.record.measured = bool(self._reference_is_reliable.numpy())
        if self._cctl.estimator == "companion":
            keep = tf.sigmoid(self._network.keep_logits).numpy().tolist()
            self.record.keep = dict(zip(self._network.sources, keep, strict=True))
        if self._alone and self._cctl.sync_steps:
            # What the mixed tower learned alone is no gain of the next window.
            self._towers.sync(whole=True)
        elif not self._alone:
            # No sync follows, and a few steps lie nearer than k.
            self._add_window(None, apart=not self.record.windows)
        self.record.write_text()

    def _end_window(self, target: Batch) -> None:
        """Measures the gain on a batch that neither learned from since, then syncs."""
        gain = None
        first = self._steps == self._window and not self._has_past
        if (not first or not self._cctl.sync_steps) and self._is_unseen():
            mixed, pure = (float(v) for v in self._gain(target.rows, target.labels))
            gain = pure - mixed
            self._windows.add(gain)
        self._add_window(gain)
        if self._cctl.sync_steps:
            self._towers.sync()

    def _is_unseen(self) -> bool:
        """Returns whether no row of the next batch was learned in this window."""
        return self._passes == 0 or self._steps_of_pass >= self._window

    def _add_window(self, gain: float | None, *, apart: bool = True) -> None:
        distance = self._towers.distance() if apart else None
        self.record.add_window(gain, distance, float(self._network.trust))

    def _target_spans(self, reader: ExampleReader) -> Iterator[Batch]:
        """Yields the reference's batches in one and the same order each time."""
        return reader.prefetched(
            batch_size=_REFERENCE_ROWS,
            shuffle_rows=self._training.shuffle_rows,
            seed=self._training.seed + 1,
            span=SPAN,
        )

    # --- The traced parts

    def _trace(self) -> None:
        rows, labels, _ = batch_signature(self._network.features)
        domain = tf.TensorSpec([None], tf.int32)

        def traced(function: Callable[..., Any], *signature: Any) -> Any:
            return tf.function(function, input_signature=signature, autograph=False)

        network, batch_size = self._network, self._training.batch_size
        reference = network.reference
        self._span = make_span(
            self._train_step, network.features, batch_size, self._cctl.source_ratio
        )
        self._span_alone = make_train_span(network.mixed, self.optimizer, batch_size)
        self._gain = traced(self._losses_of_towers, rows, labels)
        order = tf.TensorSpec([None], tf.int64)
        self._learn_flow = traced(self._flow_pass, rows, labels, labels, domain, order)
        self._count_gains = traced(self._add_gains, rows, labels, labels, domain)
        self._reference = make_train_span(
            reference, self._reference_optimizer, _REFERENCE_ROWS
        )
        self._reference_logits = traced(lambda r: reference(r, training=False), rows)
        # Traced here, so that the first epoch's rate is one of training.
        functions = [self._span, self._gain]
        if self._cctl.estimator == "agreement":
            functions += [self._learn_flow, self._count_gains]
            functions += [self._reference, self._reference_logits]
        for function in functions:
            function.get_concrete_function()  # type: ignore[attr-defined]

    def _logits_of(self, batch: Batch) -> Any:
        """Returns the reference's logits of any number of rows, (N,)."""
        return np.concatenate(
            [
                self._reference_logits(
                    cut(batch, start, start + _SCORED_ROWS).rows
                ).numpy()
                for start in range(0, len(batch.labels), _SCORED_ROWS)
            ]
        )

    def _flow_pass(
        self, rows: Any, labels: Any, logits: Any, domain: Any, order: Any
    ) -> None:
        """Lets the flow network learn from the rows `order` names, (N,), in steps."""

        def step(start: Any) -> list[Any]:
            chosen = order[start : start + _FLOW_ROWS]
            self._flow_step(
                *tf.nest.map_structure(
                    lambda values: tf.gather(values, chosen),
                    (rows, labels, logits, domain),
                )
            )
            return [start + _FLOW_ROWS]

        tf.while_loop(lambda start: start < tf.size(order), step, [0])

    def _flow_step(self, rows: Any, labels: Any, logits: Any, domain: Any) -> None:
        """Lets the flow network learn from rows; the sums count what `_counts` says."""
        network = self._network
        of_domain = tf.gather(network.sums.slopes(), domain)

        def loss_of() -> tuple[Any, ...]:
            alike = network.flow(rows)
            gain, mass, loss = self._agreement(alike, labels, logits, domain)
            loss += flow_loss(of_domain + alike.slope, gain, mass)
            return loss, gain, mass

        _, gain, mass = _descend(
            loss_of, (self._flow, network.flow.trainable_variables)
        )
        network.sums.add_gains(gain, mass, domain, times=self._counts)

    def _add_gains(self, rows: Any, labels: Any, logits: Any, domain: Any) -> Any:
        """Counts rows; returns their groups' differences, `a` and `q`."""
        alike = self._network.flow(rows)
        gain, mass, _ = self._agreement(alike, labels, logits, domain)
        self._network.sums.add_gains(gain, mass, domain)
        return alike.slope, gain, mass

    def _agreement(
        self, alike: GroupEstimates, labels: Any, logits: Any, domain: Any
    ) -> Any:
        """Returns `a` and `q` of rows, and the loss of what is said of rows alike."""
        rate, mean, variance = self._network.sums.moments(domain)
        rate = tf.clip_by_value(rate, 1e-4, 1 - 1e-4)
        odds = tf.math.log(rate / (1 - rate)) + alike.log_odds
        deviation = tf.sqrt(variance + 1e-12)
        scaled = (logits - mean) / deviation
        loss = group_loss(labels, odds, scaled, alike.logit)
        surplus = deviation * (scaled - alike.logit)
        return (*agreement(labels, tf.sigmoid(odds), surplus, variance), loss)

    def _losses_of_towers(self, rows: Any, labels: Any) -> Any:
        """Returns the mean log loss of the mixed and of the pure tower."""
        return tuple(
            tf.stop_gradient(
                tf.reduce_mean(log_losses(labels, tower(rows, training=False)))
            )
            for tower in (self._network.mixed, self._network.pure)
        )

    def _train_step(
        self, rows: Any, labels: Any, source_rows: Any, source_labels: Any
    ) -> tuple[Any, Any]:
        """Returns the mixed tower's log loss on the target's rows, and the weights."""
        source = self._network.source_of(source_rows)
        weights = self._weigh(source_rows, source_labels, source)
        loss = self._mixed_step(rows, labels, source_rows, source_labels, weights)
        self._pure_step(rows, labels)
        return loss, weights

    def _pure_step(self, rows: Any, labels: Any) -> None:
        pure = self._network.pure
        _descend(
            lambda: (tf.reduce_mean(log_losses(labels, pure(rows, training=True))),),
            (self._pure_optimizer, pure.trainable_variables),
        )

    def _weigh(self, rows: Any, labels: Any, source: Any) -> Any:
        """Returns the rows' weights, (B,), and lets the flow network learn."""
        network, cctl = self._network, self._cctl
        if cctl.estimator == "uniform":
            return tf.ones_like(labels)
        if cctl.estimator == "companion":
            return tf.gather(self._windows.kept, source)
        slope = tf.gather(network.sums.slopes(), source)
        weights = network.row_weights(
            slope, network.flow(rows).slope, self._target_slope
        )
        few, of_few, domain = tf.nest.map_structure(
            lambda values: values[:_FLOW_ROWS], (dict(rows), labels, source)
        )
        logits = network.reference(few, training=False)
        network.sums.add_rows(of_few, logits, domain, times=self._counts)
        self._flow_step(few, of_few, logits, domain)
        equal = network.equal_weights(tf.shape(labels)[0])
        reliable = self._reference_is_reliable > 0
        return tf.stop_gradient(tf.where(reliable, weights, equal))

    def _mixed_step(self, *batches: Any) -> Any:
        """Lets the mixed tower learn; returns its log loss on the target's rows."""
        network = self._network
        _, loss = _descend(
            lambda: self._losses_of_mixed(*batches),
            (self.optimizer, network.mixed.trainable_variables),
            (self._helpers, network.helper_variables),
        )
        return loss

    def _losses_of_mixed(
        self, rows: Any, labels: Any, source_rows: Any, source_labels: Any, weights: Any
    ) -> tuple[Any, Any]:
        """Returns what the mixed tower learns from, and the target's share of it."""
        network, count = self._network, tf.shape(labels)[0]
        both = {
            name: tf.concat([values, source_rows[name]], axis=0)
            for name, values in rows.items()
        }
        logits, aligned = network.aligned_logits(both, training=True)
        loss = tf.reduce_mean(log_losses(labels, logits[:count]))
        theirs = weighted_loss(source_labels, logits[count:], weights)
        # A share of each target row, or of each source row.
        of = count if self._cctl.balance == "rows" else tf.shape(source_labels)[0]
        whole = loss + theirs / tf.cast(tf.maximum(of, 1), tf.float32)
        if self._cctl.enhancement:
            whole += self._cctl.enhancement * self._contrast(both, aligned, count)
        return whole, loss

    def _contrast(
        self, rows: Mapping[str, Any], aligned: Mapping[str, Any], count: Any
    ) -> Any:
        """Returns the contrastive loss of the first target and source rows.

        Args:
            rows: By feature the rows of both.
            aligned: By feature their vectors.
            count: The first so many rows are the target's.
        """
        network, half = self._network, COMPARED_ROWS // 2

        def few(values: Any) -> Any:
            own = values[: tf.minimum(half, count)]
            return tf.concat([own, values[count : count + half]], axis=0)

        chosen = {name: few(values) for name, values in rows.items()}
        vectors = {name: few(values) for name, values in aligned.items()}
        return network.enhancement(
            network.contrasted(vectors, chosen), network.source_of(chosen)
        )


def log_losses(labels: Any, logits: Any) -> Any:
    """Returns the log loss of each row, (B,)."""
    return tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits)


def weighted_loss(labels: Any, logits: Any, weights: Any) -> Any:
    """Returns `sum(sg(w) BCE)`: whoever gives the weights learns nothing from it.

    Without the stop-gradient all weights would go to zero, where the loss is least.
    """
    return tf.reduce_sum(tf.stop_gradient(weights) * log_losses(labels, logits))


def _descend(
    loss_of: Callable[[], tuple[Any, ...]], *parts: tuple[Any, list[Any]]
) -> tuple[Any, ...]:
    """Takes a step of each optimizer with its variables.

    Args:
        loss_of: Returns the loss and anything else.
        parts: Optimizers with what they train.

    Returns:
        What `loss_of` returned.
    """
    with tf.GradientTape() as tape:
        found = loss_of()
    gradients = tape.gradient(found[0], [variables for _, variables in parts])
    for (optimizer, variables), own in zip(parts, gradients, strict=True):
        optimizer.apply_gradients(zip(own, variables, strict=True))
    return found


def _where(batch: Batch, chosen: Any) -> Batch:
    rows = {name: values[chosen] for name, values in batch.rows.items()}
    return Batch(rows, batch.labels[chosen], batch.days[chosen])
