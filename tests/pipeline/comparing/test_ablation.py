"""Variants of E-CDCTR: differences, shared levels, comparison."""

from __future__ import annotations

import numpy as np
import pytest

from components.evaluation.differences import Difference
from models.errors import ConfigError
from pipeline.comparing.ablation import ablation_variants
from pipeline.comparing.measure import measure
from pipeline.comparing.trials import with_variants
from pipeline.planning.steps import Known
from pipeline.report.scoring import Scored
from tests.pipeline.planning.worlds import completed
from tests.pipeline.planning.worlds import make_config
from tests.pipeline.planning.worlds import planner


def test_the_variants_differ_from_the_whole_in_one_key_each():
    variants = ablation_variants(make_config())
    assert list(variants) == [
        "whole",
        "no_tpm",
        "no_cpm",
        "batch_norm_too",
        "mean_pooling",
        "1_snapshots",
        "6_snapshots",
        "target_only",
    ]
    whole = variants["whole"].model_dump()
    for name, variant in list(variants.items())[1:-1]:
        changed = [k for k, v in variant.model_dump().items() if v != whole[k]]
        assert len(changed) == 1, name


def test_a_configuration_without_ecdctr_is_refused():
    config = make_config(strategies={"target_only": {}}, strategy="target_only")
    with pytest.raises(ConfigError, match="no strategy has parts to leave out"):
        ablation_variants(config)


def test_every_variant_is_a_training_of_its_own_and_none_is_published():
    config = with_variants(make_config(), ablation_variants(make_config()), seed=3)
    assert config.strategy == ""
    steps = planner(config, Known(live=((30, "live"),))).run(
        88, list(config.strategies), judge=False
    )
    targets = [step for step in steps if step.kind == "target"]
    assert len({step.training for step in targets}) == len(config.strategies)
    assert all(step.live is None for step in targets)
    snapshots = {step.strategy: len(step.snapshots) for step in targets}
    assert snapshots["1_snapshots"] == 1
    assert snapshots["6_snapshots"] == 6
    # With BatchNorm loaded too, and from the same CPM as the whole.
    by_name = {step.strategy: step for step in targets}
    assert by_name["batch_norm_too"].warm_start == by_name["whole"].warm_start
    assert by_name["mean_pooling"].warm_start != by_name["whole"].warm_start
    again = planner(config, completed(steps)).run(
        88, list(config.strategies), judge=False
    )
    # None is published, so there is nothing left to do.
    assert all(step.done for step in again)


def test_a_seed_changes_the_trainings_and_not_the_ingest():
    config = make_config(
        levels={
            "tpm": {"every_days": 10, "window_days": 20},
            "cpm": {"every_days": 5, "window_days": 10, "training": {"epochs": 3}},
            "target": {"window_days": 7},
        }
    )
    variants = ablation_variants(config)
    first, second = (
        planner(with_variants(config, variants, seed)).run(38, ["whole"])
        for seed in (1, 2)
    )
    for one, other in zip(first, second, strict=True):
        assert (one.fingerprint == other.fingerprint) == (one.kind == "ingest")
    seeded = with_variants(config, variants, 5)
    assert seeded.training_of("cpm").epochs == 3
    assert {seeded.training_of(level).seed for level in ("tpm", "cpm", "target")} == {5}


def test_variants_are_measured_against_the_whole():
    users = np.array([b"a", b"a", b"b", b"b"] * 50, object)
    labels = np.array([1, 0] * 100)
    good = np.where(labels == 1, 0.9, 0.1).astype(np.float32)
    scored = {
        "whole": [Scored(users, labels, good)],
        "same": [Scored(users, labels, good)],
        "reversed": [Scored(users, labels, 1 - good)],
    }
    whole, same, reverse = measure(scored, "whole").models
    assert whole.metrics["gauc"] == 1.0
    assert not whole.differences
    assert same.differences["gauc"] == Difference(0.0, 0.0, 0.0, 1.0)
    assert reverse.differences["gauc"].value == pytest.approx(-1.0)
    assert reverse.differences["gauc"].high < 0
