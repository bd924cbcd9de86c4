"""Raw values as dense tensors, in operations that TensorFlow Transform knows."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft


def first_values(raw: tf.SparseTensor, missing: Any) -> tf.Tensor:
    """Returns the first value of each impression, or `missing`: (B,).

    Args:
        raw: Shape (B, any).
        missing: Value for impressions without one.
    """
    return tf.squeeze(first_lists(raw, 1, missing), axis=1)


def first_lists(raw: tf.SparseTensor, length: int, missing: Any) -> tf.Tensor:
    """Returns the first `length` values of each impression: (B, length).

    Args:
        raw: Shape (B, any).
        length: Number of values.
        missing: Value that shorter lists end with.
    """
    kept = tf.sparse.slice(raw, [0, 0], [raw.dense_shape[0], length])
    return tft.sparse_tensor_to_dense_with_shape(kept, [None, length], missing)


def vectors(raw: tf.SparseTensor, length: int) -> tf.Tensor:
    """Returns vectors (B, length), with NaN in those of another length.

    Args:
        raw: Floats of shape (B, any).
        length: Number of elements.
    """
    ones = tf.SparseTensor(raw.indices, tf.ones_like(raw.values), raw.dense_shape)
    # What stands beyond the length does not matter, not even if it is NaN.
    fits = first_lists(ones, length + 1, 0)[:, length:] == 0  # (B, 1)
    return tf.where(fits, first_lists(raw, length, math.nan), math.nan)
