"""All transfer parts in one entry: what each training takes over and reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.features.table import FeatureTable
from models.training.level import run_level
from models.training.level_inputs import LevelInputs
from models.training.snapshot_export import export_snapshot
from tests.models.stored_weights import stored_shapes
from tests.models.stored_weights import stored_values

pytestmark = pytest.mark.slow


def _names(level: LevelInputs) -> set[str]:
    return set(stored_shapes(level.train_dir))


@pytest.mark.parametrize("impressions", ["all", "weighted"])
def test_snapshots_cpm_source_impressions_and_source_model_in_one_training(
    inputs: Callable[..., LevelInputs],
    features: FeatureTable,
    transform_graph: Path,
    tmp_path: Path,
    impressions: str,
) -> None:
    entry = {
        "kind": "composed",
        "snapshots": 1,
        "warm_start": True,
        "source_impressions": impressions,
        "source_model": "linear",
        "cctl": {"source_ratio": 3, "sync_steps": 2},
    }

    def train(name: str, level: str, **changes: Any) -> tuple[LevelInputs, Any]:
        made = inputs(name, level=level, transform_graph=transform_graph, **changes)
        return made, run_level(made)

    tpm, _ = train("tpm", "tpm", domains=("fr",))
    snapshot = tmp_path / "snapshot"
    export_snapshot(tpm.train_dir, tpm.vocabulary, features, snapshot, period_day=0)
    read = {"snapshots": (snapshot,)}
    cpm, _ = train("cpm", "cpm", domains=("fr",), **read)
    target = {"strategy": entry, **read}
    base, began = train("base", "target", warm_start=cpm.train_dir.parent, **target)
    # It starts from CPM's weights, pooling included, and reads impressions of both.
    assert any(name.startswith("snapshot/") for name in began.warm_start["copied"])
    assert "hidden_0/kernel" in began.warm_start["copied"]
    assert began.rows_by_domain == {"fr": 54, "de": 18}
    assert (began.record is not None) == (impressions == "weighted")

    source, _ = train("source", "source", domains=("fr",))
    day = {"continues": True, "source_model": source.train_dir.parent, **target}
    whole, joined = train(
        "whole", "target", warm_start=base.train_dir.parent, initialize_only=True, **day
    )
    assert joined.steps == 0
    adapters = {name for name in _names(whole) if name.startswith("adapter/")}
    assert adapters
    assert not any(name.startswith("adapter/") for name in _names(base))
    later, report = train(
        "later",
        "target",
        warm_start=whole.train_dir.parent,
        first_day=9,
        last_day=9,
        **day,
    )
    assert report.rows_by_domain == {"fr": 6, "de": 2}
    assert not report.warm_start["new"]
    assert any(
        not np.array_equal(
            stored_values(whole.train_dir, name), stored_values(later.train_dir, name)
        )
        for name in adapters
    )
