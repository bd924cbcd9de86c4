"""Levels with a wide part: `linear` from shards to a SavedModel, and continued days."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from models.settings import TrainingConfig
from tests.models.stored_weights import stored_shapes
from tests.models.stored_weights import stored_values

pytestmark = pytest.mark.slow

Train = Callable[..., Path]
LINEAR = {"strategy": {"kind": "linear"}}
ONE_DAY = {"first_day": 9, "last_day": 9, "continues": True}


def values(model: Path, name: str) -> Any:
    return stored_values(model / "Format-Train", name)


def test_linear_trains_is_stored_and_served(train: Train) -> None:
    model = train("target", "linear", **LINEAR)
    names = set(stored_shapes(model / "Format-Train"))
    assert "wide/user_id/weight" in names
    assert not [name for name in names if name.startswith("embedding/")]
    served = tf.saved_model.load(str(model / "Format-Serving"))
    raw = {
        "user_id": tf.constant(["u0", "u1", "nobody"]),
        "item_id": tf.constant(["i1", "i2", ""]),
        "domain": tf.constant(["de", "de", "de"]),
        "recent_items": tf.constant([["i0", "i1"], ["", ""], ["", ""]]),
        "item_impressions": tf.constant([3, 0, -1], tf.int64),
        "item_click_rate": tf.constant([0.5, 0.1, np.nan], tf.float32),
    }
    scores = served.signatures["predict"](**raw)["ctr"].numpy()
    assert len(set(scores.tolist())) == 3
    assert ((scores > 0) & (scores < 1)).all()


@pytest.mark.parametrize("strategy", [LINEAR, {}], ids=["linear", "target_only"])
def test_a_day_more_moves_weights_from_where_they_were(
    train: Train, strategy: dict[str, Any]
) -> None:
    yesterday = train("target", "yesterday", **strategy)
    slow = TrainingConfig(batch_size=8, wide_learning_rate=1e-4)
    today = train(
        "target",
        "today",
        warm_start=yesterday,
        training=slow,
        **ONE_DAY,
        **strategy,
    )
    before, after = (values(m, "wide/user_id/weight") for m in (yesterday, today))
    # A day of four impressions cannot have all users.
    moved = before != after
    assert moved.any()
    assert (before[~moved] != 0).any()
    # Without its slots, FTRL would begin the touched weights from 0 again.
    assert (before[moved] != 0).any()
    np.testing.assert_allclose(after, before, atol=1e-3)


def test_slots_are_inherited_with_the_weights(train: Train) -> None:
    keep = TrainingConfig(batch_size=8, epochs=2, inherit_optimizer=True)
    settings = {**LINEAR, "training": keep}
    yesterday = train("target", "yesterday", **settings)
    today = train("target", "today", warm_start=yesterday, **ONE_DAY, **settings)
    rows = values(yesterday, "wide/user_id/weight").shape
    slots = [
        name
        for name, shape in stored_shapes(today / "Format-Train").items()
        if name.startswith("optimizer/2/") and shape == rows
    ]
    assert len(slots) == 2
    untouched = values(yesterday, "wide/user_id/weight") == values(
        today, "wide/user_id/weight"
    )
    for name in slots:
        old, new = values(yesterday, name), values(today, name)
        np.testing.assert_array_equal(old[untouched], new[untouched])
        assert (old != new).any()
