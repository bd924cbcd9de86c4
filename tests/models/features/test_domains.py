"""Features that only some domains have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from models.features.feature import Feature
from models.features.id_space import IdSpace
from models.features.table import FeatureTable
from models.training.level_inputs import LevelInputs


def _id(name: str, *domains: str, tpm: bool = False) -> Feature:
    return Feature(name=name, kind="id", vocabulary="code", domains=domains, tpm=tpm)


def _table(*features: Feature) -> FeatureTable:
    spaces = {"code": IdSpace(capacity=4)}
    return FeatureTable(features=features, vocabularies=spaces, target="ads")


@pytest.fixture(scope="module")
def table() -> FeatureTable:
    both = Feature(name="pair", kind="cross", of=("ours", "common"))
    return _table(
        _id("common", tpm=True),
        _id("ours", "ads", tpm=True),
        _id("theirs", "feeds", tpm=True),
        both,
    )


def _names(table: FeatureTable | None) -> list[str]:
    assert table is not None
    return [feature.name for feature in table.features]


def test_a_domain_has_the_crosses_whose_parts_it_has(table: FeatureTable) -> None:
    assert _names(table.of_domains(["feeds"])) == ["common", "theirs"]
    assert _names(table.of_target()) == ["common", "ours", "pair"]
    assert _names(table.of_domains(["feeds", "ads"])) == _names(table)
    assert _names(table.without(table.of_target())) == ["theirs"]
    assert table.without(table) is None


def test_requests_have_the_targets_features(table: FeatureTable) -> None:
    assert [f.name for f in table.requested] == ["common", "ours"]
    again = FeatureTable.from_json(table.to_json())
    assert [f.name for f in again.requested] == ["common", "ours"]


def test_a_cross_of_features_that_no_domain_has_together_is_refused() -> None:
    parts = (_id("ours", "ads"), _id("theirs", "feeds"))
    cross = Feature(name="pair", kind="cross", of=("ours", "theirs"))
    with pytest.raises(ValidationError, match="no domain has together: ours, theirs"):
        _table(*parts, cross)


@pytest.mark.parametrize(
    ("level", "kind", "domains", "read"),
    [
        ("target", "target_only", ("ads",), ["common", "ours", "pair"]),
        ("target", "joint", ("feeds", "ads"), ["common", "ours", "theirs", "pair"]),
        ("target", "cctl", ("feeds", "ads"), ["common", "ours", "theirs", "pair"]),
        # One shape of network, read on the target's impressions.
        ("cpm", "ecdctr", ("feeds",), ["common", "ours", "pair"]),
        ("target", "ecdctr", ("ads",), ["common", "ours", "pair"]),
        ("source", "ctnet", ("feeds",), ["common", "ours", "pair"]),
        ("target", "ctnet", ("ads",), ["common", "ours", "pair"]),
        # Never served.
        ("tpm", "ecdctr", ("feeds",), ["common", "theirs"]),
    ],
)
def test_networks_read_the_features_of_the_domains_they_are_trained_on(
    table: FeatureTable,
    tmp_path: Path,
    level: str,
    kind: str,
    domains: tuple[str, ...],
    read: list[str],
) -> None:
    settings: dict[str, Any] = {"level": level, "domains": domains}
    inputs = LevelInputs.model_validate(
        {
            **settings,
            "examples": ("none",),
            "vocabulary": tmp_path,
            "transform_graph": tmp_path,
            "first_day": 0,
            "last_day": 1,
            "features": table,
            "network": {},
            "training": {},
            "strategy": {"kind": kind},
            "serving_dir": tmp_path,
            "train_dir": tmp_path,
            "run_dir": tmp_path,
        }
    )
    assert _names(inputs.read_features) == read
