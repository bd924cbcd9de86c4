"""Trainings of a run: the trainer's report and the loss by step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.artifact_files import model_report
from pipeline.report.charts import Point
from pipeline.report.charts import Series
from pipeline.report.files import read_json
from pipeline.report.strategy_part import StrategyPart
from pipeline.report.strategy_part import strategy_part
from pipeline.store.reader import Store
from pipeline.store.results import few_steps

# Losses of single batches are noisy: a line through fewer would show only noise.
_FEWEST_POINTS = 5
_MAX_POINTS = 200


@dataclass(frozen=True)
class Training:
    """One trained model.

    Attributes:
        label: Step that trained it.
        fingerprint: Fingerprint of the model.
        rows: Impressions of its window.
        clicks: Impressions with label 1.
        steps: Optimizer steps.
        seconds: Time in the training loop.
        losses: Mean training log loss of each epoch.
        parameters: Number of trainable parameters by group.
        curve: Log loss of single batches by step; None if too few were recorded.
        warm_start: Table rows by variable under `copied`, `resized`, `new` and
            `left_out`; None without a warm start.
        skew: Number of `rows` scored in training and in serving, and the `largest`
            difference of their click probabilities; None if not compared.
        strategy: The strategy's own part of the report; None if it has none.
        few_steps: Warning about few optimizer steps; empty if there were enough.
    """

    label: str
    fingerprint: str
    rows: int
    clicks: int
    steps: int
    seconds: float
    losses: tuple[float, ...]
    parameters: Mapping[str, int]
    curve: Series | None
    warm_start: Mapping[str, Mapping[str, int]] | None
    skew: Mapping[str, Any] | None = None
    strategy: StrategyPart | None = None
    few_steps: str = ""

    @property
    def passes(self) -> str:
        """Passes over the impressions and the steps of each; empty with one pass."""
        count = len(self.losses)
        if count < 2:
            return ""
        each, rest = divmod(self.steps, count)
        # A pass may have a step more than another, as the last batch is smaller.
        about = "about " if rest else ""
        return f"{count} passes of {about}{each:,}"


def gather_training(store: Store, label: str, fingerprint: str) -> Training | None:
    """Reads a training; None if its model is not stored."""
    model = store.newest("Model", fingerprint)
    if model is None:
        return None
    folder = Path(model.uri)
    report = read_json(model_report(folder))
    if report is None:
        return None
    # TFX's layout of a node's outputs: <node>/<output>/<execution>.
    logs = folder.parents[1] / "model_run" / folder.name
    return describe(label, fingerprint, report, batch_losses(logs))


def describe(
    label: str,
    fingerprint: str,
    report: Mapping[str, Any],
    losses: Mapping[int, float],
) -> Training:
    """Returns a training, given the trainer's report and batch losses by step."""
    points = [Point(step, loss) for step, loss in sorted(losses.items())]
    points = points[:: -(-len(points) // _MAX_POINTS) or 1]
    enough = len(points) >= _FEWEST_POINTS
    return Training(
        label=label,
        fingerprint=fingerprint,
        rows=int(report["rows"]),
        clicks=int(report["clicks"]),
        steps=int(report["steps"]),
        seconds=float(report["seconds"]),
        losses=tuple(report["losses"]),
        parameters=dict(report["parameters"]),
        curve=Series(label, tuple(points)) if enough else None,
        warm_start=report.get("warm_start"),
        skew=report.get("skew"),
        strategy=strategy_part(report),
        few_steps=few_steps(report),
    )


def batch_losses(folder: Path) -> dict[int, float]:
    """Returns batch losses by step from the trainer's TensorBoard events."""
    paths = sorted(folder.glob("events.out.tfevents.*"))
    if not paths:
        return {}
    # Late: imports TensorFlow, which takes seconds.
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
    from tensorboard.util import tensor_util

    return {
        event.step: float(tensor_util.make_ndarray(value.tensor))
        for path in paths
        for event in EventFileLoader(str(path)).Load()
        for value in event.summary.value
        if value.tag == "batch_loss"
    }
