"""Record of a CCTL training: weights, gains and distances of the towers."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from models.cctl.readable import readable
from models.data.batches import Batch
from models.features.table import FeatureTable

# Number of impressions with the highest, and with the lowest, weights that are kept.
_EXTREMES = 10
# Below the first relative agreement a source is hardly used, above the second nearly
# all of it is. Neither measures a source's value: users or items unknown to the target
# cannot agree.
_NOTHING, _FULL = 0.15, 0.7
# Weight above which a group of impressions is useful.
_USEFUL = 0.5


class CctlRecord:
    """Collected measurements of one or more trainings.

    Args:
        sources: The source domains.

    Attributes:
        steps: Number of steps of all trainings.
        windows: For each window `step`, `gain` and `distance` (None if not measured),
            `trust` and the mean weights by source, `weights`.
        target_slope: Agreement of the reference with held-out target impressions, and
            its standard error.
        agreement: The same for each source, relative to `target_slope`.
        measured: Whether the reference was reliable enough to derive weights.
        trust: Final shift of the weights' log-odds.
        keep: Probability of keeping each source, with `estimator: companion`.
        source_rows: Number of source impressions read.
        source_passes: Largest number of passes over the source impressions of a
            training.
    """

    def __init__(self, sources: Sequence[str]) -> None:
        self._sources = tuple(sources)
        self.windows: list[dict[str, Any]] = []
        self.target_slope = (0.0, 0.0)
        self.agreement: dict[str, tuple[float, float]] = {}
        self.measured = False
        self.trust = 0.0
        self.keep: dict[str, float] = {}
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
        self, gain: float | None, distance: float | None, trust: float
    ) -> None:
        """Adds a completed window, if it had impressions, and writes its scalars."""
        if not self._window[1].any():
            return
        weights, step = self._means(self._window), self.steps
        self.windows.append(
            {
                "step": step,
                "gain": gain,
                "distance": distance,
                "trust": trust,
                "weights": weights,
            }
        )
        if gain is not None:
            tf.summary.scalar("cctl/gain", gain, step=step)
        if distance is not None:
            tf.summary.scalar("cctl/tower_distance", distance, step=step)
        tf.summary.scalar("cctl/trust", trust, step=step)
        for name, weight in weights.items():
            tf.summary.scalar(f"cctl/weight/{name}", weight, step=step)
        self._window[:] = 0

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
        """Returns a sentence per source about its weights and agreement."""
        said = []
        means = self.means()
        for name in self._sources:
            if name not in means:
                said.append(f"{name}: none of its impressions was read")
                continue
            start = f"{name}: mean weight {means[name]:.2f}"
            if name in self.keep:
                said.append(f"{start}; the gains keep {self.keep[name]:.0%} of it")
                continue
            if not self.measured or name not in self.agreement:
                said.append(f"{start}; not measured against the target's own model")
                continue
            ratio, error = self.agreement[name]
            text = (
                f"{start}; its clicks agree {ratio:.2f} ± {error:.2f} as well with "
                "what the target has learned as the target's own"
            )
            if ratio + error < _NOTHING and self._largest[name] > _USEFUL:
                text += (
                    ". As a whole it is hardly used, but some of its impressions "
                    "are: see those with the highest weights"
                )
            elif ratio + error < _NOTHING:
                text += (
                    f". Hardly anything of {name} is used: look for what is wrong "
                    "with its labels, or compare with a training that leaves it out"
                )
            elif ratio > _FULL:
                text += ", so nearly all of it is used"
            said.append(text)
        return said

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
            "agreement": {name: list(pair) for name, pair in self.agreement.items()},
            "target_slope": list(self.target_slope),
            "measured": self.measured,
            "trust": self.trust,
            "keep": self.keep,
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
