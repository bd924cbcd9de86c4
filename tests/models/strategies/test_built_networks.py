"""Sizes of `crossctr sizes` against the networks that trainings build."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from models.features.table import FeatureTable
from models.strategies.registry import kinds
from models.training.level import run_level
from models.training.level_inputs import LevelInputs
from models.training.snapshot_export import export_snapshot
from pipeline.cli.sizes import size_table
from tests.pipeline.planning.worlds import make_config

ENTRIES: dict[str, dict[str, Any]] = {
    **{kind: {} for kind in kinds()},
    "no_snapshots": {"kind": "ecdctr", "snapshots": 0},
    "ctnet_snapshots": {"kind": "ctnet", "snapshots": 2},
    "parts": {
        "kind": "composed",
        "snapshots": 2,
        "warm_start": True,
        "source_impressions": "weighted",
        "source_model": "glu",
    },
    "more_experts": {"kind": "mmoe", "experts": {"shared": 5}},
}


def _parameters(level: LevelInputs) -> dict[str, int]:
    report = json.loads((level.train_dir / "report.json").read_text())
    found: dict[str, int] = report["parameters"]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", list(ENTRIES))
def test_sizes_counts_the_network_that_a_training_builds(
    inputs: Callable[..., LevelInputs],
    features: FeatureTable,
    transform_graph: Path,
    tmp_path: Path,
    name: str,
) -> None:
    config = make_config(
        target="de",
        sources=["fr"],
        columns={f.name: f.name for f in features.features if f.name != "domain"},
        **features.model_dump(exclude={"target"}),
        network={"width": 3, "hidden_units": [4, 3]},
        training={"batch_size": 8, "epochs": 1},
        strategies={name: ENTRIES[name]},
        strategy=name,
    )

    def train(folder: str, **changes: Any) -> LevelInputs:
        settings = {
            "domains": config.domains_of(name),
            "network": config.network_of(name),
            "training": config.training,
            "transform_graph": transform_graph,
        }
        level = inputs(folder, **{**settings, **changes})
        run_level(level)
        return level

    snapshots = []
    if periods := config.needs(name).tpm_periods:
        tpm = train("tpm", level="tpm", domains=("fr",))
        for period in range(periods):
            snapshots.append(tmp_path / f"snapshot-{period}")
            export_snapshot(
                tpm.train_dir,
                tpm.vocabulary,
                features,
                snapshots[-1],
                period_day=9 - period,
            )
    more: dict[str, Any] = {"snapshots": tuple(snapshots)}
    if config.needs(name).source_model:
        base = train("base", **more)
        source = train("source", level="source", domains=("fr",))
        more |= {
            "continues": True,
            "warm_start": base.train_dir.parent,
            "source_model": source.train_dir.parent,
        }
    trained = _parameters(train("target", **more, **config.target_settings(name)))
    (line,) = list(size_table(config))[2:]
    cells = [cell.replace(",", "") for cell in line.split(" | ")]
    wide = int(cells[4]) if cells[4].isdigit() else 0
    counted = {"embedding": int(cells[1]), "dense": int(cells[2]), "wide": wide}
    assert counted == {"wide": 0, **trained}
