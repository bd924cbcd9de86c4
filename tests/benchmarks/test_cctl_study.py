"""Trainings on simulated impressions, as used by `prove_cctl`."""

from __future__ import annotations

from pathlib import Path

from benchmarks.cctl_study import make_world
from benchmarks.cctl_study import written


def test_a_reader_of_several_parts_reads_all_impressions(tmp_path: Path) -> None:
    world = make_world(1, days=8, rows_per_day=300, users=60, items=30)
    parts = {"feeds": world.source, "ads": world.target}
    window = written(world, parts, tmp_path).summarise()
    assert window.num_rows == len(world.source) + len(world.target) > 0
