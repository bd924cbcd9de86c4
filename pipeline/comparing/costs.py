"""Cost of a strategy: to train, with every level it needs, and to serve."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

import numpy as np

from models.artifact_files import SERVING_FOLDER
from models.artifact_files import model_report
from models.errors import DataError
from pipeline.planning.step_kinds import StepKind
from pipeline.planning.steps import Step
from pipeline.planning.steps import upstream
from pipeline.report.files import read_json
from pipeline.store.reader import Store
from pipeline.store.reader import Stored

_MIB = 1 << 20


@dataclass(frozen=True)
class Cost:
    """Cost of one strategy, on one seed or as a summary of several.

    Attributes:
        levels: Trainings by level, such as `{"tpm": 2, "cpm": 1, "target": 1}`.
        rows_read: Impressions that all of them train on, counted once per epoch.
        train_seconds: Time in their training loops, including reading.
        peak_memory_mib: Largest resident memory of the process during any of them,
            including libraries and memory of earlier levels; None if a model was made
            by a version that did not record it.
        added_memory_mib: Largest growth of it during one of them; None as above.
        model_mib: Size of the SavedModel.
        milliseconds: Time of the fastest request with 100 candidates; None if not
            measured.
        steps: Optimizer steps by level, of its shortest training; empty in records of
            former versions.
        batch_size: Impressions per step of the target level, see `LevelReport`; None
            as above.
    """

    levels: Mapping[str, int]
    rows_read: float
    train_seconds: float
    peak_memory_mib: float | None
    added_memory_mib: float | None
    model_mib: float
    milliseconds: float | None
    steps: Mapping[str, int] = field(default_factory=dict)
    batch_size: int | None = None


def cost_of(
    store: Store, target: Step, planned: Sequence[Step], milliseconds: float | None
) -> Cost:
    """Returns the cost of a finished target step's model.

    Levels that several strategies share, such as CPM, count in full for each.

    Args:
        store: The finished artifacts.
        target: The target step.
        planned: The plan that it belongs to.
        milliseconds: Time of a request, see `Scored`.

    Raises:
        DataError: A model that it depends on is not stored.
    """
    models = {stored.fingerprint: stored for stored in store.artifacts("Model")}
    steps = needed(target, planned)
    reports = [_report(models, step) for step in steps]
    memory = [
        (report["peak_memory_mib"], report["memory_before_mib"])
        for report in reports
        if report.get("memory_before_mib") is not None
    ]
    measured = len(memory) == len(reports)
    levels: dict[str, int] = {}
    shortest: dict[str, int] = {}
    for step, report in zip(steps, reports, strict=True):
        kind = str(step.kind)
        levels[kind] = levels.get(kind, 0) + 1
        shortest[kind] = min(shortest.get(kind, report["steps"]), report["steps"])
    folder = Path(models[target.training].uri) / SERVING_FOLDER
    return Cost(
        levels=levels,
        rows_read=sum(_rows_read(report) for report in reports),
        train_seconds=sum(report["seconds"] for report in reports),
        peak_memory_mib=max(p for p, _ in memory) if measured else None,
        added_memory_mib=max(p - b for p, b in memory) if measured else None,
        model_mib=sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
        / _MIB,
        milliseconds=milliseconds,
        steps=shortest,
        batch_size=reports[-1].get("batch_size"),
    )


def _rows_read(report: Mapping[str, Any]) -> int:
    # A search for the number of epochs reads the impressions, too.
    passes = len(report["losses"]) + len(report.get("held_out", ()))
    if report.get("source_rows") is None:
        return int(report["rows"]) * passes
    # The strategy draws source impressions to match the target's.
    own = report["rows_by_domain"][report["domains"][-1]]
    return int(own * passes + report["source_rows"])


def summary(costs: Sequence[Cost]) -> Cost:
    """Returns means over seeds, but the largest memory and the fastest request."""
    return Cost(
        levels=costs[0].levels,
        rows_read=float(np.mean([c.rows_read for c in costs])),
        train_seconds=float(np.mean([c.train_seconds for c in costs])),
        peak_memory_mib=_most([c.peak_memory_mib for c in costs]),
        added_memory_mib=_most([c.added_memory_mib for c in costs]),
        model_mib=float(np.mean([c.model_mib for c in costs])),
        milliseconds=min(
            (c.milliseconds for c in costs if c.milliseconds is not None), default=None
        ),
        steps=costs[0].steps,
        batch_size=costs[0].batch_size,
    )


def _most(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return max(known) if len(known) == len(values) else None


def needed(target: Step, planned: Sequence[Step]) -> list[Step]:
    """Returns the trainings that a target step depends on, itself last.

    Trainings of earlier runs that this plan does not contain are not counted.
    """
    steps = upstream(target, planned)
    return [step for step in steps if step.kind != StepKind.INGEST]


def _report(models: Mapping[str, Stored], step: Step) -> dict[str, Any]:
    stored = models.get(step.training or step.fingerprint)
    report = stored and read_json(model_report(Path(stored.uri)))
    if not report:
        raise DataError(
            f"the model of {step.label!r} is not stored with its report; expected "
            f"fingerprint {step.training or step.fingerprint}. Run that day again"
        )
    return dict(report)
