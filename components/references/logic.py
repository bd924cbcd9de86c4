"""References measured on the evaluation rows, as any model: pure functions.

`references.json`:

| key          | meaning                                                              |
| ------------ | -------------------------------------------------------------------- |
| `references` | by reference its metrics, impressions it was fitted on, a note       |
| `mechanical` | by feature its GAUC where labels are permuted within users           |

`reference_scores.parquet` has a column of click probabilities per reference, in the
order of the evaluation rows in the logs; `replicates.npz` has the metrics of each on
redrawn users, see `components.evaluation.replicates`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from components.evaluation.impressions import ScoredImpressions
from components.evaluation.judgement import without_nan
from components.evaluation.mechanical import mechanical_gaucs
from components.evaluation.model_metrics import metrics_of
from components.evaluation.ranking import Floats
from components.evaluation.ranking import user_codes
from components.evaluation.replicates import replicates
from components.evaluation.replicates import write_replicates
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
    users = _users(evaluation, columns)
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


def resample_references(
    references: Sequence[Reference], evaluation: Rows, columns: Columns, num_draws: int
) -> dict[str, Floats]:
    """Returns the replicates of each reference, on the draws of the strategies.

    Args:
        references: The fitted references.
        evaluation: The rows that they scored.
        columns: The features.
        num_draws: Number of draws; 0 for no replicates.
    """
    if not num_draws:
        return {}
    users = _users(evaluation, columns)
    codes = user_codes(users)
    ids = dict(zip(codes.tolist(), users, strict=True))
    known = tuple(ids[code] for code in sorted(ids) if code >= 0)
    labels = evaluation.labels.astype(np.float64)
    ones = np.ones(len(labels))
    return {
        one.name: replicates(
            ScoredImpressions(codes, one.scores, labels, ones, known), num_draws
        )
        for one in references
    }


def _users(evaluation: Rows, columns: Columns) -> npt.NDArray[np.object_]:
    """Returns the raw user ids, None without one, shape (N,)."""
    if USER_FEATURE not in columns.ids:
        return np.full(len(evaluation), None, object)
    return np.array(evaluation.ids(USER_FEATURE).to_pylist(), object)


def write_references(
    folder: Path,
    judged: dict[str, Any],
    references: Sequence[Reference],
    resampled: Mapping[str, Floats],
) -> None:
    """Writes the files of the artifact."""
    folder.mkdir(parents=True, exist_ok=True)
    scores = {one.name: pa.array(one.scores, pa.float64()) for one in references}
    pq.write_table(pa.table(scores), folder / REFERENCE_SCORES_FILE)
    text = json.dumps(judged, indent=1, allow_nan=False)
    (folder / REFERENCES_FILE).write_text(text + "\n", encoding="utf-8")
    if resampled:
        write_replicates(folder, resampled)
