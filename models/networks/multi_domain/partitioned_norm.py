"""Partitioned normalisation: BatchNorm with statistics of a single domain."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tf_keras as keras

# Memory of the running statistics in impressions (our choice): a batch with more
# impressions of the domain is normalised mostly by its own statistics, one with fewer
# mostly by earlier batches', as statistics of a few impressions are noise.
MEMORY_ROWS = 64


class ScaleShift(keras.layers.Layer):
    """Scale and shift that all domains share."""

    def build(self, input_shape: Any) -> None:
        """Creates `gamma` and `beta`, (U,)."""
        units = (input_shape[-1],)
        self.gamma = self.add_weight("gamma", units, initializer="ones")
        self.beta = self.add_weight("beta", units, initializer="zeros")
        super().build(input_shape)


class PartitionedNorm(keras.layers.Layer):
    """`gamma * gamma_k * (x - mean_k) / sqrt(variance_k + epsilon) + beta + beta_k`.

    The layer reads impressions of one domain k. In the paper a batch holds a single
    domain and the statistics are the batch's. Here batches are mixed, so running
    statistics are used, which a batch of n impressions moves by n / (n + MEMORY_ROWS)
    before they are applied; they stay unchanged for n = 0 (our choice).

    Args:
        shared: Scale and shift that all domains share.
        epsilon: Added to the variance; default of Keras's BatchNormalization.

    References:
        Sheng et al., STAR, CIKM'21, arXiv 2101.11427, partitioned normalization.
    """

    def __init__(
        self, shared: ScaleShift, epsilon: float = 0.001, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.shared = shared
        self.epsilon = epsilon

    def build(self, input_shape: Any) -> None:
        """Creates scale, shift and running statistics, (U,) each."""
        if not self.shared.built:
            self.shared.build(input_shape)
        units = (input_shape[-1],)
        self.gamma = self.add_weight("gamma", units, initializer="ones")
        self.beta = self.add_weight("beta", units, initializer="zeros")
        running = {
            "trainable": False,
            "synchronization": tf.VariableSynchronization.ON_READ,
            "aggregation": tf.VariableAggregation.MEAN,
        }
        self.moving_mean = self.add_weight(
            "moving_mean", units, initializer="zeros", **running
        )
        self.moving_variance = self.add_weight(
            "moving_variance", units, initializer="ones", **running
        )
        super().build(input_shape)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Normalises (n, U), n >= 0 impressions of the layer's domain."""
        mean, variance = self.moving_mean, self.moving_variance
        if training:
            mean, variance = self._moved(inputs)
            self.moving_mean.assign(tf.stop_gradient(mean))
            self.moving_variance.assign(tf.stop_gradient(variance))
        scale = self.shared.gamma * self.gamma * tf.math.rsqrt(variance + self.epsilon)
        return (inputs - mean) * scale + self.shared.beta + self.beta

    def _moved(self, inputs: Any) -> tuple[Any, Any]:
        rows = tf.cast(tf.shape(inputs)[0], inputs.dtype)
        rate = rows / (rows + MEMORY_ROWS)
        divisor = tf.maximum(rows, 1.0)
        mean = tf.convert_to_tensor(self.moving_mean)
        mean += rate * (tf.reduce_sum(inputs, axis=0) / divisor - mean)
        variance = tf.convert_to_tensor(self.moving_variance)
        squares = tf.reduce_sum((inputs - mean) ** 2, axis=0)
        return mean, variance + rate * (squares / divisor - variance)

    def named_variables(self) -> dict[str, Any]:
        """Returns the domain's own variables by name."""
        return {
            "gamma": self.gamma,
            "beta": self.beta,
            "moving_mean": self.moving_mean,
            "moving_variance": self.moving_variance,
        }
