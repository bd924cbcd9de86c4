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

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Normalises (B, C) over the batch, or by the running statistics."""
        if not training:
            return super().call(inputs, training=False)
        epsilon = tf.constant(self.epsilon, inputs.dtype)
        outputs, mean, variance = _normalise(inputs, self.gamma, self.beta, epsilon)
        share = 1.0 - self.momentum
        self.moving_mean.assign_sub((self.moving_mean - mean) * share)
        self.moving_variance.assign_sub((self.moving_variance - variance) * share)
        return outputs


@tf.custom_gradient
def _normalise(inputs: Any, gamma: Any, beta: Any, epsilon: Any) -> Any:
    """Returns the normalised (B, C), and the batch's mean and variance, (C,)."""
    num_rows = tf.cast(tf.shape(inputs)[0], inputs.dtype)
    ones = tf.ones([1, tf.shape(inputs)[0]], inputs.dtype)
    mean = ones @ inputs / num_rows  # (1, B) @ (B, C) -> (1, C)
    centred = inputs - mean
    variance = ones @ (centred * centred) / num_rows
    inverse = tf.math.rsqrt(variance + epsilon)

    def gradients(outer: Any, *_: Any) -> tuple[Any, Any, Any, None]:
        # No gradient flows through the statistics: they only feed the running averages.
        to_beta = ones @ outer
        to_gamma = ones @ (outer * centred) * inverse
        scale = gamma * inverse
        to_inputs = (
            scale * outer
            - (scale * inverse * to_gamma / num_rows) * centred
            - scale * to_beta / num_rows
        )
        return to_inputs, tf.squeeze(to_gamma, 0), tf.squeeze(to_beta, 0), None

    outputs = centred * (gamma * inverse) + beta
    return (outputs, tf.squeeze(mean, 0), tf.squeeze(variance, 0)), gradients
