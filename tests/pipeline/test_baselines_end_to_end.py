"""Real TFX runs of CCTL, of a mixed baseline and of fine-tuning."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from tests.pipeline.markets import DAY
from tests.pipeline.markets import World

pytestmark = [pytest.mark.slow, pytest.mark.long]

FIRST, LAST = "2018-04-03", "2018-07-01"  # the target's window of 90 days


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The world after a run that compares both, with what was printed."""
    world = World(tmp_path_factory.mktemp("world"))
    world.settings |= {
        "references": {"rows": 0},  # test_end_to_end.py has them
        "network": {"width": 4, "hidden_units": [8, 4]},
        "strategy": "mmoe",
        "strategies": {
            "mmoe": {"experts": {"shared": 2}},
            "finetune": {},
            "cctl": {"cctl": {"source_ratio": 2, "sync_steps": 1}},
        },
        "levels": {
            "cpm": {"every_days": 90, "window_days": 90},
            "target": {"window_days": 90},
        },
        "first_day": FIRST,
    }
    world.config.write_text(yaml.safe_dump(world.settings, sort_keys=False))
    imported = world.run("import")
    assert imported.returncode == 0, imported.stderr
    compared = world.run("run", "--day", DAY, "--compare")
    assert compared.returncode == 0, compared.stdout + compared.stderr
    return world, compared.stdout


def _report(world, strategy):
    """Returns the trainer's report of a strategy."""
    reports = [
        json.loads(path.read_text())
        for path in world.root.glob("artifacts/LevelTrainer*/**/report.json")
    ] or [
        json.loads(path.read_text())
        for path in world.root.glob("artifacts/TargetTrainer/**/report.json")
    ]
    (found,) = [
        report
        for report in reports
        if report["level"] == "target" and report["strategy"]["kind"] == strategy
    ]
    return found


def test_a_mixed_baseline_reads_every_domain_of_the_targets_window(ran):
    world, shown = ran
    logged = {
        domain: sum(
            pq.read_metadata(path).num_rows
            for path in Path(world.settings["logs"], domain).glob("*/*.parquet")
            if FIRST <= path.parent.name[5:] <= LAST
        )
        for domain in ("fr", "mx", "de")
    }
    assert _report(world, "mmoe")["rows_by_domain"] == logged
    assert min(logged.values()) > 0
    assert "starts anew on 90 days of all domains" in shown


def test_fine_tuning_takes_over_everything_of_cpm(ran):
    world, _ = ran
    report = _report(world, "finetune")
    assert report["snapshot_days"] == []
    assert (report["warm_start"]["left_out"], report["warm_start"]["new"]) == ({}, {})
    assert "hidden_0_norm/moving_mean" in report["warm_start"]["copied"]


def test_the_mixed_baseline_is_judged_gated_and_published(ran):
    world, shown = ran
    (version,) = world.serving.iterdir()
    lineage = json.loads((version / "assets.extra" / "crossctr.json").read_text())
    assert lineage["decision"]["candidate"]["example_count"] > 0
    assert lineage["strategy"] == "mmoe"
    for strategy in ("mmoe", "finetune", "cctl"):
        assert f"│ {strategy}" in shown


def test_cctl_weighs_every_source_and_serves_what_it_trained(ran):
    world, _ = ran
    report = _report(world, "cctl")
    assert report["rows_by_domain"] == _report(world, "mmoe")["rows_by_domain"]
    saw = report["record"]
    assert sum(saw["rows"].values()) == saw["source_rows"] > 0
    assert all(0 < weight < 1 for weight in saw["weights"].values())
    about = {line.split(":")[0] for line in saw["words"] if ":" in line}
    assert about == {"fr", "mx"}
    assert any(line.startswith("The gain of a window is") for line in saw["words"])
    assert saw["windows"]
    assert report["skew"]["rows"] > 0
    page = (world.root / "reports" / DAY / "report.html").read_text()
    assert "What the sources brought" in page
