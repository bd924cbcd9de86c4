"""References measured on the evaluation rows, as any model: pure functions.

`references.json`:

| key          | meaning                                                              |
| ------------ | -------------------------------------------------------------------- |
| `references` | by reference its metrics, impressions it was fitted on, a note       |
| `mechanical` | by feature its GAUC where labels are permuted within users           |

`reference_scores.parquet` has a column of click probabilities per reference, in the
order of the evaluation rows in the logs.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from components.evaluation.judgement import without_nan
from components.evaluation.mechanical import mechanical_gaucs
from components.evaluation.probability import entropy
from components.evaluation.ranking import auc
from components.evaluation.ranking import grouped_auc
from components.evaluation.ranking import log_losses
from models.artifact_files import REFERENCE_SCORES_FILE
from models.artifact_files import REFERENCES_FILE
from models.data.arrow_files import pq
from models.features.feature import USER_FEATURE
from models.features.table import DAY
from models.references.fitting import Reference
from models.references.rows import Columns
from models.references.rows import Rows


def metrics_of(
    users: npt.ArrayLike, labels: npt.ArrayLike, scores: npt.ArrayLike
) -> dict[str, float]:
    """Returns the metrics of a result table, by the names that the Evaluator uses.

    Args:
        users: Ids as `grouped_auc` takes them, shape (N,).
        labels: 0 or 1, shape (N,).
        scores: Click probabilities, shape (N,).
    """
    label, score = np.asarray(labels), np.asarray(scores, np.float64)
    rows, clicks = len(label), int(label.sum())
    grouped = grouped_auc(users, score, label)
    loss = float(log_losses(score, label).mean()) if rows else math.nan
    return {
        "auc": auc(score, label),
        "gauc": grouped.gauc,
        "gauc_coverage": grouped.coverage,
        "log_loss": loss,
        "normalized_entropy": loss / entropy(clicks / rows if rows else 0.0),
        "calibration": float(score.sum()) / clicks if clicks else math.nan,
        "example_count": float(rows),
        "click_count": float(clicks),
    }


def judge_references(
    references: Sequence[Reference], evaluation: Rows, columns: Columns
) -> dict[str, Any]:
    """Returns the content of `references.json`.

    Args:
        references: The fitted references.
        evaluation: The rows that they scored.
        columns: The features, whose own GAUC guards the table's.
    """
    users = np.full(len(evaluation), None, object)
    if USER_FEATURE in columns.ids:
        users = np.array(evaluation.ids(USER_FEATURE).to_pylist(), object)
    labels = evaluation.labels
    numbers = evaluation.numbers(columns.numbers)
    gaucs = mechanical_gaucs(
        users,
        evaluation.integers(DAY),
        labels,
        {name: numbers[:, i] for i, name in enumerate(columns.numbers)},
    )
    return {
        "references": {
            one.name: {
                "metrics": without_nan(metrics_of(users, labels, one.scores)),
                "fitted_rows": one.fitted_rows,
                "window_rows": one.window_rows,
                "note": one.note,
            }
            for one in references
        },
        "mechanical": without_nan(gaucs),
    }


def write_references(
    folder: Path, judged: dict[str, Any], references: Sequence[Reference]
) -> None:
    """Writes both files of the artifact."""
    folder.mkdir(parents=True, exist_ok=True)
    scores = {one.name: pa.array(one.scores, pa.float64()) for one in references}
    pq.write_table(pa.table(scores), folder / REFERENCE_SCORES_FILE)
    text = json.dumps(judged, indent=1, allow_nan=False)
    (folder / REFERENCES_FILE).write_text(text + "\n", encoding="utf-8")
