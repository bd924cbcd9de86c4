"""Traced training and evaluation steps."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from models.data.batches import batch_signature
from models.features.table import FeatureTable
from models.networks.network import Network
from models.training.optimizers import apply_means

# Number of batches per call from Python. A call costs about half a millisecond, a tenth
# of a step with batch size 1024.
SPAN = 16
# At this mean log loss the labels have a probability of e^-20: the weights have
# diverged, although all values are still finite (our choice).
EXPLODED = 20.0


def make_train_span(
    network: Network,
    optimizer: Any,
    batch_size: int,
    strategy: Any = None,
    features: FeatureTable | None = None,
) -> Callable[..., Any]:
    """Returns the compiled training step over a span, `(rows, labels) -> losses`.

    Args:
        network: The network.
        optimizer: Result of `build_optimizer`.
        batch_size: Batch size of all workers together.
        strategy: Distribution strategy; defaults to the current one.
        features: Features of a batch; defaults to the network's.
    """
    step = step_of(network, optimizer, strategy or tf.distribute.get_strategy())
    return make_span(step, features or network.features, batch_size)


def make_span(
    step: Callable[..., Any],
    features: FeatureTable,
    batch_size: int,
    beside: float = 0.0,
) -> Callable[..., Any]:
    """Returns the compiled loop that applies `step` to each batch of a span.

    The loop splits the span like `split_sizes` and stops after a batch whose loss is
    not finite or has exploded, so that the losses end with that batch. The check is one
    scalar comparison per batch.

    Args:
        step: Maps `(rows, labels)` of a batch, `rows` being table rows by feature, to
            its loss; with `beside`, maps `(rows, labels, rows_beside, labels_beside)`
            to the loss and one number per impression of the second stream.
        features: All features.
        batch_size: Impressions of a batch.
        beside: Impressions of a second stream per impression of the first; a batch of
            impressions `a` to `b` has `round(beside * a)` to `round(beside * b)` of the
            second stream.

    Returns:
        The loop over `(rows, labels)` or `(rows, labels, rows_beside, labels_beside)`;
        it returns the losses, (batches,), and with `beside` the numbers for the
        impressions of the second stream that were trained on.
    """
    rows_spec, labels_spec, _ = batch_signature(features)
    # Only the loop below needs autograph, which would take ten seconds for the layers.
    step = tf.autograph.experimental.do_not_convert(step)

    def span(rows: Mapping[str, Any], labels: Any, *stream: Any) -> Any:
        num_rows = tf.shape(labels)[0]
        # A remainder of less than half a batch is added to the last full batch.
        num_batches = tf.maximum((2 * num_rows + batch_size) // (2 * batch_size), 1)
        losses = tf.TensorArray(tf.float32, num_batches, element_shape=[])
        numbers = tf.zeros([0])
        index, healthy = tf.constant(0), tf.constant(True)
        while healthy and index < num_batches:
            tf.autograph.experimental.set_loop_options(
                shape_invariants=[(numbers, tf.TensorShape([None]))]
            )
            start = index * batch_size
            stop = start + batch_size if index + 1 < num_batches else num_rows
            batch = _cut((rows, labels), start, stop)
            if beside:
                first, last = _rows_beside(start, beside), _rows_beside(stop, beside)
                loss, of_row = step(*batch, *_cut(stream, first, last))
                numbers = tf.concat([numbers, of_row], axis=0)
            else:
                loss = step(*batch)
            losses = losses.write(index, loss)
            index += 1
            healthy = loss < EXPLODED  # False for NaN, too.
        done = losses.stack()[:index]
        return (done, numbers) if beside else done

    signature = (rows_spec, labels_spec) * (2 if beside else 1)
    compiled: Callable[..., Any] = tf.function(span, input_signature=signature)
    return compiled


def _rows_beside(num_rows: Any, ratio: float) -> Any:
    """Returns the same number as `models.data.mixing.rows_beside`."""
    return tf.cast(tf.round(tf.cast(num_rows, tf.float64) * ratio), tf.int32)


def _cut(values: Any, start: Any, stop: Any) -> Any:
    return tf.nest.map_structure(lambda value: value[start:stop], values)


def make_evaluation_step(network: Network) -> Callable[..., Any]:
    """Returns the compiled evaluation `(rows, labels) -> summed log loss`."""
    rows_spec, labels_spec, _ = batch_signature(network.features)

    @tf.function(input_signature=(rows_spec, labels_spec), autograph=False)
    def evaluation_step(rows: Any, labels: Any) -> Any:
        logits = network(rows, training=False)
        return tf.reduce_sum(
            tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits)
        )

    step: Callable[..., Any] = evaluation_step
    return step


def step_of(network: Network, optimizer: Any, strategy: Any) -> Callable[..., Any]:
    """Returns the uncompiled optimizer step `(rows, labels) -> mean log loss`.

    Args:
        network: The network.
        optimizer: Result of `build_optimizer`; gradients of embedding tables are
            IndexedSlices.
        strategy: Distribution strategy, whose workers share a batch.
    """
    variables = network.trainable_variables
    workers = strategy.num_replicas_in_sync

    def replica_step(rows: Any, labels: Any) -> Any:
        size = tf.cast(tf.shape(labels)[0], tf.float32)
        if workers > 1:
            rank = tf.distribute.get_replica_context().replica_id_in_sync_group
            rows = {name: values[rank::workers] for name, values in rows.items()}
            labels = labels[rank::workers]
        with tf.GradientTape() as tape:
            logits = network(rows, training=True)
            losses = tf.nn.sigmoid_cross_entropy_with_logits(
                labels=labels, logits=logits
            )
            # Divided by the batch size of all workers, as gradients are summed over
            # workers.
            loss = tf.reduce_sum(losses) / size
        gradients = tape.gradient(loss, variables)
        apply_means(optimizer, gradients, variables, size)
        return loss

    def step(rows: Any, labels: Any) -> Any:
        if workers == 1:
            return replica_step(rows, labels)
        losses = strategy.run(replica_step, args=(rows, labels))
        return strategy.reduce(tf.distribute.ReduceOp.SUM, losses, axis=None)

    return step
