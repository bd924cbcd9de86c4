"""Steps of a run: what each read and made, and how long it took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pipeline.execution.run_records import RunRecord
from pipeline.execution.run_records import StepRun
from pipeline.planning.step_kinds import StepKind
from pipeline.planning.steps import Step
from pipeline.store.reader import Store
from pipeline.store.results import rows_of

State = Literal["reused", "done", "failed", "due"]


@dataclass(frozen=True)
class Read:
    """An artifact that a step reads: its description and its producer's fingerprint."""

    text: str
    fingerprint: str


@dataclass(frozen=True)
class StepLine:
    """A step of the run.

    Attributes:
        label: Name shown to users.
        fingerprint: Hash of all inputs of its result.
        days: Days of impressions it ingests or trains on.
        judged_on: Days it is evaluated on; empty without an evaluation.
        reads: Artifacts it reads.
        rows: Impressions it ingested or trained on; None without a result.
        state: Its outcome in this run.
        seconds: Its duration when it ran; None if not recorded.
        nodes: Its components of a second or more, each with its seconds.
        note: Remark on anything unusual.
    """

    label: str
    fingerprint: str
    days: str
    judged_on: str
    reads: tuple[Read, ...]
    rows: int | None
    state: State
    seconds: float | None
    nodes: tuple[tuple[str, float], ...]
    note: str


def step_lines(
    store: Store, record: RunRecord, earlier: Mapping[str, StepRun]
) -> list[StepLine]:
    """Returns the steps of a run, in running order.

    Args:
        store: The artifacts.
        record: The run.
        earlier: By fingerprint, the runs that made what this one reused.
    """
    labels = {run.step.fingerprint: run.step.label for run in record.steps}
    labels |= {
        run.step.training: run.step.label for run in record.steps if run.step.training
    }
    lines = []
    for run in record.steps:
        step = run.step
        timed = run if run.seconds is not None else earlier.get(step.fingerprint, run)
        lines.append(
            StepLine(
                label=step.label,
                fingerprint=step.fingerprint,
                days=str(step.days),
                judged_on=str(step.evaluation) if step.evaluation else "",
                reads=tuple(_reads(step, labels)),
                rows=rows_of(store, step),
                state=run.state,
                seconds=timed.seconds,
                nodes=tuple(node for node in timed.nodes if node[1] >= 1),
                note=step.note,
            )
        )
    return lines


def _reads(step: Step, labels: Mapping[str, str]) -> list[Read]:
    reads = [Read(f"rows of {block.days}", block.fingerprint) for block in step.blocks]
    if step.kind == StepKind.INGEST:
        reads = [Read("logs", "")] + [
            Read(f"vocabulary after {block.days}", block.fingerprint)
            for block in step.blocks
        ]
    if step.warm_start:
        name = labels.get(step.warm_start, "an earlier model")
        reads.append(Read(f"weights of {name}", step.warm_start))
    if step.source:
        name = labels.get(step.source, "an earlier source model")
        reads.append(Read(f"layers of {name}", step.source))
    for snapshot in step.snapshots:
        name = labels.get(snapshot, "an earlier TPM")
        reads.append(Read(f"snapshot of {name}", snapshot))
    reads += [
        Read(f"evaluation rows of {block.days}", block.fingerprint)
        for block in step.evaluation_blocks
    ]
    if step.live:
        reads.append(Read("the live model, to compare with", step.live))
    return reads
