"""Features of some domains only: what a configuration makes of them, and refuses."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from typing import cast

import pytest
import yaml

from components.log_example_gen.wanted import wanted_columns
from models.days import DayRange
from models.errors import ConfigError
from pipeline.config.load import load_config
from pipeline.config.schema import Config
from pipeline.planning.steps import Step
from pipeline.release.card_context import card_context

GROUP = {
    "name": "group",
    "kind": "id",
    "vocabulary": "group",
    "domains": ["ca"],
}
SETTINGS: dict[str, Any] = {
    "name": "ads",
    "root": "../runs/ads",
    "logs": "logs",
    "schema": "ads.pbtxt",
    "first_day": "2020-01-01",
    "target": "de",
    "sources": ["ca", "uk"],
    "columns": {"user_id": "uid", "item_id": "ad"},
    "domain_columns": {"ca": {"group": "u_group"}},
    "label": "clicked == 1",
    "vocabularies": {space: {"capacity": 5} for space in ("user", "item", "group")},
    "features": [
        {"name": "user_id", "kind": "id", "vocabulary": "user", "tpm": True},
        {"name": "item_id", "kind": "id", "vocabulary": "item", "tpm": True},
        GROUP,
    ],
    "levels": {"cpm": {"field_dropout": 0.3}},
    "serving": {"directory": "/srv/models"},
}

Load = Callable[..., Config]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Returns a function that loads `SETTINGS` with changes."""

    def load_changed(**changes: Any) -> Config:
        path = tmp_path / "ads.yaml"
        path.write_text(yaml.safe_dump(copy.deepcopy(SETTINGS) | changes))
        return load_config(path)

    return load_changed


def test_a_column_is_read_in_the_domains_that_have_the_feature(load: Load) -> None:
    config = load()
    read = {
        domain: "u_group" in wanted_columns(config.domain_log(domain), config.table)
        for domain in config.domains
    }
    assert read == {"ca": True, "uk": False, "de": False}
    # A column for all domains is read in these alone, too.
    config = load(columns={**SETTINGS["columns"], "group": "grp"}, domain_columns={})
    assert config.domain_log("ca").columns["group"] is not None
    assert config.domain_log("de").columns["group"] is None


def test_requests_and_slices_have_no_feature_of_sources_alone(load: Load) -> None:
    config = load()
    assert [f.name for f in config.table.requested] == ["user_id", "item_id"]
    with pytest.raises(ConfigError, match="'group' is not one of user_id, item_id"):
        load(slices={"by_group": "group"})


def test_a_card_lists_the_inputs_of_the_served_model(load: Load) -> None:
    step = SimpleNamespace(
        evaluation=DayRange(10, 12),
        strategy="ecdctr",
        fingerprint="f",
        training="t",
        blocks=(),
        evaluation_blocks=(),
        warm_start=None,
        source=None,
        snapshots=(),
        live=None,
        references=None,
    )
    context = card_context(load(), cast(Step, step))
    listed = [(one.name, one.side) for one in context.features]
    assert listed == [("user_id", "user"), ("item_id", "item")]


def test_a_feature_that_no_target_model_reads_is_not_masked(load: Load) -> None:
    assert load().masked_of("cpm") == {}
    lacking = {"ca": {"group": "u_group"}, "de": {"item_id": None}}
    masked = load(domain_columns=lacking).masked_of("cpm")
    assert masked == {"masked": ["item_id"], "masked_share": 0.3}


def test_without_such_features_the_target_is_no_part_of_the_table(load: Load) -> None:
    features = SETTINGS["features"][:2]
    config = load(features=features, domain_columns={})
    assert config.table.target is None
    assert load().table.target == "de"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"features": [*SETTINGS["features"][:2], {**GROUP, "domains": ["cb"]}]},
            "features.group.domains: 'cb' is not one of ca, uk, de",
        ),
        (
            {"domain_columns": {}},
            "feature 'group' of domain 'ca' has no column; add",
        ),
        (
            {"domain_columns": {"ca": {"group": "g"}, "uk": {"group": "h"}}},
            "domain_columns.uk.group names a column of a feature with "
            "`domains: [ca]`; add 'uk' there, or remove the column",
        ),
        (
            {
                "features": [
                    {**SETTINGS["features"][0], "domains": ["ca"]},
                    *SETTINGS["features"][1:],
                ]
            },
            "feature 'user_id' has `domains: [ca]`, but impressions of all domains",
        ),
    ],
    ids=["unknown domain", "no column", "column elsewhere", "user"],
)
def test_what_does_not_fit_together_is_named(
    load: Load, changes: dict[str, Any], text: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        load(**changes)
    assert text in str(raised.value)
