"""Exact BatchNorm statistics, computed after training."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from models.data.batches import ExampleReader
from models.data.batches import batch_signature
from models.data.mixing import MixedRows
from models.layers.mlp import NormalisedStack
from models.networks.network import Network

# Number of impressions for the statistics: a mean of 2^18 values is off by 0.2 % of a
# standard deviation, and the time is bounded for any window.
MAX_ROWS = 262_144
_BATCH_ROWS = 4_096


def count_statistics(
    network: Network,
    reader: ExampleReader | MixedRows,
    *,
    seed: int,
    max_rows: int = MAX_ROWS,
) -> None:
    """Replaces the running mean and variance of every BatchNorm layer by exact ones.

    Running averages describe a network that was still changing, with dropout. After an
    epoch of a few dozen steps they fit neither the final weights nor inference (our
    choice). Impressions count by `Network.statistics_weights`. Layers are processed
    first to last, each with the exact statistics of those before it. A layer that reads
    only one domain keeps its statistics if the domain has no impressions.

    Args:
        network: The trained network; its running statistics are changed in place.
        reader: The impressions it was trained on, in the same mixture.
        seed: Seed of the sample, if there are more than `max_rows` impressions.
        max_rows: Smallest sample of a larger window.
    """
    for stage in network.stages:
        for index in range(max(len(stack.norms) for stack in stage)):
            stacks = [stack for stack in stage if index < len(stack.norms)]
            moments = _moments(network, stacks, index, reader, seed, max_rows)
            for stack, (count, mean, variance) in zip(stacks, moments, strict=True):
                if count:
                    stack.norms[index].moving_mean.assign(mean)
                    stack.norms[index].moving_variance.assign(variance)


def _moments(
    network: Network,
    stacks: Sequence[NormalisedStack],
    index: int,
    reader: ExampleReader | MixedRows,
    seed: int,
    max_rows: int,
) -> list[tuple[float, Any, Any]]:
    """Returns count, mean and variance of the input of norm `index` of each stack."""
    rows_spec, _, _ = batch_signature(network.features)

    @tf.function(input_signature=(rows_spec,), autograph=False)
    def sums(rows: Any) -> Any:
        with contextlib.ExitStack() as watched:
            inputs = [watched.enter_context(stack.watching()) for stack in stacks]
            network(rows, training=False)
        weights = network.statistics_weights(rows)
        found = []
        for read in inputs:
            values = tf.cast(read[index], tf.float64)  # (B, units)
            # A layer that reads some of the impressions reads one domain's.
            times = tf.ones([tf.shape(values)[0], 1], tf.float64)
            if weights is not None:
                times *= tf.cast(weights, tf.float64)[:, tf.newaxis]
            total = tf.reduce_sum(times * values, 0)
            squares = tf.reduce_sum(times * values**2, 0)
            found.append((tf.reduce_sum(times), total, squares))
        return found

    totals: list[tuple[Any, Any, Any]] = [(0, 0.0, 0.0)] * len(stacks)
    num_read = 0
    for batch in reader.batches(
        batch_size=_BATCH_ROWS, shuffle_rows=4 * _BATCH_ROWS, seed=seed
    ):
        totals = [
            tuple(total + more.numpy() for total, more in zip(old, new, strict=True))
            for old, new in zip(totals, sums(batch.rows), strict=True)
        ]
        num_read += len(batch.labels)
        if num_read >= max_rows:
            break
    return [_moments_of(*sums_of_one) for sums_of_one in totals]


def _moments_of(count: float, total: Any, squares: Any) -> tuple[float, Any, Any]:
    # A sum of weights, which may be small.
    safe = count or 1.0
    mean = total / safe
    # Rounding can make the variance of a constant unit slightly negative.
    return count, mean, np.maximum(squares / safe - mean**2, 0.0)
