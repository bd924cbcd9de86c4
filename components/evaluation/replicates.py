"""Bootstrap replicates of a model's metrics: made, stored, compared in pairs.

Models are measured on the same draws of users, wherever and whenever that is done, so
the difference of two models' replicates on the same impressions is a paired bootstrap
of the difference of their metrics.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from components.evaluation.impressions import ScoredImpressions
from components.evaluation.judgement import Interval
from components.evaluation.judgement import percentile_interval
from components.evaluation.metrics import RESAMPLED
from components.evaluation.ranking import Floats
from components.evaluation.resampling import Resampled
from components.evaluation.resampling import poisson_counts
from components.evaluation.resampling import user_clusters
from components.evaluation.resampling import user_keys
from models.artifact_files import REPLICATES_FILE
from models.compat import save_arrays

# With fewer users the draws understate the variation of a metric.
MIN_USERS = 10
# Arrays of the file: names of the columns of draws, and of the models.
_METRICS, _MODELS = "metrics", "models"


def replicates(impressions: ScoredImpressions, num_draws: int) -> Floats:
    """Returns `RESAMPLED` on redrawn users, shape (num_draws, metrics).

    Users are drawn with all their impressions, because impressions of one user are not
    independent. An impression without a user is drawn on its own, by its position among
    such impressions: the only place where the order of the impressions matters.

    Values are NaN if the metric is undefined in a draw, such as one without a click,
    and with fewer than `MIN_USERS` users: users with both labels for GAUC, all users
    for the other metrics.
    """
    codes = impressions.users
    resampled = Resampled(
        codes,
        user_clusters(codes),
        impressions.labels,
        impressions.scores,
        impressions.weights,
    )
    if resampled.num_clusters < MIN_USERS:
        return np.full((num_draws, len(RESAMPLED)), np.nan)
    # Clusters are users by code, then impressions without one. Bundles arrive in any
    # order, so that codes differ between runs; hashes do not.
    lone = [f"row {i}".encode() for i in range(int(np.count_nonzero(codes < 0)))]
    keys = user_keys([*impressions.user_ids, *lone])
    drawn = [resampled(poisson_counts(keys, draw)) for draw in range(num_draws)]
    values = np.array(drawn).reshape(num_draws, len(RESAMPLED))
    if resampled.num_qualifying < MIN_USERS:
        values[:, RESAMPLED.index("gauc")] = np.nan
    return values


def write_replicates(folder: Path, by_model: Mapping[str, Floats]) -> None:
    """Writes what `replicates` returned for some models into a folder.

    Args:
        folder: An existing folder.
        by_model: Arrays of shape (draws, metrics) by the model's name. The names are
            stored as an array, because a strategy may have the name of another array.
    """
    arrays: dict[str, npt.NDArray[Any]] = {
        _METRICS: np.array(RESAMPLED),
        _MODELS: np.array(list(by_model)),
    }
    arrays |= {_draws_of(i): values for i, values in enumerate(by_model.values())}
    save_arrays(folder / REPLICATES_FILE, arrays)


def read_replicates(folder: Path) -> dict[str, dict[str, Floats]]:
    """Returns stored replicates by model and metric, each of shape (draws,).

    Empty if the folder has none: versions before 0.2.0 stored none.
    """
    path = folder / REPLICATES_FILE
    if not path.is_file():
        return {}
    with np.load(path, allow_pickle=False) as stored:
        metrics = stored[_METRICS].tolist()
        return {
            model: dict(zip(metrics, stored[_draws_of(i)].T, strict=True))
            for i, model in enumerate(stored[_MODELS].tolist())
        }


def _draws_of(model: int) -> str:
    return f"draws {model}"


@dataclass(frozen=True)
class MeasuredModel:
    """A model's metrics on some impressions, and on each draw of their users.

    Attributes:
        metrics: By name; None where undefined.
        replicates: By name the values of the draws, shape (draws,), NaN where
            undefined; empty if none are stored.
    """

    metrics: Mapping[str, float | None]
    replicates: Mapping[str, Floats] = field(default_factory=dict)

    def interval(self, metric: str, level: float) -> Interval | None:
        """Returns a metric with its interval; None if it has none.

        Args:
            metric: One of `RESAMPLED`.
            level: Share of the draws inside the interval.
        """
        return _interval(self.metrics.get(metric), self.replicates.get(metric), level)

    def minus(
        self, baseline: MeasuredModel, metric: str, level: float
    ) -> Interval | None:
        """Returns a metric minus the baseline's, with its paired interval.

        None if either model lacks the metric or its replicates, or if their draws
        differ in number.

        Args:
            baseline: A model that was measured on the same impressions.
            metric: One of `RESAMPLED`.
            level: Share of the draws inside the interval.
        """
        own, other = self.metrics.get(metric), baseline.metrics.get(metric)
        draws, others = self.replicates.get(metric), baseline.replicates.get(metric)
        if own is None or other is None or draws is None or others is None:
            return None
        if len(draws) != len(others):
            return None
        return _interval(own - other, draws - others, level)


def _interval(
    value: float | None, draws: Floats | None, level: float
) -> Interval | None:
    if value is None or draws is None:
        return None
    interval = percentile_interval(value, draws, (1 - level) / 2)
    return None if math.isnan(interval.low) else interval
