"""Worlds and criteria of `cctl_turning`, and the reader that turns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.cctl_study import _Turning
from benchmarks.cctl_study import make_world
from benchmarks.cctl_study import written
from benchmarks.cctl_turning import WORLDS
from benchmarks.cctl_turning import checks
from benchmarks.cctl_turning import turned


@pytest.mark.parametrize("world", WORLDS)
def test_a_source_turns_in_what_its_world_names(world: str) -> None:
    rows = make_world(1, days=8, rows_per_day=300, users=60, items=30).source
    later = turned(rows, world, np.random.default_rng(1))
    before, after = rows.columns, later.columns
    moved = {name for name in before if (before[name] != after[name]).any()}
    assert moved == ({"user_id", "item_id"} if world == "ids" else {"label"})
    if world == "inverted":
        np.testing.assert_array_equal(after["label"], 1 - before["label"])
    for name in moved - {"label"} if world == "ids" else ():
        assert {*np.unique(after[name])} == {*np.unique(before[name])}


def test_a_reader_turns_after_the_first_pass(tmp_path: Path) -> None:
    world = make_world(1, days=8, rows_per_day=300, users=60, items=30)
    ones = world.source.relabelled(np.ones(len(world.source), np.int64))
    parts = {"first": world.source, "later": ones}
    first, later = (written(world, {name: parts[name]}, tmp_path) for name in parts)
    reader = _Turning(first, later).between(0, 8)
    how: dict[str, Any] = {"batch_size": 64, "shuffle_rows": 64, "seed": 1, "span": 1}
    rates = [
        np.concatenate([one.labels for one in reader.prefetched(epoch=epoch, **how)])
        for epoch in (0, 1, 2)
    ]
    assert 0 < rates[0].mean() < 1
    assert rates[1].mean() == rates[2].mean() == 1


def _found(companion: float, blind: float, seeds: int = 10) -> list[dict[str, Any]]:
    def of(gauc: float, seed: int) -> dict[str, float]:
        return {"gauc": gauc + 1e-4 * seed}

    return [
        {
            world: {
                "companion": of(companion, 2 * seed),
                "blind": of(blind, seed),
                "target_only": of(0.6, seed),
            }
            for world in WORLDS
        }
        for seed in range(seeds)
    ]


def test_the_companion_must_be_told_apart_above() -> None:
    assert all(checks(_found(0.62, 0.61)).values())
    worse = checks(_found(0.61, 0.62))
    assert worse["shuffled: companion above target_only"]
    assert not worse["shuffled: companion above blind"]
    assert not any(checks(_found(0.62, 0.61, seeds=9)).values())
