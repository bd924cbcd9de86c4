"""Reader of the Evaluator's results."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow_model_analysis as tfma

from components.evaluation.judgement import Judgement
from components.evaluation.judgement import judge
from components.evaluation.metrics import EVALUATED
from components.evaluation.ranking import Floats
from components.evaluator import replicates
from components.evaluator.config import BASELINE
from components.evaluator.config import CANDIDATE
from models.errors import DataError


@dataclass
class _OfModel:
    metrics: dict[str, float]
    replicates: Floats | None = None


def read_judgements(evaluation_uri: str, *, level: float = 0.95) -> list[Judgement]:
    """Returns the Evaluator's results: all impressions first, then each slice.

    Args:
        evaluation_uri: Folder of the ModelEvaluation artifact.
        level: Share of the draws inside an interval.

    Returns:
        Judgements with at least the metrics `EVALUATED` of each model; undefined ones
        are NaN. Slices are sorted by name and bucket.

    Raises:
        DataError: If there are no metrics over all impressions, or some are missing.
    """
    found = []
    for of_slice in tfma.load_metrics(evaluation_uri):
        keys = of_slice.slice_key.single_slice_keys
        if of_slice.HasField("cross_slice_key") or len(keys) > 1:
            continue
        by_model = _by_model(of_slice)
        if CANDIDATE not in by_model:
            continue
        _check(by_model, evaluation_uri)
        live = by_model.get(BASELINE)
        judgement = judge(
            dimension=keys[0].column if keys else "",
            value=_text(keys[0]) if keys else "",
            candidate=by_model[CANDIDATE].metrics,
            live=live.metrics if live else None,
            candidate_replicates=by_model[CANDIDATE].replicates,
            live_replicates=live.replicates if live else None,
            level=level,
        )
        found.append(judgement)
    found.sort(key=_position)
    if not found or found[0].dimension:
        raise DataError(
            f"{evaluation_uri} holds no metrics over all impressions; expected the "
            "candidate's; check that the evaluation days have impressions, then run "
            "the day again"
        )
    return found


def _by_model(of_slice: Any) -> dict[str, _OfModel]:
    models: dict[str, _OfModel] = {}
    for item in of_slice.metric_keys_and_values:
        # With a baseline TFMA stores each metric's difference under the same name.
        if item.key.is_diff:
            continue
        model = models.setdefault(item.key.model_name or CANDIDATE, _OfModel({}))
        kind = item.value.WhichOneof("type")
        if kind == "double_value":
            model.metrics[item.key.name] = item.value.double_value.value
        elif kind == "array_value" and item.key.name == replicates.NAME:
            array = item.value.array_value
            model.replicates = np.reshape(array.float64_values, array.shape)
    return models


def _check(models: dict[str, _OfModel], evaluation_uri: str) -> None:
    for name, model in models.items():
        missing = [metric for metric in EVALUATED if metric not in model.metrics]
        if missing:
            raise DataError(
                f"{evaluation_uri} lacks {', '.join(missing)} of the {name} model; "
                f"expected {', '.join(EVALUATED)}; evaluate the model again"
            )


def _text(key: Any) -> str:
    kind = key.WhichOneof("kind")
    value = getattr(key, kind)
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _position(judgement: Judgement) -> tuple[str, int, int, str]:
    """Returns a sort key: buckets by their first number, then text."""
    number = re.match(r"-?\d+", judgement.value)
    rank = (0, int(number[0])) if number else (1, 0)
    return (judgement.dimension, *rank, judgement.value)
