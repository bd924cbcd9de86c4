"""Record of a CCTL training: weights, gains and distances of the towers."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from models.cctl.gain_weights import GainWeights
from models.cctl.readable import readable
from models.data.batches import Batch
from models.features.table import FeatureTable

# Number of impressions with the highest, and with the lowest, weights that are kept.
_EXTREMES = 10
# Below the first mean weight a source is hardly used, above the second nearly all of it
# is.
_NOTHING, _FULL = 0.1, 0.9
# Weight above which a group of impressions is useful.
_USEFUL = 0.5


class CctlRecord:
    """Collected measurements of one or more trainings.

    Args:
        sources: The source domains.

    Attributes:
        steps: Number of steps of all trainings.
        windows: For each window `step`, `gain` with its standard error `error` (None if
            not measured), `distance`, `undone` and the mean weights by source,
            `weights`.
        target_slopes: By part of the gain's derivative, the target's own slope and its
            standard error.
        measured: By source and part, the slope relative to the target's own and its
            standard error; only parts that count.
        source_rows: Number of source impressions read.
        source_passes: Largest number of passes over the source impressions of a
            training.
    """

    def __init__(self, sources: Sequence[str]) -> None:
        self._sources = tuple(sources)
        self.windows: list[dict[str, Any]] = []
        self.target_slopes: dict[str, tuple[float, float]] = {}
        self.measured: dict[str, dict[str, tuple[float, float]]] = {}
        self.steps = 0
        self.source_rows = self.source_passes = 0
        # Sum of weights and number of impressions, by source.
        self._all = np.zeros((2, len(self._sources)))
        self._window = np.zeros((2, len(self._sources)))
        self._highest: list[tuple[float, int, dict[str, Any]]] = []
        self._lowest: list[tuple[float, int, dict[str, Any]]] = []
        self._largest = dict.fromkeys(self._sources, 0.0)
        self._number = 0

    def add_rows(
        self,
        rows: Batch,
        source: npt.NDArray[np.int32],
        weights: npt.NDArray[np.float32],
    ) -> None:
        """Adds the weights of source impressions."""
        sums = np.stack(
            [
                np.bincount(source, values, len(self._sources))
                for values in (weights, np.ones_like(weights))
            ]
        )
        self._all += sums
        self._window += sums
        for name, largest in self._largest.items():
            own = weights[source == self._sources.index(name)]
            self._largest[name] = max(largest, float(own.max(initial=0.0)))
        if not len(weights):
            return
        few = min(_EXTREMES, len(weights))
        for index in np.argpartition(-weights, few - 1)[:few]:
            self._keep(self._highest, float(weights[index]), rows, index, source)
        for index in np.argpartition(weights, few - 1)[:few]:
            self._keep(self._lowest, -float(weights[index]), rows, index, source)

    def add_window(
        self,
        gain: tuple[float, float] | None,
        distance: float | None,
        *,
        undone: bool = False,
    ) -> None:
        """Adds a completed window, if it had impressions, and writes its scalars.

        Args:
            gain: The mean gain and its standard error, if measured.
            distance: Distance of the towers at its end.
            undone: Whether the mixed tower was reset to the pure one.
        """
        if not self._window[1].any():
            return
        weights, step = self._means(self._window), self.steps
        mean, error = gain or (None, None)
        self.windows.append(
            {
                "step": step,
                "gain": mean,
                "error": error,
                "distance": distance,
                "undone": undone,
                "weights": weights,
            }
        )
        if gain is not None:
            tf.summary.scalar("cctl/gain", gain[0], step=step)
            tf.summary.scalar("cctl/gain_error", gain[1], step=step)
        if distance is not None:
            tf.summary.scalar("cctl/tower_distance", distance, step=step)
        tf.summary.scalar("cctl/undone", float(undone), step=step)
        for name, weight in weights.items():
            tf.summary.scalar(f"cctl/weight/{name}", weight, step=step)
        self._window[:] = 0

    def add_measured(self, weights: GainWeights) -> None:
        """Adds the slopes behind the weights."""
        self.target_slopes = weights.target_slopes()
        self.measured = {
            name: {
                part: found[index]
                for part, found in weights.measured.items()
                if np.isfinite(found[index][1])
            }
            for index, name in enumerate(self._sources)
        }

    def mean_gain(self) -> tuple[float, float] | None:
        """Returns the mean gain of the windows and its standard error, if measured.

        Windows are weighted by their precision.
        """
        found = [(w["gain"], w["error"]) for w in self.windows if w["error"]]
        if not found:
            return None
        gains, errors = np.array(found).T
        precision = errors**-2.0
        mean = float(np.sum(precision * gains) / np.sum(precision))
        return mean, float(np.sum(precision) ** -0.5)

    def write_text(self) -> None:
        """Writes sentences and extreme impressions, as table rows, to TensorBoard."""
        texts = {"sources": "\n\n".join(self.words())}
        for name, kept in (("highest", self._highest), ("lowest", self._lowest)):
            rows = [row for _, _, row in sorted(kept, reverse=True)]
            lines = ["| weight | source | label | row |", "| --- | --- | --- | --- |"]
            lines += [
                f"| {r['weight']:.3f} | {r['source']} | {r['label']} | {r['rows']} |"
                for r in rows
            ]
            texts[f"rows_of_{name}_weight"] = "\n".join(lines)
        for name, text in texts.items():
            tf.summary.text(f"cctl/{name}", text, step=self.steps)

    def means(self) -> dict[str, float]:
        """Returns the mean weight of every source that was read."""
        return self._means(self._all)

    def words(self) -> list[str]:
        """Returns a sentence per source, and one about the windows."""
        means = self.means()
        said = [
            self._words_of(name, means[name])
            if name in means
            else f"{name}: none of its impressions was read"
            for name in self._sources
        ]
        gain = self.mean_gain()
        if gain is not None:
            undone = sum(window["undone"] for window in self.windows)
            said.append(
                f"The gain of a window is {gain[0]:+.4f} ± {gain[1]:.4f} in log loss; "
                f"{undone} of {len(self.windows)} windows were undone, as their gain "
                "was surely below zero"
            )
        return said

    def _words_of(self, name: str, mean: float) -> str:
        text = f"{name}: mean weight {mean:.2f}"
        parts = self.measured.get(name)
        if not parts:
            return f"{text}; not measured against the target's own model"
        listed = ", ".join(
            f"{part} {slope:.2f} ± {error:.2f}"
            for part, (slope, error) in parts.items()
        )
        text += f"; the gain's derivative, relative to the target's own: {listed}"
        if mean < _NOTHING and self._largest[name] > _USEFUL:
            text += (
                ". As a whole it is hardly used, but some of its impressions are: see "
                "those with the highest weights"
            )
        elif mean < _NOTHING:
            text += (
                f". Hardly anything of {name} is used: look for what is wrong with its "
                "labels or ids, or compare with a training that leaves it out"
            )
        elif mean > _FULL:
            text += ". Nearly all of it is used"
        return text

    def to_json(self, features: FeatureTable, vocabulary: Path) -> dict[str, Any]:
        """Returns the record for the trainer's report, see `TrainingRecord`."""
        return readable(self.numbers(), features, vocabulary)

    def numbers(self) -> dict[str, Any]:
        """Returns the record with table rows in place of raw ids."""
        return {
            "weights": self.means(),
            "rows": {
                name: int(count)
                for name, count in zip(self._sources, self._all[1], strict=True)
            },
            "target_slopes": {k: list(v) for k, v in self.target_slopes.items()},
            "measured": {
                name: {part: list(pair) for part, pair in parts.items()}
                for name, parts in self.measured.items()
            },
            "source_rows": self.source_rows,
            "source_passes": self.source_passes,
            "windows": self.windows,
            "highest": [row for _, _, row in sorted(self._highest, reverse=True)],
            "lowest": [row for _, _, row in sorted(self._lowest, reverse=True)],
            "words": self.words(),
        }

    def _means(self, sums: npt.NDArray[np.float64]) -> dict[str, float]:
        return {
            name: float(total / rows)
            for name, total, rows in zip(self._sources, *sums, strict=True)
            if rows
        }

    def _keep(
        self,
        kept: list[tuple[float, int, dict[str, Any]]],
        key: float,
        rows: Batch,
        index: int,
        source: npt.NDArray[np.int32],
    ) -> None:
        if len(kept) == _EXTREMES and key <= kept[0][0]:
            return
        self._number += 1
        row = {
            "source": self._sources[source[index]],
            "weight": abs(key),
            "label": int(rows.labels[index]),
            "day": int(rows.days[index]),
            "rows": {
                name: values[index].tolist() for name, values in rows.rows.items()
            },
        }
        entry = (key, self._number, row)
        if len(kept) < _EXTREMES:
            heapq.heappush(kept, entry)
        else:
            heapq.heapreplace(kept, entry)
