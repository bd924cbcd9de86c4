"""Representation enhancement: a contrastive loss that keeps domains distinct."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tf_keras as keras

# Impressions of a batch that are compared in pairs; the cost is quadratic.
COMPARED_ROWS = 128
_TEMPERATURE = 0.2
_WIDTH = 16


class Enhancement(keras.layers.Layer):
    """InfoNCE over projected user and item vectors (our choice of the contrast).

    For impressions i and j of the same domain, `-log(exp(s_ij / t) / (exp(s_ij / t) +
    sum_n exp(s_in / t)))`, n over the impressions of other domains, s the cosine of the
    projections; the mean over all such pairs.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.projection = keras.layers.Dense(_WIDTH, use_bias=False, name="projection")

    def call(self, vectors: Any, domain: Any) -> Any:
        """Returns the loss, a scalar.

        Args:
            vectors: Concatenated user and item vectors, (N, any width).
            domain: Index of each impression's domain, int32 (N,).
        """
        projected = tf.math.l2_normalize(self.projection(vectors), axis=1)  # (N, P)
        similar = projected @ tf.transpose(projected) / _TEMPERATURE  # (N, N)
        same = domain[:, tf.newaxis] == domain[tf.newaxis, :]
        others = tf.where(same, 0.0, tf.exp(similar))
        negatives = tf.reduce_sum(others, axis=1, keepdims=True)  # (N, 1)
        losses = tf.math.log(tf.exp(similar) + negatives) - similar  # (N, N)
        itself = tf.eye(tf.shape(domain)[0], dtype=tf.bool)
        positive = tf.cast(tf.logical_and(same, tf.logical_not(itself)), tf.float32)
        pairs = tf.maximum(tf.reduce_sum(positive), 1.0)
        return tf.reduce_sum(losses * positive) / pairs
