"""Measurement of the gain's derivative: on the target once, then on source rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from models.cctl.derivative import Moments
from models.cctl.derivative import add_by_id
from models.cctl.derivative import sums_by_bucket
from models.cctl.derivative import sums_by_value
from models.cctl.gain_weights import VALUES
from models.cctl.gain_weights import GainWeights
from models.cctl.look_ahead import Floats
from models.cctl.look_ahead import IdLookAhead
from models.data.batches import Batch

# Sides whose values make pairs with the ids of a side.
_OTHER_SIDE: dict[str | None, str] = {"user": "item", "item": "user"}
# Weight by values from which an impression is asked about its ids.
_ASKED = 0.5


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
        self._before: dict[str, Floats] = {}
        self._target: dict[str, Floats] = {}
        self._moments: dict[str, Moments] = {}

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
        sources = len(self._before[VALUES]) - 1
        labels = target.labels.astype(np.float64)
        found = logits.astype(np.float64)
        probabilities = 1 / (1 + np.exp(-found))
        none = np.zeros(len(labels), np.int64)
        own = Moments(1, 1)
        own.add(none[held_out], none[held_out], labels[held_out], found[held_out])
        self._target = {VALUES: sums_by_value(own)[0, -1]}
        cells = {VALUES: 1, **self._weights.values}
        variance = np.array([np.mean(probabilities * (1 - probabilities))])
        for name, step in self._steps.items():
            changes = step.fit(target.rows, labels, probabilities)
            cells[name] = len(step.known)
            own = Moments(1, len(step.known))
            add_by_id(
                own,
                step.known,
                target.rows[name],
                none,
                labels - probabilities,
                changes,
            )
            self._target[name] = sums_by_bucket(own, step.known, variance)[0, -1]
        self._moments = {
            name: Moments(sources, number) for name, number in cells.items()
        }

    def add(
        self, batch: Batch, logits: npt.NDArray[np.float32], source: npt.NDArray[Any]
    ) -> None:
        """Adds source impressions that no tower has learned from.

        What is known of the values decides which impressions are asked about ids:
        useless ones would hide what the others say.

        Args:
            batch: The impressions.
            logits: Logits of the model of the target alone, without ids, (N,).
            source: Index of each impression's source, (N,).
        """
        labels, found = batch.labels.astype(np.float64), logits.astype(np.float64)
        for name in (VALUES, *self._weights.values):
            cell = np.zeros_like(source) if name == VALUES else batch.rows[name]
            self._moments[name].add(source, cell, labels, found)
        self._set_sums([VALUES, *self._weights.values])
        kept = self._weights.of_values(batch.rows, source).numpy() >= _ASKED
        rows = {name: values[kept] for name, values in batch.rows.items()}
        for name, step in self._steps.items():
            add_by_id(
                self._moments[name],
                step.known,
                rows[name],
                source[kept],
                labels[kept],
                step.changes(rows),
            )

    def refresh(self) -> None:
        """Sets the weights from all impressions that were added."""
        self._set_sums(list(self._weights.sums))

    def _set_sums(self, names: list[str]) -> None:
        for name in names:
            moments = self._moments[name]
            if name in self._steps:
                found = sums_by_bucket(moments, self._steps[name].known)
            else:
                found = sums_by_value(moments)
            sums = self._before[name].copy()
            sums[:-1] += found
            if name in self._target:
                sums[-1, -1] += self._target[name]
            self._weights.set_sums(name, sums)
        self._weights.refresh()
