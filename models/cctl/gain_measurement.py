"""Measurement of the gain's derivative: on the target once, then on source rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from models.cctl.derivative import CLUSTERS
from models.cctl.derivative import Moments
from models.cctl.derivative import add_by_id
from models.cctl.derivative import in_clusters
from models.cctl.derivative import slopes
from models.cctl.derivative import sums_by_bucket
from models.cctl.derivative import sums_by_value
from models.cctl.gain_weights import VALUES
from models.cctl.gain_weights import GainWeights
from models.cctl.look_ahead import Floats
from models.cctl.look_ahead import IdLookAhead
from models.cctl.look_ahead import Residuals
from models.cctl.look_ahead import calibrated
from models.data.batches import Batch

# Sides whose values make pairs with the ids of a side.
_OTHER_SIDE: dict[str | None, str] = {"user": "item", "item": "user"}
# Weight by values from which an impression is asked about its ids.
_ASKED = 0.5
# Least weight by values in the calibration of a source, which may have no other.
_LEAST_CALIBRATED = 1e-3


class GainMeasurement:
    """Sums of the gain's derivative, and the weights that follow from them.

    Args:
        weights: The layer of weights; its sums and tables are changed in place.
        sides: Side of each feature, as in `Feature.served_side`.
    """

    def __init__(self, weights: GainWeights, sides: Mapping[str, str | None]) -> None:
        self._weights = weights
        self._steps = {
            name: IdLookAhead(
                name,
                {
                    other: number
                    for other, number in weights.values.items()
                    if sides[other] and sides[other] == _OTHER_SIDE.get(sides[name])
                },
            )
            for name in weights.ids
        }
        self._own: Residuals | None = None
        self._before: dict[str, Floats] = {}
        self._target: dict[str, Floats] = {}
        # Factors of a source's changes through an id feature, see `_take_step`.
        self._scales: dict[str, Floats] = {}
        self._moments: dict[str, Moments] = {}
        self._clusters: dict[str, dict[str, Moments]] = {}

    @property
    def _sources(self) -> int:
        return len(self._before[VALUES]) - 1

    def begin(
        self,
        target: Batch,
        logits: npt.NDArray[np.float32],
        held_out: npt.NDArray[np.bool_],
    ) -> None:
        """Takes the look-ahead steps on the target, and measures its own slopes.

        Sums of an earlier training count half.

        Args:
            target: Impressions of the target.
            logits: Logits of the model of the target alone, without ids, (N,).
            held_out: Which impressions that model was not trained on, (N,).
        """
        names = self._weights.sums
        self._before = {name: self._weights.sums_of(name) / 2 for name in names}
        sources = self._sources
        labels = target.labels.astype(np.float64)
        found = logits.astype(np.float64)
        probabilities = 1 / (1 + np.exp(-found))
        domain = np.full(len(labels), sources)
        self._own = Residuals.of(target.rows, labels, probabilities, domain)
        own = Moments(1, 1)
        none = np.zeros(int(held_out.sum()), np.int64)
        own.add(none, none, labels[held_out], found[held_out])
        clusters = []
        for name in self._steps:
            clusters.append(Moments(1, CLUSTERS))
            cell = in_clusters(none, target.rows[name][held_out])
            clusters[-1].add(none, cell, labels[held_out], found[held_out])
        self._target = {VALUES: sums_by_value(own, clusters)[0, -1]}
        for name in self._steps:
            self._take_step(name, self._own)
        cells = {VALUES: 1, **self._weights.values}
        self._clusters = {
            name: {of: Moments(sources, number * CLUSTERS) for of in self._steps}
            for name, number in cells.items()
        }
        self._moments |= {
            name: Moments(sources, number) for name, number in cells.items()
        }

    def add(
        self, batch: Batch, logits: npt.NDArray[np.float32], source: npt.NDArray[Any]
    ) -> None:
        """Adds source impressions that no tower has learned from.

        Args:
            batch: The impressions.
            logits: Logits of the model of the target alone, without ids, (N,).
            source: Index of each impression's source, (N,).
        """
        labels, found = batch.labels.astype(np.float64), logits.astype(np.float64)
        for name in (VALUES, *self._weights.values):
            cell = np.zeros_like(source) if name == VALUES else batch.rows[name]
            self._moments[name].add(source, cell, labels, found)
            for of, moments in self._clusters[name].items():
                clustered = in_clusters(cell, batch.rows[of])
                moments.add(source, clustered, labels, found)
        self._set_sums([VALUES, *self._weights.values])
        self._add_ids(batch, source)

    def look_further(
        self, batch: Batch, logits: npt.NDArray[np.float32], source: npt.NDArray[Any]
    ) -> None:
        """Takes the steps on ids anew, from target and sources by their weights.

        Then measures the ids of the sources anew. A source alone learns from no other,
        for which nothing changes.

        Args:
            batch: All source impressions that were added.
            logits: Logits of the model of the target alone, without ids, (N,).
            source: Index of each impression's source, (N,).
        """
        if self._sources < 2 or self._own is None:
            return
        labels, found = batch.labels.astype(np.float64), logits.astype(np.float64)
        weights = self._weights(batch.rows, source).numpy().astype(np.float64)
        by = self._weights.of_values(batch.rows, source).numpy().astype(np.float64)
        probabilities = np.zeros(len(labels))
        for index in range(self._sources):
            theirs = source == index
            probabilities[theirs] = calibrated(
                found[theirs], labels[theirs], np.maximum(by[theirs], _LEAST_CALIBRATED)
            )
        rows = {name: batch.rows[name] for name in self._own.rows}
        of_sources = Residuals.of(rows, labels, probabilities, source, weights)
        for name in self._steps:
            self._take_step(name, self._own.joined(of_sources))
        self._add_ids(batch, source)

    def refresh(self) -> None:
        """Sets the weights from all impressions that were added."""
        self._set_sums(list(self._weights.sums))

    def _add_ids(self, batch: Batch, source: npt.NDArray[Any]) -> None:
        """Adds the ids of impressions.

        What is known of the values decides which impressions are asked: useless ones
        would hide what the others say.
        """
        labels = batch.labels.astype(np.float64)
        kept = self._weights.of_values(batch.rows, source).numpy() >= _ASKED
        rows = {name: values[kept] for name, values in batch.rows.items()}
        for name, step in self._steps.items():
            changes = self._scales[name][source[kept]]
            changes = changes * step.changes(rows, source[kept])
            add_by_id(
                self._moments[name],
                step.known,
                rows[name],
                source[kept],
                labels[kept],
                changes,
            )

    def _take_step(self, name: str, found: Residuals) -> None:
        """Takes the step on an id feature, and measures the target's own slope.

        The step that a source is held against leaves that source out, so it has other
        power for each; its changes are scaled so that the target's own slope through it
        is that through the whole step.
        """
        step, sources = self._steps[name], self._sources
        step.fit(found, sources + 1)
        self._target[name] = self._own_sums(name, None)
        self._moments[name] = Moments(sources, len(step.known))
        (whole,), _ = slopes(self._target[name][np.newaxis])
        self._scales[name] = np.ones(sources)
        for index in np.unique(found.domain[found.domain < sources]):
            (slope,), _ = slopes(self._own_sums(name, index)[np.newaxis])
            self._scales[name][index] = max(slope, 0.0) / whole if whole > 0 else 0.0

    def _own_sums(self, name: str, without: int | None) -> Floats:
        """Returns `A`, `Q` and `V` of the target through the step, without a source."""
        assert self._own is not None
        own, step = self._own, self._steps[name]
        moments = Moments(1, len(step.known))
        none = np.zeros(len(own.residuals), np.int64)
        changes = step.own_changes(own, without)
        add_by_id(moments, step.known, own.rows[name], none, own.residuals, changes)
        variance = np.array([np.mean(own.masses)])
        sums: Floats = sums_by_bucket(moments, step.known, variance)[0, -1]
        return sums

    def _set_sums(self, names: list[str]) -> None:
        for name in names:
            moments = self._moments[name]
            if name in self._steps:
                found = sums_by_bucket(moments, self._steps[name].known)
            else:
                found = sums_by_value(moments, list(self._clusters[name].values()))
            sums = self._before[name].copy()
            sums[:-1] += found
            if name in self._target:
                sums[-1, -1] += self._target[name]
            self._weights.set_sums(name, sums)
        self._weights.refresh()
