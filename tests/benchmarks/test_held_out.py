"""Impressions that studies hold out, and what they say of returning users."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.criteria import CRITERIA
from benchmarks.criteria import ReturningCriteria
from benchmarks.held_out import HeldOut
from benchmarks.held_out import Remaining
from benchmarks.held_out import where
from models.data.batches import Batch

pytestmark = pytest.mark.checkout


def batch(seed: int = 0, rows: int = 4_000) -> Batch:
    rng = np.random.default_rng(seed)
    ids = {name: rng.integers(2, 500, rows) for name in ("user_id", "item_id")}
    ids["row"] = np.arange(rows)
    return Batch(ids, rng.random(rows).astype(np.float32), rng.integers(0, 20, rows))


class Reader:
    """Reader of one window in batches of any size."""

    def batches(self, *, size: int) -> Any:
        whole = batch()
        for start in range(0, len(whole.labels), size):
            inside = np.zeros(len(whole.labels), bool)
            inside[start : start + size] = True
            yield where(whole, inside)


def test_a_share_of_the_old_days_is_held_out_and_the_same_in_every_batch() -> None:
    held_out, whole = HeldOut(3, 7, share=0.3), batch()
    mask = held_out.mask(whole)
    old = (whole.days >= 3) & (whole.days <= 7)
    assert not mask[~old].any()
    assert 0.25 < mask[old].mean() < 0.35
    for size in (7, 512, 10_000):
        kept = [
            part.rows["row"]
            for part in Remaining(Reader(), held_out).batches(size=size)
        ]
        np.testing.assert_array_equal(np.concatenate(kept), np.flatnonzero(~mask))


def test_old_days_that_a_level_still_trains_on_are_refused() -> None:
    criteria = CRITERIA.ecdctr.returning.model_dump()
    with pytest.raises(ValueError, match=r"old_days .* must lie before day 195"):
        ReturningCriteria.model_validate({**criteria, "old_days": (60, 195)})


def test_the_criteria_name_variants_of_the_study() -> None:
    from benchmarks.ecdctr_returning import variants

    assert set(CRITERIA.ecdctr.returning.below) < set(variants())


def test_differences_are_over_worlds_and_corrected_for_all_variants() -> None:
    from benchmarks.ecdctr_returning import differences_of

    gains = {"whole": 0.0, "no_tpm": -0.05, "mean_pooling": 0.001}
    results = [
        {
            name: {"old": {"gauc": 0.6 + gain + 0.002 * ((seed * place) % 5)}}
            for place, (name, gain) in enumerate(gains.items(), 1)
        }
        for seed in range(10)
    ]
    found = differences_of(results, "old")
    assert found["no_tpm"]["told_apart_below"]
    assert not found["mean_pooling"]["told_apart_below"]
    assert found["whole"].keys() == {"gauc", "text"}
    mean, low, high = found["no_tpm"]["minus_whole"]
    assert low < mean < high < 0


@pytest.mark.slow
def test_a_world_is_studied_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarks import ecdctr_returning

    every = ecdctr_returning.variants()
    # Those without a level; the others change a number or a switch of the network.
    chosen = {name: every[name] for name in ("whole", "no_tpm", "no_cpm")}
    monkeypatch.setattr(ecdctr_returning, "variants", lambda: chosen)
    criteria = CRITERIA.ecdctr.returning.model_copy(
        update={
            "days": 30,
            "later_days": 2,
            "tpm_window": 15,
            "tpm_every": 5,
            "cpm_window": 5,
            "target_window": 8,
            "old_days": (2, 15),
            "world": {
                "rows_per_day": 400,
                "sparsity": 4,
                "users": 120,
                "items": 40,
                "returning_users": 0.8,
                "absence_days": 20,
            },
        }
    )
    result = ecdctr_returning.run(criteria, 3, tmp_path)
    assert set(result) == set(chosen)
    for by_part in result.values():
        assert set(by_part) == {"old", "later", "returning"}
        assert all(0 < by_part[part]["log_loss"] < 5 for part in by_part)
    assert result["no_tpm"] != result["whole"]
