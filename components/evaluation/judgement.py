"""What is known of a candidate, and of the live model, on one set of rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import Any

import numpy as np

from components.evaluation.metrics import RESAMPLED
from components.evaluation.ranking import Floats

Metrics = Mapping[str, float]


@dataclass(frozen=True)
class Interval:
    """A value with what resampled users leave open.

    Attributes:
        value: On the rows as they are.
        low: Lower end, NaN without replicates.
        high: Upper end.
    """

    value: float
    low: float
    high: float

    def to_json(self) -> dict[str, float | None]:
        """Returns plain values; NaN, which JSON lacks, as None."""
        return without_nan(self.__dict__)


@dataclass(frozen=True)
class Judgement:
    """Metrics on all rows or on one slice.

    Attributes:
        dimension: What the rows are cut by; empty for all rows.
        value: Which slice.
        candidate: The candidate's metrics by name.
        live: The live model's on the same rows; None if there is none.
        intervals: The candidate's metrics that were resampled, by name.
        changes: Candidate minus live model, by the same names, resampled in pairs.
    """

    dimension: str
    value: str
    candidate: Metrics
    live: Metrics | None = None
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    changes: Mapping[str, Interval] = field(default_factory=dict)

    @property
    def num_rows(self) -> float:
        """Number of rows, 0 if nobody counted them."""
        return self.candidate.get("example_count", 0.0)

    @property
    def label(self) -> str:
        """What people call the slice."""
        name = self.dimension.removeprefix("slice_").replace("_", " ")
        return f"{name} {self.value}" if name else "all rows"

    def to_json(self) -> dict[str, Any]:
        """Returns the judgement as plain values."""
        return {
            "slice": self.dimension.removeprefix("slice_"),
            "value": self.value,
            "candidate": without_nan(self.candidate),
            "live": None if self.live is None else without_nan(self.live),
            "intervals": {k: v.to_json() for k, v in self.intervals.items()},
            "changes": {k: v.to_json() for k, v in self.changes.items()},
        }


def judge(
    *,
    dimension: str,
    value: str,
    candidate: Metrics,
    live: Metrics | None,
    candidate_replicates: Floats | None = None,
    live_replicates: Floats | None = None,
    level: float = 0.95,
) -> Judgement:
    """Returns a judgement with percentile intervals of what was resampled.

    Args:
        dimension: What the rows are cut by; empty for all rows.
        value: Which slice.
        candidate: The candidate's metrics.
        live: The live model's.
        candidate_replicates: `RESAMPLED` by draw, shape (draws, metrics).
        live_replicates: The live model's on the same draws.
        level: Share of the draws inside an interval.
    """
    tail = (1 - level) / 2
    intervals, changes = {}, {}
    for column, name in enumerate(RESAMPLED):
        own = candidate.get(name, math.nan)
        draws = None
        if candidate_replicates is not None:
            draws = candidate_replicates[:, column]
            intervals[name] = _interval(own, draws, tail)
        if live is not None:
            paired = None
            if draws is not None and live_replicates is not None:
                paired = draws - live_replicates[:, column]
            change = own - live.get(name, math.nan)
            changes[name] = _interval(change, paired, tail)
    return Judgement(dimension, value, candidate, live, intervals, changes)


def _interval(value: float, draws: Floats | None, tail: float) -> Interval:
    """Returns percentiles of the draws on which the metric is defined."""
    defined = np.zeros(0) if draws is None else draws[~np.isnan(draws)]
    if math.isnan(value) or not len(defined):
        return Interval(value, math.nan, math.nan)
    low, high = np.quantile(defined, [tail, 1 - tail])
    return Interval(value, float(low), float(high))


def without_nan(values: Mapping[str, float]) -> dict[str, float | None]:
    """Returns `values` with NaN, which JSON lacks, as None."""
    return {k: None if math.isnan(v) else v for k, v in values.items()}
