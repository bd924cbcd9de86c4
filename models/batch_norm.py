"""Exact statistics for batch normalisation, counted once training is over."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from models.batches import ExampleReader
from models.batches import batch_signature
from models.layers.mlp import Mlp
from models.network import Network

# Rows that the statistics are counted on: a mean of 2^18 rows is off by 0.2 % of a
# standard deviation, and the time is bounded however long the window is.
MAX_ROWS = 262_144
_BATCH_ROWS = 4_096


def count_statistics(
    network: Network, reader: ExampleReader, *, seed: int, max_rows: int = MAX_ROWS
) -> None:
    """Replaces the running mean and variance of every BatchNorm layer by counted ones.

    Running averages describe the network that they were taken from: one that was still
    changing, with dropout. After an epoch of a few dozen steps they belong neither to
    the final weights nor to the way it is served (our choice). The layers are
    counted first to last, each with the counted statistics of those before it.

    Args:
        network: The trained network; its running statistics are changed in place.
        reader: The rows it was trained on.
        seed: Chooses the rows, if there are more than `max_rows`.
        max_rows: Rows to count on, at least.
    """
    for mlp in network.mlps:
        for index, norm in enumerate(mlp.norms):
            mean, variance = _moments(network, mlp, index, reader, seed, max_rows)
            norm.moving_mean.assign(mean)
            norm.moving_variance.assign(variance)


def _moments(
    network: Network,
    mlp: Mlp,
    index: int,
    reader: ExampleReader,
    seed: int,
    max_rows: int,
) -> tuple[Any, Any]:
    """Returns mean and variance of what the layer's BatchNorm number `index` reads."""
    rows_spec, _, _ = batch_signature(network.features)

    @tf.function(input_signature=(rows_spec,))
    def sums(rows: Any) -> Any:
        with mlp.watching() as inputs:
            network(rows, training=False)
        values = tf.cast(inputs[index], tf.float64)  # (B, units)
        return tf.reduce_sum(values, axis=0), tf.reduce_sum(values**2, axis=0)

    count, total, squares = 0, 0.0, 0.0
    for batch in reader.batches(
        batch_size=_BATCH_ROWS, shuffle_rows=4 * _BATCH_ROWS, seed=seed
    ):
        batch_total, batch_squares = sums(batch.rows)
        total, squares = total + batch_total.numpy(), squares + batch_squares.numpy()
        count += len(batch.labels)
        if count >= max_rows:
            break
    mean = total / count
    # Rounding may leave a constant unit just below zero.
    return mean, np.maximum(squares / count - mean**2, 0.0)
