"""Train/serve skew: the same impressions scored by network and SavedModel.

The training path is the impression as stored by Transform, scored by the trained
network with unfolded snapshots; the serving path is the raw impression through the
SavedModel as TensorFlow Serving loads it. Stored impressions are in another order, so
the two are matched by content: each impression as encoded by the SavedModel must occur
among that day's stored ones, at least as often.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from models.data.batches import ExampleReader
from models.days import DayRange
from models.days import to_date
from models.errors import DataError
from models.features.number_statistics import CLIP
from models.networks.network import Network
from models.progress import PROGRESS
from models.serving.requests import Row
from models.serving.requests import inputs_of
from models.serving.requests import raw_rows
from models.serving.saved_scorer import SavedScorer
from models.training.calibration import Platt
from models.training.level_inputs import Skew

# Tolerance for float32 sums in another order; a wrong table row differs far more.
TOLERANCE = 1e-6
# Tolerance for the weighted mean of the values of one impression.
VALUE_TOLERANCE = 1e-5
MOST_ROWS = 1_000


Columns = Mapping[str, npt.NDArray[Any]]


def trained_scores(
    network: Network, calibrator: Platt | None
) -> Callable[[Columns], npt.NDArray[Any]]:
    """Returns the training path: encoded features to click probabilities (B,).

    Args:
        network: The trained network, with unfolded snapshots.
        calibrator: Calibrator of its logits, if any.
    """
    scale, shift, _ = calibrator or Platt()

    def score(rows: Columns) -> npt.NDArray[Any]:
        encoded = {name: tf.constant(values) for name, values in rows.items()}
        logits = scale * network(encoded, training=False) + shift
        probabilities: npt.NDArray[Any] = tf.sigmoid(logits).numpy()
        return probabilities

    return score


def check_skew(
    score: Callable[[Columns], npt.NDArray[Any]],
    serving_dir: Path,
    stored: ExampleReader,
    raw: Sequence[str],
) -> Skew:
    """Compares both paths on the newest day's first impressions.

    Args:
        score: The training path, see `trained_scores`.
        serving_dir: The SavedModel exported from the network.
        stored: The target's transformed impressions of the window.
        raw: Globs of the corresponding raw Examples.

    Returns:
        The number of impressions and the largest difference; zero impressions if the
        window has none.

    Raises:
        DataError: The paths differ by more than `TOLERANCE`, or the SavedModel encodes
            an impression differently from Transform.
    """
    day = max(stored.summarise().rows_by_day, default=None)
    if day is None:
        return Skew()
    rows = list(raw_rows(raw, stored.features, DayRange(day, day), MOST_ROWS))
    if not rows:
        raise DataError(
            f"the raw Examples at {', '.join(raw)} have no impression of "
            f"{to_date(day)}, though transformed Examples have; the train/serve check "
            "needs both. Ingest that day again"
        )
    served = SavedScorer(serving_dir)
    try:
        inputs = inputs_of("serving_default", stored.features, rows)
        encoded = served("transform_features", inputs)
        _check_encoding(encoded, rows, stored.between(day, day))
        differences = np.abs(score(encoded) - served("serving_default", inputs)["ctr"])
    finally:
        served.close()
    worst = int(np.argmax(differences))
    found = Skew(day=day, rows=len(rows), largest=float(differences[worst]))
    PROGRESS.info(
        f"trained and served: {found.rows:,} rows of {to_date(day)}, largest "
        f"difference {found.largest:.0e}"
    )
    if not found.largest <= TOLERANCE:
        raise DataError(
            f"train/serve skew: of {found.rows:,} impressions, one scores "
            f"{found.largest:.2e} apart in training and from the exported SavedModel "
            f"at {serving_dir}; expected at most {TOLERANCE:.0e}. Nothing was "
            "published. The impression: "
            f"{rows[worst]}"
        )
    return found


def _check_encoding(encoded: Columns, rows: Sequence[Row], day: ExampleReader) -> None:
    """Raises `DataError` unless every encoded impression is among the stored ones.

    Table rows must be equal. Values may differ by rounding, as the same operation on
    another number of impressions may round differently.
    """
    keys, sums = _keys(encoded), _weighted_values(encoded)
    wanted, place, counts = np.unique(keys, return_inverse=True, return_counts=True)
    found = np.zeros_like(counts)
    difference = np.full(len(keys), np.inf)
    for columns in day.chunks():
        columns = {name: columns[name] for name in encoded}
        of_chunk = _keys(columns)
        at = np.minimum(np.searchsorted(wanted, of_chunk), len(wanted) - 1)
        known = wanted[at] == of_chunk
        found += np.bincount(at[known], minlength=len(wanted))
        stored = _weighted_values(columns)[known]
        difference = np.minimum(difference, _nearest(place, sums, at[known], stored))
    lacking = (found < counts)[place] | ~(difference <= VALUE_TOLERANCE)
    if lacking.any():
        first = int(np.flatnonzero(lacking)[0])
        row = {name: values[first].tolist() for name, values in encoded.items()}
        raise DataError(
            f"train/serve skew: the exported SavedModel encodes {lacking.sum():,} of "
            f"{len(keys):,} impressions not as Transform did. Nothing was "
            f"published. The first: {rows[first]} became {row}"
        )


def _keys(columns: Columns) -> npt.NDArray[np.uint64]:
    """Returns a key for each impression, equal for equal table rows."""
    rows = [c for c in columns.values() if np.issubdtype(c.dtype, np.integer)]
    matrix = _matrix(rows).astype(np.uint64)
    weights = np.random.default_rng(0).integers(
        0, 2**63, matrix.shape[1], dtype=np.uint64
    )
    return (matrix * weights).sum(axis=1, dtype=np.uint64)


def _weighted_values(columns: Columns) -> npt.NDArray[np.float64]:
    """Returns a weighted mean of each impression's values, 0 without values; (B,).

    It is inside (-`CLIP`, `CLIP`), and impressions with other values have another one.
    """
    values = [c for c in columns.values() if np.issubdtype(c.dtype, np.floating)]
    if not values:
        return np.zeros(len(next(iter(columns.values()))))
    matrix = _matrix(values).astype(np.float64)
    weights = np.asarray(np.random.default_rng(0).uniform(1.0, 2.0, matrix.shape[1]))
    return np.asarray(matrix @ (weights / weights.sum()), np.float64)


def _matrix(columns: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    return np.concatenate([c.reshape(len(c), -1) for c in columns], axis=1)


def _nearest(
    group: npt.NDArray[np.int64],
    values: npt.NDArray[np.float64],
    other_group: npt.NDArray[np.int64],
    others: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Returns each value's distance to the nearest of the other values in its group."""
    # Groups lie further apart than any two values in one.
    wide = 4 * CLIP
    line = np.concatenate([[-np.inf], np.sort(others + wide * other_group), [np.inf]])
    place = values + wide * group
    above = np.searchsorted(line, place)
    return np.minimum(line[above] - place, place - line[above - 1])
