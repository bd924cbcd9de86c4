"""Optimizer steps of CCTL: weights of source impressions, mixed tower, pure tower."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tf_keras as keras

from models.cctl.flow_trainer import FLOW_BATCH_SIZE
from models.cctl.losses import log_losses
from models.cctl.losses import take_step
from models.cctl.losses import weighted_loss
from models.cctl.measurement import Measurement
from models.cctl.network import CompanionNetwork
from models.cctl.windows import Windows
from models.data.batches import batch_signature
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
        measurement: Agreement of the domains, which determines the weights.
        windows: Kept sources, which replace the weights with `estimator: companion`.
        optimizer: The mixed tower's optimizer; a new one by default.

    Attributes:
        optimizer: The mixed tower's optimizer.
        pure_optimizer: The pure tower's optimizer.
        train_span: Trains on a span of target and source impressions; returns the
            mixed tower's log losses on the target, (batches,), and the weights of the
            source impressions.
        train_span_alone: Trains the mixed tower on a span of target impressions.
        tower_losses: Returns the mean log losses of mixed and pure tower on a batch.
    """

    def __init__(
        self,
        network: CompanionNetwork,
        training: TrainingConfig,
        measurement: Measurement,
        windows: Windows,
        optimizer: Any = None,
    ) -> None:
        self._network = network
        self._cctl = network.cctl
        self._training = training
        self._measurement = measurement
        self._windows = windows
        self.optimizer = optimizer or build_optimizer(network.trained_part, training)
        self.pure_optimizer = build_optimizer(network.pure, training)
        self._helpers = keras.optimizers.Adam(
            training.dense_learning_rate, jit_compile=False
        )
        self._helpers.build(network.helper_variables)
        rows, labels, _ = batch_signature(network.features)
        self.train_span = make_span(
            self._step, network.features, training.batch_size, self._cctl.source_ratio
        )
        self.train_span_alone = make_train_span(
            network.mixed,
            self.optimizer,
            training.batch_size,
            features=network.features,
        )
        self.tower_losses = tf.function(
            self.losses_of_towers, input_signature=[rows, labels], autograph=False
        )

    def traced_functions(self) -> list[Any]:
        """Returns the functions to trace before training."""
        return [self.train_span, self.tower_losses]

    def set_rate_factor(self, factor: float) -> None:
        """Sets the towers' rates to `factor` times those of the configuration."""
        set_rate_factor(self.optimizer, self._training, factor)
        set_rate_factor(self.pure_optimizer, self._training, factor)
        self._helpers.learning_rate.assign(self._training.dense_learning_rate * factor)

    def losses_of_towers(self, rows: Any, labels: Any) -> tuple[Any, Any]:
        """Returns the mean log losses of mixed and pure tower, without gradients."""
        mixed, pure = (
            tf.stop_gradient(
                tf.reduce_mean(log_losses(labels, tower(rows, training=False)))
            )
            for tower in (self._network.mixed, self._network.pure)
        )
        return mixed, pure

    def losses_of_mixed(
        self, rows: Any, labels: Any, source_rows: Any, source_labels: Any, weights: Any
    ) -> tuple[Any, Any]:
        """Returns the mixed tower's training loss, and its log loss on the target.

        Args:
            rows: Table rows of target impressions by feature, (B,) or (B, L).
            labels: Their labels, (B,).
            source_rows: Table rows of source impressions, (S,) or (S, L).
            source_labels: Their labels, (S,).
            weights: Their weights, (S,).
        """
        network, count = self._network, tf.shape(labels)[0]
        both = {
            name: tf.concat([values, source_rows[name]], axis=0)
            for name, values in rows.items()
        }
        logits = network.logits(network.mixed, both, training=True)
        loss = tf.reduce_mean(log_losses(labels, logits[:count]))
        theirs = weighted_loss(source_labels, logits[count:], weights)
        of = count if self._cctl.balance == "rows" else tf.shape(source_labels)[0]
        whole = loss + theirs / tf.cast(tf.maximum(of, 1), tf.float32)
        if self._cctl.enhancement:
            every = tf.concat([tf.ones_like(labels), weights], axis=0)
            whole += self._cctl.enhancement * network.contrast(both, every)
        return whole, loss

    def _step(
        self, rows: Any, labels: Any, source_rows: Any, source_labels: Any
    ) -> tuple[Any, Any]:
        """Returns the mixed tower's log loss on the target, and the weights (S,)."""
        source = self._network.source_of(source_rows)
        weights = self._weigh(source_rows, source_labels, source)
        loss = self._mixed_step(rows, labels, source_rows, source_labels, weights)
        self._pure_step(rows, labels)
        return loss, weights

    def _weigh(self, rows: Any, labels: Any, source: Any) -> Any:
        """Returns the weights of source impressions, (S,), and trains `flow`."""
        network, measurement = self._network, self._measurement
        if self._cctl.estimator == "uniform":
            return tf.ones_like(labels)
        if self._cctl.estimator == "zero":
            return tf.zeros_like(labels)
        if self._cctl.estimator == "companion":
            return tf.gather(self._windows.kept, source)
        slope = tf.gather(network.sums.slopes(), source)
        weights = network.row_weights(
            slope, network.flow(rows).slope, measurement.target_slope
        )
        few, of_few, domain = tf.nest.map_structure(
            lambda values: values[:FLOW_BATCH_SIZE], (dict(rows), labels, source)
        )
        logits = network.reference(few, training=False)
        flow = measurement.flow
        network.sums.add_rows(of_few, logits, domain, times=flow.counts)
        flow.step(few, of_few, logits, domain)
        equal = network.equal_weights(tf.shape(labels)[0])
        reliable = measurement.reference_is_reliable > 0
        return tf.stop_gradient(tf.where(reliable, weights, equal))

    def _mixed_step(self, *batches: Any) -> Any:
        """Trains the mixed tower; returns its log loss on the target."""
        network = self._network
        _, loss = take_step(
            lambda: self.losses_of_mixed(*batches),
            (self.optimizer, network.trained_variables),
            (self._helpers, network.helper_variables),
            rows=tf.shape(batches[1])[0],
        )
        return loss

    def _pure_step(self, rows: Any, labels: Any) -> None:
        pure = self._network.pure
        take_step(
            lambda: (tf.reduce_mean(log_losses(labels, pure(rows, training=True))),),
            (self.pure_optimizer, pure.trainable_variables),
            rows=tf.shape(labels)[0],
        )
