"""Tower pair: re-syncs the pure tower with the mixed one, touched rows only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from models.cctl.network import CompanionNetwork
from models.compat import accumulator_of


class TowerPair:
    """The two towers of a companion network, with their optimizers.

    Args:
        network: The network; its pure tower is changed in place.
        mixed_optimizer: The mixed tower's optimizer.
        pure_optimizer: The pure tower's optimizer; its slots are changed in place.
    """

    def __init__(
        self, network: CompanionNetwork, mixed_optimizer: Any, pure_optimizer: Any
    ) -> None:
        self._features = network.features.features
        self._mixed, self._pure = network.mixed, network.pure
        self._tables = [
            optimizer.optimizers[0] for optimizer in (mixed_optimizer, pure_optimizer)
        ]
        self._dense = [
            optimizer.optimizers[1] for optimizer in (mixed_optimizer, pure_optimizer)
        ]
        self._touched: dict[str, list[Any]] = {}
        self._distance = tf.function(self._apart, autograph=False)

    def touch(self, *batches: Mapping[str, Any]) -> None:
        """Records the table rows of some batches, in which the towers may differ."""
        for feature in self._features:
            ids = [rows[feature.name].ravel() for rows in batches]
            self._touched.setdefault(feature.table, []).extend(ids)

    def sync(self, *, whole: bool = False) -> None:
        """Copies the mixed tower's variables, statistics and slots into the pure one.

        Of embedding tables, only the rows touched since the last sync.

        Args:
            whole: Whether to copy all table rows.
        """
        for mixed, pure in self._dense_pairs():
            pure.assign(mixed)
        for name, mixed in self._mixed.embedding.tables.items():
            pure = self._pure.embedding.tables[name]
            ids = self._touched.get(name)
            for source, copy in ((mixed, pure), self._accumulators(mixed, pure)):
                if whole:
                    copy.assign(source)
                elif ids:
                    rows = tf.constant(np.unique(np.concatenate(ids)))
                    copy.scatter_update(tf.IndexedSlices(tf.gather(source, rows), rows))
        self._touched = {}

    def distance(self) -> float:
        """Returns the relative distance between the towers' dense weights."""
        return float(self._distance())

    def _apart(self) -> Any:
        mixed, pure = self._mixed.dense_variables, self._pure.dense_variables
        apart = [tf.reduce_sum((a - b) ** 2) for a, b in zip(mixed, pure, strict=True)]
        return tf.sqrt(tf.add_n(apart) / tf.add_n([tf.reduce_sum(a**2) for a in mixed]))

    def _dense_pairs(self) -> list[tuple[Any, Any]]:
        theirs = self._pure.named_variables()
        pairs = [
            (variable, theirs[name])
            for name, variable in self._mixed.named_variables().items()
            if not name.startswith("embedding/")
        ]
        mixed, pure = (optimizer.variables for optimizer in self._dense)
        return pairs + list(zip(mixed, pure, strict=True))

    def _accumulators(self, mixed: Any, pure: Any) -> tuple[Any, Any]:
        """Returns the accumulators of a table in both optimizers."""
        of_mixed, of_pure = self._tables
        return accumulator_of(of_mixed, mixed), accumulator_of(of_pure, pure)
