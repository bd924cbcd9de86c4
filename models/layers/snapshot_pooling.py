"""Pooling of TPM snapshots in E-CDCTR: M frozen vectors of an id become one.

The snapshot tables are constants, not Keras weights, so no optimizer, warm start or
checkpoint includes them. Only the few weights of `SnapshotPooling` are trained.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras as keras

from models.data.snapshots import SnapshotTables

# Added to the scores of missing periods: their softmax weight becomes exactly zero in
# float32, and an id without any period stays finite.
_MASKED_SCORE = -1e9
# Table rows pooled at once while folding; bounds memory.
FOLD_CHUNK_ROWS = 65_536


@keras.utils.register_keras_serializable("crossctr")
class SnapshotPooling(keras.layers.Layer):
    """Self-attention over M periods, then mean pooling over the present ones.

    With `H = [E_T[u]; E_{T-1}[u]; ...]` of shape (M, D):
    `pooled = mean_m softmax(H Wq (H Wk)^T / sqrt(D)) H Wv`.

    Self-attention and mean pooling are the paper's. Our choices: missing periods are
    masked, as keys and in the mean; an id missing from all periods gets one learned
    default vector; one head, no output projection; `Wv` starts as the identity, so that
    training starts from averaged TPM vectors; and an id's whole history is dropped at
    random, because TPM was trained on CPM's impressions: without dropout CPM overfits
    to what the snapshots remember of its labels, and the default vector is never
    trained.

    Args:
        width: Width `D` of the snapshots.
        pooling: `attention`, or `mean` for the ablation without attention.
        dropout: Share of examples treated as missing from all periods while training.

    Example:
        >>> pooling = SnapshotPooling(width=2, pooling="mean")
        >>> vectors = tf.constant([[[1.0, 2.0], [3.0, 4.0]]])
        >>> pooling(vectors, tf.constant([[True, False]])).numpy().tolist()
        [[1.0, 2.0]]

    References:
        Liu et al., E-CDCTR, arXiv 2408.16238, attention over historical embeddings.
    """

    def __init__(
        self,
        width: int,
        pooling: str = "attention",
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if pooling not in ("attention", "mean"):
            raise ValueError(
                f"`pooling` must be 'attention' or 'mean'. Received: {pooling!r}"
            )
        self.width = width
        self.pooling = pooling
        self.dropout = dropout

    def build(self, input_shape: Any) -> None:
        """Creates the projections and the default vector."""
        shape = (self.width, self.width)
        if self.pooling == "attention":
            self.query = self.add_weight("query", shape, initializer="glorot_uniform")
            self.key = self.add_weight("key", shape, initializer="glorot_uniform")
            self.value = self.add_weight("value", shape, initializer="identity")
        self.default = self.add_weight("default", (self.width,), initializer="zeros")
        super().build(input_shape)

    def call(self, vectors: Any, present: Any, training: bool = False) -> Any:
        """Pools the periods of each id.

        Args:
            vectors: Float tensor of shape (B, M, D).
            present: Bool tensor of shape (B, M); whether the period contains the id.
            training: Whether dropout applies.

        Returns:
            Float tensor of shape (B, D).
        """
        if vectors.shape[-1] != self.width:
            raise ValueError(
                f"snapshot vectors must have width {self.width}. "
                f"Received: shape {tuple(vectors.shape)}"
            )
        if training and self.dropout > 0:
            draws = tf.random.uniform([tf.shape(present)[0], 1])
            present = tf.logical_and(present, draws >= self.dropout)
        mask = tf.cast(present, vectors.dtype)  # (B, M)
        count = tf.reduce_sum(mask, axis=1, keepdims=True)  # (B, 1)
        share = mask / tf.maximum(count, 1.0)  # (B, M), the mean's weights
        if self.pooling == "attention":
            share = self._attended_share(vectors, mask, share)
        pooled = tf.einsum("bmd,bm->bd", vectors, share)
        if self.pooling == "attention":
            # Linear, so it commutes with the weighted sum over M: M times cheaper here.
            pooled = tf.matmul(pooled, self.value)
        return tf.where(count > 0, pooled, self.default)

    def _attended_share(self, vectors: Any, mask: Any, share: Any) -> Any:
        queries = tf.einsum("bmd,de->bme", vectors, self.query)
        keys = tf.einsum("bmd,de->bme", vectors, self.key)
        scores = tf.matmul(queries, keys, transpose_b=True) / self.width**0.5
        scores += ((1.0 - mask) * _MASKED_SCORE)[:, tf.newaxis, :]  # (B, M, M)
        weights = tf.nn.softmax(scores)  # (B, query m, key m)
        return tf.einsum("bmk,bm->bk", weights, share)  # mean over the queries

    def named_variables(self) -> dict[str, Any]:
        """Returns the variables by name."""
        names = ("query", "key", "value") if self.pooling == "attention" else ()
        return {name: getattr(self, name) for name in (*names, "default")}

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "width": self.width,
            "pooling": self.pooling,
            "dropout": self.dropout,
        }


class SnapshotLookup:
    """Lookup of an id's vectors in all M periods; the tables are constants.

    Args:
        tables: The aligned snapshots of one id space.
    """

    def __init__(self, tables: SnapshotTables) -> None:
        self._vectors = tf.constant(tables.vectors)
        self._present = tf.constant(tables.present)
        self._days = tf.constant(tables.days, tf.int64)

    @property
    def num_rows(self) -> int:
        """Number of table rows."""
        return int(self._vectors.shape[0])

    @property
    def width(self) -> int:
        """Width `D` of the snapshots."""
        return int(self._vectors.shape[-1])

    def __call__(self, rows: Any, days: Any = None) -> tuple[Any, Any]:
        """Returns vectors (B, M, D) and presence (B, M) of table rows (B,).

        Args:
            rows: Table rows, shape (B,).
            days: Days of the impressions, int64 of shape (B,). A period with
                impressions of that day or later counts as missing. None hides nothing.
        """
        present = tf.gather(self._present, rows)
        if days is not None:
            present &= days[:, tf.newaxis] >= self._days
        return tf.gather(self._vectors, rows), present


def fold(
    pooling: SnapshotPooling, lookup: SnapshotLookup, chunk_rows: int = FOLD_CHUNK_ROWS
) -> npt.NDArray[np.float32]:
    """Pools every table row once, for serving, when the pooling's weights are final.

    Args:
        pooling: The trained layer.
        lookup: The snapshots it was trained on.
        chunk_rows: Table rows pooled at once.

    Returns:
        One table of shape (table rows, D), whose lookup replaces M lookups and the
        attention.

    References:
        Liu et al., E-CDCTR, arXiv 2408.16238: aggregation before serving "to reduce
        latency".
    """
    folded = np.empty((lookup.num_rows, lookup.width), np.float32)
    for start in range(0, lookup.num_rows, chunk_rows):
        stop = min(start + chunk_rows, lookup.num_rows)
        folded[start:stop] = pooling(*lookup(tf.range(start, stop)))
    return folded


class FoldedLookup(tf.Module):
    """Lookup in a folded table.

    Args:
        table: Result of `fold`, shape (table rows, D).
    """

    def __init__(self, table: npt.NDArray[np.float32]) -> None:
        super().__init__(name="folded")
        self.table = tf.Variable(table, trainable=False, name="snapshot")

    def __call__(self, rows: Any) -> Any:
        """Returns the pooled vectors (B, D) of the table rows `rows` (B,)."""
        return tf.gather(self.table, rows)
