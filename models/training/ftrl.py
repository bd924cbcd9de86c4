"""FTRL optimizer of the wide part: its step costs the touched table rows."""

from __future__ import annotations

import functools
from typing import Any

import tensorflow as tf
import tf_keras as keras

from models.compat import ftrl_slots_of

# Keras's defaults of both: gradients accumulate from 0.1, and steps fall with the
# square root of their sum of squares.
INITIAL_ACCUMULATOR = 0.1
_POWER = -0.5


class SparseFtrl(keras.optimizers.Ftrl):
    """FTRL-Proximal with an L2 penalty, by TensorFlow's own sparse kernel.

    Keras's `Ftrl` computes on whole tables for a gradient of a few rows. The variables
    after a step are the same, except that rows without a gradient keep their values.

    Gradients must be those of *summed* losses: but for the accumulator, a weight is the
    minimum of the losses' sum, each linearised where it was met, plus `l2 * weight **
    2`. Means would let the penalty grow with the batch size.

    Args:
        learning_rate: Rate of the first steps. It must not change while training: a
            weight is computed from the sum of all earlier gradients, so that a lower
            rate would pull it to 0.
        l2: Penalty on the square of each weight; scikit-learn's `C` is `1 / (2 * l2)`.
            It is one penalty for all passes.

    References:
        McMahan et al., Ad Click Prediction: a View from the Trenches, KDD'13.
    """

    def __init__(self, learning_rate: float, l2: float) -> None:
        super().__init__(
            learning_rate,
            learning_rate_power=_POWER,
            initial_accumulator_value=INITIAL_ACCUMULATOR,
            l2_regularization_strength=l2,
            jit_compile=False,
        )

    def update_step(self, gradient: Any, variable: Any) -> None:
        """Updates a variable, of IndexedSlices only the rows they have."""
        accumulator, linear = ftrl_slots_of(self, variable)
        if isinstance(gradient, tf.IndexedSlices):
            apply = functools.partial(
                tf.raw_ops.ResourceSparseApplyFtrlV2,
                grad=gradient.values,
                indices=gradient.indices,
            )
        else:
            apply = functools.partial(tf.raw_ops.ResourceApplyFtrlV2, grad=gradient)
        apply(
            var=variable.handle,
            accum=accumulator.handle,
            linear=linear.handle,
            lr=tf.cast(self.learning_rate, variable.dtype),
            l1=0.0,
            l2=self.l2_regularization_strength,
            l2_shrinkage=0.0,
            lr_power=self.learning_rate_power,
        )

    def keep_weights(self, variables: list[Any]) -> None:
        """Sets the slots so that training continues from the variables' values.

        FTRL computes a weight from its slots alone. A weight that was copied without
        them, as by a warm start, would be forgotten at its first gradient.
        """
        rate = float(self.learning_rate.numpy())
        root = INITIAL_ACCUMULATOR**-_POWER
        slope = root / rate + 2.0 * self.l2_regularization_strength
        for variable in variables:
            accumulator, linear = ftrl_slots_of(self, variable)
            accumulator.assign(tf.fill(variable.shape, INITIAL_ACCUMULATOR))
            linear.assign(-slope * variable)
