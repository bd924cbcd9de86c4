"""Worlds and criteria of `cctl_weights`."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import cctl_weights
from benchmarks.cctl_weights import SOURCES
from benchmarks.cctl_weights import changed
from benchmarks.cctl_weights import checks
from benchmarks.cctl_weights import make_world


def test_a_mixed_world_changes_what_is_marked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cctl_weights, "_SOURCE_ROWS", 1_500)
    monkeypatch.setattr(cctl_weights, "_DRAWN_A_DAY", 100)
    monkeypatch.setattr(cctl_weights, "_TARGET_ROWS", 300)
    world = make_world(1)
    sources, marks = changed(world, "mixed", 1)
    for name in SOURCES:
        before, after = world.sources[name].columns, sources[name].columns
        moved = {c for c in before if (before[c] != after[c]).any()}
        assert moved == {
            "segments": {"label"},
            "shuffled": {"label"},
            "ids": {"user_id", "item_id"},
            "bucket": {"user_id"},
        }.get(name)
        for column in moved:
            differ = before[column] != after[column]
            assert not differ[~marks[name]].any()
    assert marks["ids"].all()
    assert 0.1 < marks["bucket"].mean() < 0.5
    clean, none = changed(world, "clean", 1)
    assert clean == world.sources
    assert not np.concatenate(list(none.values())).any()


def test_criteria_are_of_means_over_seeds() -> None:
    good = {f"{name}_auc": 0.95 for name in SOURCES}
    good |= {f"{name}_ratio": 0.4 for name in SOURCES}
    good |= {"clean": 0.92, "bad": 0.05}
    assert all(checks([good, good]).values())
    worse = {**good, "ids_auc": 0.8, "clean": 0.85}
    failed = [name for name, holds in checks([good, worse]).items() if not holds]
    assert failed == ["ids", "clean"]
