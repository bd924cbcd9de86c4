"""Optimizer steps of CCTL: weights of source impressions, mixed tower, pure tower."""

from __future__ import annotations

import contextlib
from typing import Any

import tensorflow as tf
import tf_keras as keras

from models.cctl.flow_trainer import FLOW_BATCH_SIZE
from models.cctl.losses import log_losses
from models.cctl.losses import take_step
from models.cctl.losses import weighted_loss
from models.cctl.measurement import Measurement
from models.cctl.network import CompanionNetwork
from models.settings import TrainingConfig
from models.training.optimizers import build_optimizer
from models.training.optimizers import set_rate_factor
from models.training.steps import make_span
from models.training.steps import make_train_span


class Trainer:
    """Traced steps of a companion network.

    Args:
        network: The companion network; changed in place.
        training: Batch size (target impressions of a step), rates, seed.
        measurement: Measurement of the source impressions.
        optimizer: The mixed tower's optimizer; a new one by default.

    Attributes:
        optimizer: The mixed tower's optimizer.
        pure_optimizer: The pure tower's optimizer.
        train_span: Trains on a span of target and source impressions; returns the
            mixed tower's log losses on the target, (batches,), and the weights of the
            source impressions.
        train_span_alone: Trains the mixed tower on a span of target impressions.
        gain: Number, sum and sum of squares of the target impressions' gains since
            `take_gain`.
    """

    def __init__(
        self,
        network: CompanionNetwork,
        training: TrainingConfig,
        measurement: Measurement,
        optimizer: Any = None,
    ) -> None:
        self._network = network
        self._cctl = network.cctl
        self._training = training
        self._measurement = measurement
        self.optimizer = optimizer or build_optimizer(network.trained_part, training)
        self.pure_optimizer = build_optimizer(network.pure, training)
        self._helpers = keras.optimizers.Adam(
            training.dense_learning_rate, jit_compile=False
        )
        self._helpers.build(network.helper_variables)
        self.gain = tf.Variable(tf.zeros([3], tf.float64), trainable=False)
        self.train_span = make_span(
            self._step, network.features, training.batch_size, self._cctl.source_ratio
        )
        self.train_span_alone = make_train_span(
            network.mixed,
            self.optimizer,
            training.batch_size,
            features=network.features,
        )

    def traced_functions(self) -> list[Any]:
        """Returns the functions to trace before training."""
        return [self.train_span]

    def set_rate_factor(self, factor: float) -> None:
        """Sets the towers' rates to `factor` times those of the configuration."""
        set_rate_factor(self.optimizer, self._training, factor)
        set_rate_factor(self.pure_optimizer, self._training, factor)
        self._helpers.learning_rate.assign(self._training.dense_learning_rate * factor)

    def take_gain(self) -> tuple[float, float, int]:
        """Returns the mean gain, its standard error and the number of impressions.

        The gain of a target impression is the pure tower's log loss on it minus the
        mixed tower's, before either learns from it. The error is infinite for fewer
        than two impressions.
        """
        number, total, squares = self.gain.numpy().tolist()
        self.gain.assign(tf.zeros_like(self.gain))
        if number < 2:
            return 0.0, float("inf"), int(number)
        mean = total / number
        variance = max(squares / number - mean**2, 0.0) / (number - 1)
        return mean, variance**0.5, int(number)

    def losses_of_mixed(
        self,
        rows: Any,
        labels: Any,
        source_rows: Any,
        source_labels: Any,
        weights: Any,
        number: Any,
    ) -> tuple[Any, Any]:
        """Returns the mixed tower's training loss, and its log losses on the target.

        Args:
            rows: Table rows of target impressions by feature, (B,) or (B, L).
            labels: Their labels, (B,).
            source_rows: Table rows of source impressions, (S,) or (S, L).
            source_labels: Their labels, (S,).
            weights: Their weights, (S,).
            number: Source impressions of the batch, those without weight among them.
        """
        network, count = self._network, tf.shape(labels)[0]
        both = {
            name: tf.concat([values, source_rows[name]], axis=0)
            for name, values in rows.items()
        }
        every = tf.concat([tf.ones_like(labels), weights], axis=0)
        with contextlib.ExitStack() as weighed:
            for stack in network.mixed.mlps:
                weighed.enter_context(stack.weighing(every))
            logits = network.logits(network.mixed, both, training=True)
        losses = log_losses(labels, logits[:count])
        loss = tf.reduce_mean(losses)
        theirs = weighted_loss(source_labels, logits[count:], weights)
        of = count if self._cctl.balance == "rows" else number
        whole = loss + theirs / tf.cast(tf.maximum(of, 1), tf.float32)
        if self._cctl.enhancement:
            whole += self._cctl.enhancement * network.contrast(both, every)
        return whole, losses

    def _step(
        self, rows: Any, labels: Any, source_rows: Any, source_labels: Any
    ) -> tuple[Any, Any]:
        """Returns the mixed tower's log loss on the target, and the weights (S,)."""
        weights = self._weigh(source_rows, source_labels)
        # Rows without weight are skipped; `balance` counts them.
        kept = weights > 0
        number = tf.shape(weights)[0]
        few = {name: tf.boolean_mask(v, kept) for name, v in source_rows.items()}
        mixed = self._mixed_step(
            rows,
            labels,
            few,
            tf.boolean_mask(source_labels, kept),
            tf.boolean_mask(weights, kept),
            number,
        )
        pure = self._pure_step(rows, labels)
        gains = tf.cast(pure - mixed, tf.float64)
        self.gain.assign_add(
            tf.stack(
                [
                    tf.cast(tf.size(gains), tf.float64),
                    tf.reduce_sum(gains),
                    tf.reduce_sum(gains**2),
                ]
            )
        )
        return tf.reduce_mean(mixed), weights

    def _weigh(self, rows: Any, labels: Any) -> Any:
        """Returns the weights of source impressions, (S,), and trains the prior."""
        network, cctl = self._network, self._cctl
        source = network.source_of(rows)
        weights = network.row_weights(rows, source)
        if cctl.estimator == "gain" and cctl.prior == "agreement":
            few, of_few, domain = tf.nest.map_structure(
                lambda values: values[:FLOW_BATCH_SIZE], (dict(rows), labels, source)
            )
            logits = network.reference(few, training=False)
            flow = self._measurement.flow
            network.sums.add_rows(of_few, logits, domain, times=flow.counts)
            flow.step(few, of_few, logits, domain)
        return weights

    def _mixed_step(self, *batches: Any) -> Any:
        """Trains the mixed tower; returns its log losses on the target, (B,)."""
        network = self._network
        _, losses = take_step(
            lambda: self.losses_of_mixed(*batches),
            (self.optimizer, network.trained_variables),
            (self._helpers, network.helper_variables),
            rows=tf.shape(batches[1])[0],
        )
        return losses

    def _pure_step(self, rows: Any, labels: Any) -> Any:
        """Trains the pure tower; returns its log losses on the target, (B,)."""
        pure = self._network.pure

        def loss_of() -> tuple[Any, Any]:
            losses = log_losses(labels, pure(rows, training=True))
            return tf.reduce_mean(losses), losses

        _, losses = take_step(
            loss_of,
            (self.pure_optimizer, pure.trainable_variables),
            rows=tf.shape(labels)[0],
        )
        return losses
