"""Weights of source impressions from the derivative of the companion's gain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

from models.cctl.derivative import ID_BUCKETS
from models.cctl.derivative import slopes
from models.cctl.look_ahead import Floats
from models.cctl.two_groups import group_probabilities
from models.cctl.two_groups import source_probabilities
from models.features.feature import DOMAIN_FEATURE
from models.features.feature import Feature
from models.features.id import SNAPSHOT_SPACES
from models.features.table import FeatureTable

# The part of the derivative that flows through all features but ids.
VALUES = "values"
# Standard errors by which the target's own slope must exceed zero before a part of the
# derivative counts.
MIN_Z_SCORE = 2.0
# Pseudo-counts of useful and useless groups: buckets of ids, and values of a feature,
# of which there are many (our choices).
_BUCKET_COUNTS, _VALUE_COUNTS = (9.0, 1.0), (49.0, 1.0)


def id_features(features: FeatureTable, most_values: int) -> list[Feature]:
    """Returns the features of single ids: of users, items and other large spaces."""
    return [
        feature
        for feature in features.features
        if feature.is_single_id
        and feature.name != DOMAIN_FEATURE
        and (
            feature.table in SNAPSHOT_SPACES
            or features.num_rows(feature.table) > most_values
        )
    ]


class GainWeights(keras.layers.Layer):
    """Information flow network: a table of weights for each feature.

    An impression's weight is the product, over the parts of the gain's derivative, of
    the probability that its group is useful; of the groups of its values, the least
    counts. The
    paper's network has hidden layers over the features; tables need no training of
    their own (our choice). The label is no input: weights chosen by the label would
    change the click rate that is learned.

    Args:
        sources: Number of sources, `K`.
        values: Few-valued features with the numbers of their table rows.
        ids: Names of the id features.
    """

    def __init__(
        self, sources: int, values: Mapping[str, int], ids: list[str], **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.values, self.ids = dict(values), list(ids)
        cells = {VALUES: 1, **self.values, **dict.fromkeys(ids, ID_BUCKETS + 1)}
        # `A`, `Q` and `V` by group and domain, the target last; a row per table row, as
        # a feature's table may grow.
        self.sums = {
            name: tf.Variable(
                tf.zeros([number, sources + 1, 3], tf.float64),
                trainable=False,
                name=f"{name}_sums",
            )
            for name, number in cells.items()
        }
        tables = {**self.values, **dict.fromkeys(ids, ID_BUCKETS)}
        self.tables = {
            name: tf.Variable(
                tf.ones([sources, number]), trainable=False, name=f"{name}_weights"
            )
            for name, number in tables.items()
        }
        # Relative slope and standard error of each source by part of the derivative
        # that counts; set by `refresh`.
        self.measured: dict[str, list[tuple[float, float]]] = {}

    def call(self, rows: Mapping[str, Any], source: Any) -> Any:
        """Returns the weights (B,) of source impressions, each in [0, 1].

        Args:
            rows: Encoded features by column.
            source: Index of each impression's source, int32 (B,).
        """
        weights = self.of_values(rows, source)
        for name in self.ids:
            weights *= self._looked_up(name, rows[name] % ID_BUCKETS, source)
        return weights

    def of_values(self, rows: Mapping[str, Any], source: Any) -> Any:
        """Returns the part of the weights that follows from all but ids, (B,)."""
        found = [self._looked_up(name, rows[name], source) for name in self.values]
        return tf.reduce_min(tf.stack([tf.ones(tf.shape(source)), *found]), axis=0)

    def _looked_up(self, name: str, cell: Any, source: Any) -> Any:
        place = tf.stack([source, tf.cast(cell, source.dtype)], axis=1)
        return tf.gather_nd(self.tables[name], place)

    def sums_of(self, name: str) -> Floats:
        """Returns the sums of a part or feature by domain and group, (K + 1, G, 3)."""
        found: Floats = self.sums[name].numpy().swapaxes(0, 1)
        return found

    def set_sums(self, name: str, sums: Floats) -> None:
        """Sets what `sums_of` returns."""
        self.sums[name].assign(sums.swapaxes(0, 1))

    def target_slopes(self) -> dict[str, tuple[float, float]]:
        """Returns the target's own slope and its standard error, by part."""
        found = {}
        for name in (VALUES, *self.ids):
            slope, square = slopes(self.sums_of(name)[-1, -1])
            found[name] = (float(slope), float(np.sqrt(square)))
        return found

    def refresh(self) -> None:
        """Sets the tables from the sums."""
        for table in self.tables.values():
            table.assign(tf.ones_like(table))
        self.measured = {}
        for name, (slope, error) in self.target_slopes().items():
            if not 0 < MIN_Z_SCORE * error < slope:
                continue
            sums = self.sums_of(name)[:-1]
            found, squares = _relative(sums[:, -1], slope)
            self.measured[name] = [
                (float(one), float(np.sqrt(square)))
                for one, square in zip(found, squares, strict=True)
            ]
            useful, expected = source_probabilities(found, squares)
            groups = self.values if name == VALUES else [name]
            counts = _VALUE_COUNTS if name == VALUES else _BUCKET_COUNTS
            for group in groups:
                table = self.tables[group]
                own = self.sums_of(group)[:-1, : table.shape[1]]
                of_group = group_probabilities(
                    *_relative(own, slope), expected, useful, counts
                )
                table.assign(useful[:, np.newaxis] * of_group)

    def named_variables(self) -> dict[str, Any]:
        """Returns the sums by name, e.g. `user_id/table`; weights follow."""
        return {f"{name}/table": variable for name, variable in self.sums.items()}


def _relative(sums: Floats, slope: float) -> tuple[Floats, Floats]:
    found, squares = slopes(sums)
    return found / slope, squares / slope**2
