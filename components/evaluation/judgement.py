"""Judgement of a candidate and the live model on one set of impressions."""

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
    """Value with the interval from resampled users.

    Attributes:
        value: Value on all impressions.
        low: Lower end, NaN without replicates.
        high: Upper end, NaN without replicates.
    """

    value: float
    low: float
    high: float

    def to_json(self) -> dict[str, float | None]:
        """Returns JSON values, with None for NaN."""
        return without_nan(self.__dict__)


@dataclass(frozen=True)
class Judgement:
    """Metrics on all impressions or on one slice.

    Attributes:
        dimension: Column that defines the slices; empty for all impressions.
        value: Value of the slice.
        candidate: The candidate's metrics by name.
        live: The live model's metrics on the same impressions; None without one.
        intervals: The candidate's resampled metrics, by name.
        changes: Differences candidate minus live model, resampled in pairs, by name.
        replicates: The candidate's `RESAMPLED` by draw, shape (draws, metrics); None if
            there were no draws.
    """

    dimension: str
    value: str
    candidate: Metrics
    live: Metrics | None = None
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    changes: Mapping[str, Interval] = field(default_factory=dict)
    replicates: Floats | None = None

    @property
    def num_rows(self) -> float:
        """Number of impressions, 0 if they were not counted."""
        return self.candidate.get("example_count", 0.0)

    @property
    def label(self) -> str:
        """Display name of the slice."""
        name = self.dimension.removeprefix("slice_").replace("_", " ")
        return f"{name} {self.value}" if name else "all rows"

    def to_json(self) -> dict[str, Any]:
        """Returns the judgement as JSON values."""
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
    """Returns a judgement with percentile intervals of the resampled metrics.

    Args:
        dimension: Column that defines the slices; empty for all impressions.
        value: Value of the slice.
        candidate: The candidate's metrics.
        live: The live model's metrics; None without one.
        candidate_replicates: `RESAMPLED` by draw, shape (draws, metrics).
        live_replicates: The live model's replicates on the same draws.
        level: Share of the draws inside an interval.
    """
    tail = (1 - level) / 2
    intervals, changes = {}, {}
    for column, name in enumerate(RESAMPLED):
        own = candidate.get(name, math.nan)
        draws = None
        if candidate_replicates is not None:
            draws = candidate_replicates[:, column]
            intervals[name] = percentile_interval(own, draws, tail)
        if live is not None:
            paired = None
            if draws is not None and live_replicates is not None:
                paired = draws - live_replicates[:, column]
            change = own - live.get(name, math.nan)
            changes[name] = percentile_interval(change, paired, tail)
    return Judgement(
        dimension, value, candidate, live, intervals, changes, candidate_replicates
    )


def percentile_interval(value: float, draws: Floats | None, tail: float) -> Interval:
    """Returns the percentiles of the draws in which the metric is defined.

    Args:
        value: Value on all impressions.
        draws: Values on redrawn users, shape (draws,), NaN where undefined; None
            without draws.
        tail: Share of the draws below the interval, and above it.
    """
    defined = np.zeros(0) if draws is None else draws[~np.isnan(draws)]
    if math.isnan(value) or not len(defined):
        return Interval(value, math.nan, math.nan)
    low, high = np.quantile(defined, [tail, 1 - tail])
    return Interval(value, float(low), float(high))


def without_nan(values: Mapping[str, float]) -> dict[str, float | None]:
    """Returns `values` with None for NaN, which JSON lacks."""
    return {k: None if math.isnan(v) else v for k, v in values.items()}
