"""References as they are stored: metrics, replicates, scores and the guard of GAUC."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from components.evaluation.mechanical import guard_sentence
from components.evaluation.mechanical import unusable
from components.evaluation.ranking import Floats
from components.evaluation.replicates import MeasuredModel
from components.evaluation.replicates import read_replicates
from models.artifact_files import REFERENCE_SCORES_FILE
from models.artifact_files import REFERENCES_FILE
from models.compat import read_table
from models.data.arrow_files import pq
from models.references.names import CONSTANT


@dataclass(frozen=True)
class StoredReference:
    """A reference on the evaluation rows.

    Attributes:
        metrics: By the names that models have; None where undefined.
        fitted_rows: Impressions that it was fitted on.
        window_rows: Impressions of its window.
        note: What to know of it; may be empty.
        replicates: Metrics on redrawn users, by name; empty if none are stored.
    """

    metrics: Mapping[str, float | None]
    fitted_rows: int
    window_rows: int
    note: str
    replicates: Mapping[str, Floats] = field(default_factory=dict)

    @property
    def measured(self) -> MeasuredModel:
        """Its metrics and replicates."""
        return MeasuredModel(self.metrics, self.replicates)

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


def read_references(folder: Path) -> StoredReferences:
    """Reads an artifact of references."""
    content = json.loads((folder / REFERENCES_FILE).read_text(encoding="utf-8"))
    drawn = read_replicates(folder)
    return StoredReferences(
        {
            name: StoredReference(**one, replicates=drawn.get(name, {}))
            for name, one in content["references"].items()
        },
        {
            name: float("nan") if gauc is None else gauc
            for name, gauc in content["mechanical"].items()
        },
        folder,
    )
