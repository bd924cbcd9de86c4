"""Representation enhancement: a contrastive loss that keeps domains distinct."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tf_keras as keras

# Impressions of a batch that are compared in pairs; the cost is quadratic.
COMPARED_ROWS = 128
_TEMPERATURE = 0.2
_WIDTH = 16
# Share of elements that a view lacks.
_DROPOUT = 0.1
# Logit of pairs that are left out.
_NEVER = -1e9


class Enhancement(keras.layers.Layer):
    """InfoNCE over the vectors of users (or items) in their domains.

    For entity i of a domain: `-log(exp(s_ii' / t) / (exp(s_ii' / t) + sum_n exp(s_in /
    t)))`. s is the cosine of projections. The positive i' is a second view of the same
    vector, each view with a dropout of its own; negatives n are the same entity in the
    other domains, and other entities (contrast and views are our choice: the paper
    publishes that an auxiliary task preserves domain-specific features). With other
    impressions of the domain as positives, the loss would be a classifier of the
    domain, least where each domain is one point.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.projection = keras.layers.Dense(_WIDTH, use_bias=False, name="projection")
        self.dropout = keras.layers.Dropout(_DROPOUT)

    def call(
        self,
        vectors: Any,
        elsewhere: Sequence[Any],
        ids: Any,
        weights: Any,
        training: bool = False,
    ) -> Any:
        """Returns the loss, a scalar: the weighted mean over the entities.

        Args:
            vectors: Vectors of entities in their impressions' domains, (N, D).
            elsewhere: Vectors of the same entities in each other domain, (N, D).
            ids: Table rows of the entities, (N,): a pair of equal ones is no negative.
            weights: Weights of the impressions, (N,).
            training: Whether views differ by dropout.
        """
        one, two = (self._view(vectors, training) for _ in range(2))  # (N, P)
        positive = tf.reduce_sum(one * two, axis=1, keepdims=True)  # (N, 1)
        others = one @ tf.transpose(two)  # (N, N)
        same = ids[:, tf.newaxis] == ids[tf.newaxis, :]
        others = tf.where(same, _NEVER, others / _TEMPERATURE)
        beside = [
            tf.reduce_sum(one * self._view(values, training), axis=1, keepdims=True)
            for values in elsewhere
        ]
        own = tf.concat([positive, *beside], axis=1) / _TEMPERATURE  # (N, 1 + K)
        every = tf.concat([own, others], axis=1)
        losses = tf.reduce_logsumexp(every, axis=1) - own[:, 0]  # (N,)
        total = tf.maximum(tf.reduce_sum(weights), 1.0)
        return tf.reduce_sum(weights * losses) / total

    def _view(self, vectors: Any, training: bool) -> Any:
        dropped = self.dropout(vectors, training=training)
        return tf.math.l2_normalize(self.projection(dropped), axis=1)
