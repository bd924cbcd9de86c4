"""Tower pair: makes the towers equal at the end of a window, touched rows only."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from models.cctl.network import CompanionNetwork
from models.compat import ftrl_slots_of
from models.layers.embedding_tables import own_table


class TowerPair:
    """The two towers of a companion network, with their optimizers.

    Args:
        network: The network; its towers are changed in place.
        mixed_optimizer: The mixed tower's optimizer, with its slots.
        pure_optimizer: The pure tower's optimizer, with its slots.
    """

    def __init__(
        self, network: CompanionNetwork, mixed_optimizer: Any, pure_optimizer: Any
    ) -> None:
        self._features = network.mixed.features.features
        self._mixed, self._pure = network.mixed, network.pure
        self._optimizers = (mixed_optimizer, pure_optimizer)
        self._touched: dict[str, list[Any]] = {}
        self._distance = tf.function(self._apart, autograph=False)

    def touch(self, *batches: Mapping[str, Any]) -> None:
        """Records the table rows of some batches, in which the towers may differ."""
        for feature in self._features:
            ids = [rows[feature.name].ravel() for rows in batches]
            for table in (feature.table, own_table(feature.table)):
                self._touched.setdefault(table, []).extend(ids)

    def sync(self, *, whole: bool = False, undo: bool = False) -> None:
        """Copies the mixed tower's variables, statistics and slots into the pure one.

        Of embedding tables and wide weights, only the rows touched since the last sync.

        Args:
            whole: Whether to copy all table rows.
            undo: Whether to copy the pure tower into the mixed one instead, which takes
                back what source impressions have taught since the last sync.
        """

        def ordered(pair: tuple[Any, Any]) -> tuple[Any, Any]:
            return (pair[1], pair[0]) if undo else pair

        for one, other in map(ordered, self._dense_pairs()):
            other.assign(one)
        rows = {
            table: tf.constant(np.unique(np.concatenate(ids)))
            for table, ids in self._touched.items()
        }
        for table, pairs in self._row_pairs():
            for one, other in map(ordered, pairs):
                if whole:
                    other.assign(one)
                elif table in rows:
                    own = rows[table]
                    other.scatter_update(tf.IndexedSlices(tf.gather(one, own), own))
        self._touched = {}

    def distance(self) -> float:
        """Returns the relative distance between the towers' dense weights."""
        return float(self._distance())

    def _apart(self) -> Any:
        mixed, pure = self._mixed.dense_variables, self._pure.dense_variables
        apart = [tf.reduce_sum((a - b) ** 2) for a, b in zip(mixed, pure, strict=True)]
        return tf.sqrt(tf.add_n(apart) / tf.add_n([tf.reduce_sum(a**2) for a in mixed]))

    def _dense_pairs(self) -> list[tuple[Any, Any]]:
        """Returns what is copied whole: variables and slots of both towers."""
        theirs = self._pure.named_variables()
        by_row = {pure.ref() for _, pairs in self._row_pairs() for _, pure in pairs}
        pairs = [
            (variable, theirs[name])
            for name, variable in self._mixed.named_variables().items()
            if theirs[name].ref() not in by_row
        ]
        mixed, pure = (
            optimizer.parts[1][0].variables for optimizer in self._optimizers
        )
        pairs += zip(mixed, pure, strict=True)
        mixed, pure = self._mixed.wide, self._pure.wide
        if mixed is not None and pure is not None:
            others = pure.number_variables()
            for name, variable in mixed.number_variables().items():
                pairs += self._wide_slots(variable, others[name])
        return pairs

    def _row_pairs(self) -> Iterator[tuple[str, list[tuple[Any, Any]]]]:
        """Yields what is copied by table row: a table, its variables and slots."""
        for table, mixed in self._mixed.embedding.tables.items():
            pure = self._pure.embedding.tables[table]
            of_mixed, of_pure = self._optimizers
            slots = of_mixed.accumulator(mixed), of_pure.accumulator(pure)
            yield table, [(mixed, pure), slots]
        mixed, pure = self._mixed.wide, self._pure.wide
        if mixed is not None and pure is not None:
            for feature in self._features:
                ours = mixed.weights_of_rows[feature.name]
                theirs = pure.weights_of_rows[feature.name]
                pairs = [(ours, theirs), *self._wide_slots(ours, theirs)]
                yield feature.table, pairs

    def _wide_slots(self, mixed: Any, pure: Any) -> list[tuple[Any, Any]]:
        """Returns FTRL's slots of a variable in both optimizers."""
        of_mixed, of_pure = self._optimizers
        slots = ftrl_slots_of(of_mixed.wide, mixed), ftrl_slots_of(of_pure.wide, pure)
        return list(zip(*slots, strict=True))
