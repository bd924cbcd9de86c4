"""References of a run, as they are stored: metrics, scores and the guard of GAUC."""

from __future__ import annotations

import json
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from components.evaluation.mechanical import guard_sentence
from components.evaluation.mechanical import unusable
from models.artifact_files import REFERENCE_SCORES_FILE
from models.artifact_files import REFERENCES_FILE
from models.compat import read_table
from models.data.arrow_files import pq
from models.references.names import CONSTANT
from pipeline.planning.step_kinds import StepKind
from pipeline.planning.steps import Step
from pipeline.store.reader import Store


@dataclass(frozen=True)
class StoredReference:
    """A reference on the evaluation rows.

    Attributes:
        metrics: By the names that models have; None where undefined.
        fitted_rows: Impressions that it was fitted on.
        window_rows: Impressions of its window.
        note: What to know of it; may be empty.
    """

    metrics: Mapping[str, float | None]
    fitted_rows: int
    window_rows: int
    note: str

    @property
    def remark(self) -> str:
        """The note, and whether it was fitted on a sample."""
        parts = [self.note] if self.note else []
        if self.fitted_rows < self.window_rows:
            parts.append(
                f"fitted on a sample of {self.fitted_rows:,} of "
                f"{self.window_rows:,} impressions (`references.rows`)"
            )
        return "; ".join(parts)


@dataclass(frozen=True)
class StoredReferences:
    """All references of a run.

    Attributes:
        by_name: The constant first.
        mechanical: By feature its GAUC where labels are permuted within users.
        folder: The artifact.
    """

    by_name: Mapping[str, StoredReference]
    mechanical: Mapping[str, float]
    folder: Path

    @property
    def models(self) -> dict[str, StoredReference]:
        """Those that were fitted, by name; without the constant."""
        return {n: one for n, one in self.by_name.items() if n != CONSTANT}

    @property
    def best(self) -> str | None:
        """The one with the highest AUC; None where no AUC is defined."""
        known = {
            name: auc
            for name, one in self.by_name.items()
            if (auc := one.metrics["auc"]) is not None
        }
        return max(known, key=lambda name: known[name]) if known else None

    @property
    def guard(self) -> str:
        """Why GAUC cannot be used; empty if it can."""
        return guard_sentence(unusable(self.mechanical))

    def scores(self) -> dict[str, npt.NDArray[np.float64]]:
        """Returns click probabilities by reference, in the order of the logs' rows."""
        with pq.ParquetFile(self.folder / REFERENCE_SCORES_FILE) as file:
            table = read_table(file)
        return {name: table.column(name).to_numpy() for name in table.column_names}


def references_of(store: Store, steps: Iterable[Step]) -> StoredReferences | None:
    """Returns the references of a plan; None if it has none, or they are not stored."""
    for step in steps:
        if step.kind == StepKind.REFERENCES:
            stored = store.newest("ReferenceScores", step.fingerprint)
            return None if stored is None else read_references(Path(stored.uri))
    return None


def read_references(folder: Path) -> StoredReferences:
    """Reads an artifact of references."""
    content = json.loads((folder / REFERENCES_FILE).read_text(encoding="utf-8"))
    return StoredReferences(
        {name: StoredReference(**one) for name, one in content["references"].items()},
        {
            name: float("nan") if gauc is None else gauc
            for name, gauc in content["mechanical"].items()
        },
        folder,
    )
