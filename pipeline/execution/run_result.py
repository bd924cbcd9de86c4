"""Result of a run, as `pipeline.api.run` returns it."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field

from pipeline.execution.job import Plan
from pipeline.planning.steps import Step
from pipeline.store.results import TargetResult


@dataclass(frozen=True)
class RunResult:
    """Result of a run.

    Attributes:
        day: The run's day, days since 1970-01-01.
        plan: What was planned.
        steps: The steps that the run was asked for, in running order.
        results: The strategies' results; empty if the run ended before the target.
        failed: Strategies without a result, and why.
    """

    day: int
    plan: Plan
    steps: Sequence[Step]
    results: tuple[TargetResult, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
