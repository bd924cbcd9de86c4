"""Differences between the models of a run, with paired intervals."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass

from components.evaluation.replicates import MeasuredModel
from components.references.stored import StoredReferences
from models.strategies.registry import BASELINE_KIND
from pipeline.report.judged import Judged
from pipeline.report.judged import Value

# Calibration has a best value of 1, so a difference says nothing.
METRICS = ("auc", "gauc", "log_loss", "normalized_entropy")


@dataclass(frozen=True)
class Difference:
    """A strategy's metrics minus those of another model, on the same impressions.

    Attributes:
        strategy: The strategy.
        against: The strategy or reference that it is compared with.
        values: Differences by metric, `METRICS`; without those that have no interval.
    """

    strategy: str
    against: str
    values: Mapping[str, Value]

    @property
    def apart(self) -> list[str]:
        """Metrics whose interval excludes 0."""
        return [
            name
            for name, value in self.values.items()
            if value.low is not None
            and value.high is not None
            and not value.low <= 0 <= value.high
        ]


def differences(
    judged: Sequence[Judged], references: StoredReferences | None, level: float
) -> list[Difference]:
    """Returns the differences to the baseline and to the best reference.

    The baseline is `target_only` if it was judged, and else the published strategy.

    Args:
        judged: The evaluated models, the published strategy first.
        references: The references; None without any.
        level: Share of the draws inside an interval.
    """
    if not judged:
        return []
    names = [one.strategy for one in judged]
    baseline = judged[names.index(BASELINE_KIND) if BASELINE_KIND in names else 0]
    found = [
        _difference(one, baseline.strategy, baseline.measured, level)
        for one in judged
        if one is not baseline
    ]
    best = references.best if references else None
    if references is not None and best is not None:
        measured = references.by_name[best].measured
        found += [_difference(one, best, measured, level) for one in judged]
    return [one for one in found if one.values]


def _difference(
    one: Judged, against: str, other: MeasuredModel, level: float
) -> Difference:
    values = {}
    for metric in METRICS:
        interval = one.measured.minus(other, metric, level)
        if interval is not None:
            values[metric] = Value(interval.value, interval.low, interval.high)
    return Difference(one.strategy, against, values)
