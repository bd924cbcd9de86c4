"""Semantic alignment: source fields enter the slots of the target's fields."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tf_keras as keras

from models.features.table import FeatureTable
from models.layers.embedding_tables import EmbeddingTables
from models.layers.embedding_tables import side_by_side
from models.layers.number_inputs import NumberInputs


class SourceTables(EmbeddingTables):
    """Embedding tables of features that only sources have."""

    # Vectors of about unit length at width 8: nothing of them enters a slot before the
    # maps have moved from zero, and these learn in proportion to what they map.
    ID_STDDEV = VALUE_STDDEV = 0.35


class Alignment(keras.layers.Layer):
    """Maps of source fields into the target's slots, zero at the start.

    For an impression of source s, the slot of target field f holds `e_f + sum_g A_sfg
    e_g`, g over the fields that only sources have, with tables (and values of numbers)
    of their own. A field of another code book, declared as a feature of its own, thus
    finds its meaning in the target's slots, which a map on a shared table cannot give
    it. Fields that the target has, too, are not mapped: their meaning is shared, and
    such maps lose what the source teaches it (our choice, measured: docs/decisions.md).
    Without fields that only sources have there are no maps.

    The layer also has a logit shift per source, initialised by the difference of the
    click rates, so that the network need not learn that sources are clicked more often.
    Maps and shift are our choices: a summary of the paper mentions semantic alignment
    without giving its form.

    Args:
        sources: The source domains.
        slots: Width of each slot, by target field, in order.
        only: The features that only sources have; None without any.
        width: Embedding width of features that declare none.
        maps: Whether there are maps; False leaves the shift alone.
    """

    def __init__(
        self,
        sources: Sequence[str],
        slots: Mapping[str, int],
        only: FeatureTable | None,
        width: int,
        *,
        maps: bool,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sources = tuple(sources)
        self.slots = dict(slots)
        self.shift = self.add_weight("shift", (len(self.sources),), initializer="zeros")
        self.tables: SourceTables | None = None
        self.numbers: NumberInputs | None = None
        self.maps: Any = None
        if maps and only is not None:
            self.tables = SourceTables(only, width, name="source_tables")
            self.numbers = NumberInputs(only, width, name="source_numbers")

    def call(
        self, fields: Mapping[str, Any], rows: Mapping[str, Any], source: Any
    ) -> dict[str, Any]:
        """Adds the mapped source fields to the slots of source impressions.

        Args:
            fields: Vectors (B, D) by target field.
            rows: Encoded features by column, those that only sources have among them.
            source: Index of each impression's source, int32 (B,); the number of sources
                for the target's impressions, which are left unchanged.

        Returns:
            Vectors (B, D) by target field.
        """
        if self.tables is None or self.numbers is None:
            return dict(fields)
        joined = tf.concat([fields[name] for name in self.slots], axis=1)  # (B, F * D)
        parts = [*self.tables(rows).values(), *self.numbers(rows)]
        inputs = side_by_side(parts)  # (B, G)
        if self.maps is None:
            shape = (len(self.sources), inputs.shape[1], joined.shape[1])
            self.maps = self.add_weight("maps", shape, initializer="zeros")
        positions = tf.dynamic_partition(
            tf.range(tf.shape(source)[0]), source, len(self.sources) + 1
        )
        for index, own in enumerate(positions[:-1]):
            mapped = tf.gather(inputs, own) @ self.maps[index]  # (n, F * D)
            joined = tf.tensor_scatter_nd_add(joined, own[:, tf.newaxis], mapped)
        slots = tf.split(joined, list(self.slots.values()), axis=1)
        return dict(zip(self.slots, slots, strict=True))

    @property
    def embedding_variables(self) -> list[Any]:
        """The tables of features that only sources have."""
        return [] if self.tables is None else list(self.tables.tables.values())

    @property
    def dense_variables(self) -> list[Any]:
        """The maps, the shifts, and projections of vectors that only sources have."""
        maps = [] if self.maps is None else [self.maps]
        projections = [] if self.numbers is None else self.numbers.trainable_variables
        return [*maps, self.shift, *projections]

    def named_variables(self) -> dict[str, Any]:
        """Returns the variables by name, e.g. `maps`, `shift`, `u_group/table`."""
        named = {"shift": self.shift}
        if self.maps is not None:
            named["maps"] = self.maps
        if self.tables is not None:
            for name, table in self.tables.tables.items():
                named[f"{name}/table"] = table
        if self.numbers is not None:
            named |= self.numbers.named_variables()
        return named
