"""References of a plan, found among the stored artifacts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

from components.references.stored import StoredReferences
from components.references.stored import read_references
from pipeline.planning.step_kinds import StepKind
from pipeline.planning.steps import Step
from pipeline.store.reader import Store


def references_of(store: Store, steps: Iterable[Step]) -> StoredReferences | None:
    """Returns the references of a plan; None if it has none, or they are not stored."""
    for step in steps:
        if step.kind == StepKind.REFERENCES:
            stored = store.newest("ReferenceScores", step.fingerprint)
            return None if stored is None else read_references(Path(stored.uri))
    return None


def with_stored_references(store: Store, step: Step) -> Step:
    """Returns a step that names its references only if they are stored.

    References that failed fail no strategy, so a graph must do without them.
    """
    if not step.references or store.newest("ReferenceScores", step.references):
        return step
    return dataclasses.replace(step, references="")
