"""Scored days: relative logits, the pool, the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from models.data.batches import ExampleReader
from models.features.table import FeatureTable
from models.training.scored_days import ScoredDays


class _Fake:
    """A network whose logit is `level`, plus one where the item's row is odd."""

    def __init__(self, features: FeatureTable, level: float) -> None:
        self.features = features
        self.level = level

    def __call__(self, rows: Any, training: bool) -> Any:
        assert not training
        odd = tf.cast(rows["item_id"] % 2, tf.float32)
        return odd + self.level


@pytest.fixture
def reader(
    features: FeatureTable,
    make_rows: Callable[..., dict[str, Any]],
    write_shard: Callable[..., Path],
    tmp_path: Path,
) -> ExampleReader:
    """Returns a reader of 400 rows of days 0 to 9; a third clicks."""
    columns = make_rows(400)
    columns["day"] = np.arange(400) // 40
    columns["label"] = np.arange(400) % 3 == 0
    write_shard(columns)
    return ExampleReader((str(tmp_path / "de" / "*"),), features, 0, 9)


def test_a_rise_of_all_predictions_since_a_day_was_scored_is_taken_out(
    reader: ExampleReader, features: FeatureTable
) -> None:
    steady, drifted = (ScoredDays.drawn_from(reader, seed=1) for _ in range(2))
    for day in (7, 8, 9):
        rows = reader.between(day, day)
        steady.add(day, _Fake(features, -1.0), rows)
        drifted.add(day, _Fake(features, -1.0 + 0.1 * (9 - day)), rows)
    served = _Fake(features, -1.0)
    expected = steady.calibrator(served, first_day=7)
    found = drifted.calibrator(served, first_day=7)
    assert expected.rows == found.rows == 120
    # The level is the mean prediction's, so a constant goes out almost exactly.
    assert found.shift == pytest.approx(expected.shift, abs=0.02)
    assert found.scale == pytest.approx(expected.scale, abs=0.02)


@pytest.mark.parametrize("level", [-1.0, 0.0])
def test_a_served_model_of_another_level_gets_its_own_shift(
    reader: ExampleReader, features: FeatureTable, level: float
) -> None:
    scored = ScoredDays.drawn_from(reader, seed=1)
    scored.add(9, _Fake(features, -1.0), reader)
    calibrator = scored.calibrator(_Fake(features, level), first_day=9)
    (batch,) = reader.batches(batch_size=400, shuffle_rows=400, seed=0)
    logits = batch.rows["item_id"] % 2 + level
    predicted = 1 / (1 + np.exp(-(calibrator.scale * logits + calibrator.shift)))
    assert predicted.sum() == pytest.approx(batch.labels.sum(), rel=0.02)


def test_days_before_the_first_are_neither_fitted_on_nor_written(
    reader: ExampleReader, features: FeatureTable, tmp_path: Path
) -> None:
    scored = ScoredDays.drawn_from(reader, seed=1)
    for day in range(5, 10):
        scored.add(day, _Fake(features, 0.1 * day), reader.between(day, day))
    scored.write(tmp_path / "scored.npz", first_day=7)
    again = ScoredDays.read(tmp_path / "scored.npz")
    served = _Fake(features, 1.0)
    assert scored.calibrator(served, first_day=7).rows == 120
    assert again.calibrator(served, first_day=0) == scored.calibrator(
        served, first_day=7
    )
    assert again.calibrator(served, first_day=10).rows == 0


def test_a_large_day_is_sampled_not_stored_whole(
    reader: ExampleReader, features: FeatureTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.training.scored_days.MAX_ROWS", 100)
    monkeypatch.setattr("models.training.scored_days._BATCH_ROWS", 50)
    scored = ScoredDays.drawn_from(reader, seed=1)
    scored.add(9, _Fake(features, 0.0), reader)
    assert scored.calibrator(_Fake(features, 0.0), first_day=9).rows == 100
