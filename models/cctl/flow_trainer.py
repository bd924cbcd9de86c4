"""Training of the information flow network, and the sums behind agreement."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tf_keras as keras

from models.cctl.agreement import agreement
from models.cctl.flow import GroupEstimates
from models.cctl.flow import flow_loss
from models.cctl.flow import group_loss
from models.cctl.losses import take_step
from models.cctl.network import CompanionNetwork
from models.data.batches import batch_signature

# Impressions of a step: more cost more than they improve.
FLOW_BATCH_SIZE = 256


class FlowTrainer:
    """Steps of a companion network's `flow`.

    Args:
        network: The companion network; `network.flow` and `network.sums` are changed in
            place.

    Attributes:
        counts: Weight of a step's impressions in the sums, 1 or 0: an impression that
            is used several times must be counted once.
    """

    def __init__(self, network: CompanionNetwork) -> None:
        self._network = network
        self._optimizer = keras.optimizers.Adam(
            network.cctl.flow_learning_rate, jit_compile=False
        )
        self._optimizer.build(network.flow.trainable_variables)
        self.counts = tf.Variable(1.0, trainable=False)
        rows, labels, _ = batch_signature(network.features)
        columns = [rows, labels, labels, tf.TensorSpec([None], tf.int32)]
        self.train_pass = tf.function(
            self._train_pass,
            input_signature=[*columns, tf.TensorSpec([None], tf.int64)],
            autograph=False,
        )
        self.count = tf.function(self._count, input_signature=columns, autograph=False)

    def traced_functions(self) -> list[Any]:
        """Returns the functions to trace before training."""
        return [self.train_pass, self.count]

    def step(self, rows: Any, labels: Any, logits: Any, domain: Any) -> None:
        """Takes a step and adds the impressions to the sums, `counts` times.

        Args:
            rows: Table rows by feature, (B,) or (B, L).
            labels: 0 or 1, (B,).
            logits: The reference's logits, (B,).
            domain: Index of each impression's domain, int32 (B,).
        """
        network = self._network
        of_domain = tf.gather(network.sums.slopes(), domain)

        def loss_of() -> tuple[Any, ...]:
            groups = network.flow(rows)
            gain, mass, loss = self._agreement(groups, labels, logits, domain)
            loss += flow_loss(of_domain + groups.slope, gain, mass)
            return loss, gain, mass

        _, gain, mass = take_step(
            loss_of, (self._optimizer, network.flow.trainable_variables)
        )
        network.sums.add_gains(gain, mass, domain, times=self.counts)

    def _train_pass(
        self, rows: Any, labels: Any, logits: Any, domain: Any, order: Any
    ) -> None:
        """Takes steps on the impressions at the positions `order`, (N,)."""

        def step(start: Any) -> list[Any]:
            chosen = order[start : start + FLOW_BATCH_SIZE]
            self.step(
                *tf.nest.map_structure(
                    lambda values: tf.gather(values, chosen),
                    (rows, labels, logits, domain),
                )
            )
            return [start + FLOW_BATCH_SIZE]

        tf.while_loop(lambda start: start < tf.size(order), step, [0])

    def _count(self, rows: Any, labels: Any, logits: Any, domain: Any) -> Any:
        """Adds impressions to the sums; returns slope differences, `a` and `q`."""
        groups = self._network.flow(rows)
        gain, mass, _ = self._agreement(groups, labels, logits, domain)
        self._network.sums.add_gains(gain, mass, domain)
        return groups.slope, gain, mass

    def _agreement(
        self, groups: GroupEstimates, labels: Any, logits: Any, domain: Any
    ) -> Any:
        """Returns `a` and `q` of impressions, and the loss of their groups' means."""
        rate, mean, variance = self._network.sums.moments(domain)
        rate = tf.clip_by_value(rate, 1e-4, 1 - 1e-4)
        odds = tf.math.log(rate / (1 - rate)) + groups.log_odds
        deviation = tf.sqrt(variance + 1e-12)
        scaled = (logits - mean) / deviation
        loss = group_loss(labels, odds, scaled, groups.logit)
        surplus = deviation * (scaled - groups.logit)
        return (*agreement(labels, tf.sigmoid(odds), surplus, variance), loss)
