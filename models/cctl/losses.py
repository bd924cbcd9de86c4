"""Losses of CCTL, and the gradient step that several optimizers take together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from models.training.optimizers import apply_means


def log_losses(labels: Any, logits: Any) -> Any:
    """Returns the log loss of each impression, (B,)."""
    return tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits)


def weighted_loss(labels: Any, logits: Any, weights: Any) -> Any:
    """Returns `sum(stop_gradient(weights) * log loss)`, a scalar.

    Without the stop-gradient all weights would converge to zero, where the loss is
    least.
    """
    return tf.reduce_sum(tf.stop_gradient(weights) * log_losses(labels, logits))


def take_step(
    loss_of: Callable[[], tuple[Any, ...]],
    *parts: tuple[Any, list[Any]],
    rows: Any = 1,
) -> tuple[Any, ...]:
    """Takes a step of each optimizer on its variables, by one backward pass.

    Args:
        loss_of: Returns the loss, and further values.
        parts: Optimizers with their variables.
        rows: Number of impressions that the loss is the mean of; read by optimizers of
            whole networks.

    Returns:
        The result of `loss_of`.
    """
    with tf.GradientTape() as tape:
        found = loss_of()
    gradients = tape.gradient(found[0], [variables for _, variables in parts])
    for (optimizer, variables), own in zip(parts, gradients, strict=True):
        apply_means(optimizer, own, variables, rows)
    return found
