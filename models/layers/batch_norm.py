"""BatchNorm of the hidden layers: same variables and values as Keras, but faster."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tf_keras as keras


@keras.utils.register_keras_serializable("crossctr")
class BatchNorm(keras.layers.BatchNormalization):
    """Batch normalization of (B, C) with a training pass that is a third cheaper.

    Keras uses six reductions along the outer axis, which are slow on a CPU. Here the
    four sums over the batch, forward and backward, are matrix products with a vector of
    ones (our choice; mathematically the same).

    At inference, and in a SavedModel, every operation is that of the Keras layer.
    """

    def call(self, inputs: Any, training: bool = False, weights: Any = None) -> Any:
        """Normalises (B, C) over the batch, or by the running statistics.

        Args:
            inputs: Units, (B, C).
            training: Whether to normalise over the batch.
            weights: Weights of the rows in the batch's mean and variance, (B,), of a
                sum above 0; 1 by default.
        """
        if not training:
            return super().call(inputs, training=False)
        epsilon = tf.constant(self.epsilon, inputs.dtype)
        if weights is None:
            weights = tf.ones([tf.shape(inputs)[0]], inputs.dtype)
        outputs, mean, variance = _normalise(
            inputs, self.gamma, self.beta, epsilon, tf.stop_gradient(weights)
        )
        share = 1.0 - self.momentum
        self.moving_mean.assign_sub((self.moving_mean - mean) * share)
        self.moving_variance.assign_sub((self.moving_variance - variance) * share)
        return outputs


@tf.custom_gradient
def _normalise(inputs: Any, gamma: Any, beta: Any, epsilon: Any, weights: Any) -> Any:
    """Returns the normalised (B, C), and the batch's mean and variance, (C,)."""
    ones = tf.ones([1, tf.shape(inputs)[0]], inputs.dtype)
    total = tf.reduce_sum(weights)
    counts = weights[tf.newaxis, :]
    mean = counts @ inputs / total  # (1, B) @ (B, C) -> (1, C)
    centred = inputs - mean
    variance = counts @ (centred * centred) / total
    inverse = tf.math.rsqrt(variance + epsilon)

    def gradients(outer: Any, *_: Any) -> tuple[Any, Any, Any, None, None]:
        # No gradient flows through the statistics: they only feed the running averages.
        to_beta = ones @ outer
        to_gamma = ones @ (outer * centred) * inverse
        scale = gamma * inverse
        share = weights[:, tf.newaxis] / total  # (B, 1)
        to_inputs = scale * outer - share * (
            (scale * inverse * to_gamma) * centred + scale * to_beta
        )
        return to_inputs, tf.squeeze(to_gamma, 0), tf.squeeze(to_beta, 0), None, None

    outputs = centred * (gamma * inverse) + beta
    return (outputs, tf.squeeze(mean, 0), tf.squeeze(variance, 0)), gradients
