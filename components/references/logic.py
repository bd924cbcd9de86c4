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
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import numpy as np
import pyarrow as pa

from components.evaluation.judgement import without_nan
from components.evaluation.mechanical import mechanical_gaucs
from components.evaluation.model_metrics import metrics_of
from models.artifact_files import REFERENCE_SCORES_FILE
from models.artifact_files import REFERENCES_FILE
from models.data.arrow_files import pq
from models.features.feature import USER_FEATURE
from models.features.table import DAY
from models.references.rows import Columns
from models.references.rows import Rows

if TYPE_CHECKING:
    from models.references.fitting import Reference


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
