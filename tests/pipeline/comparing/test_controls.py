"""Controls that comparisons add: weights of CCTL, equal numbers of steps."""

from __future__ import annotations

import pytest

from models.features.feature import DOMAIN_FEATURE
from pipeline.comparing.controls import declared_controls
from pipeline.comparing.controls import equal_steps
from pipeline.comparing.run import chosen
from tests.pipeline.comparing.examples import cost
from tests.pipeline.planning.worlds import make_config

DOMAIN = {"name": DOMAIN_FEATURE, "kind": "id", "vocabulary": DOMAIN_FEATURE}


def world(*names, **changes):
    """Returns a configuration that tells domains apart, and its entries by name."""
    plain = make_config()
    features = [feature.model_dump() for feature in plain.features]
    config = make_config(
        features=[*features, DOMAIN],
        vocabularies={name: {"capacity": 9} for name in ("user", "item", "domain")},
        **changes,
    )
    return config, chosen(config, names)


def steps(target, batch_size):
    return cost(steps={"target": target}, batch_size=batch_size)


def test_a_table_with_cctl_has_all_weights_1_and_all_weights_0():
    config, entries = world("target_only", "cctl")
    found = declared_controls(config, entries)
    assert {name: entry.cctl.estimator for name, entry in found.items()} == {
        "cctl_equal": "uniform",
        "cctl_zero": "zero",
    }


def test_controls_keep_what_else_the_entry_has():
    config, entries = world(
        "mine",
        strategies={
            "ecdctr": {},
            "mine": {
                "kind": "cctl",
                "cctl": {"source_ratio": 3},
                "training": {"target": {"epochs": 4}},
                "network": {"width": 3},
            },
        },
    )
    found = declared_controls(config, entries)
    assert list(found) == ["mine_equal", "mine_zero"]
    for entry in found.values():
        assert (entry.kind, entry.cctl.source_ratio) == ("cctl", 3)
        assert entry.training.target.model_dump(exclude_unset=True) == {"epochs": 4}
        assert entry.network.model_dump(exclude_unset=True) == {"width": 3}


def test_a_control_that_stands_in_the_table_already_is_not_added():
    config, entries = world(
        "cctl",
        "w1",
        strategies={
            "ecdctr": {},
            "cctl": {},
            "w1": {"kind": "cctl", "cctl": {"estimator": "uniform"}},
        },
    )
    assert list(declared_controls(config, entries)) == ["cctl_zero"]


def test_strategies_without_weights_declare_no_controls():
    config, entries = world("ecdctr", "target_only", "joint", "star")
    assert declared_controls(config, entries) == {}


def test_the_baseline_gets_the_steps_of_methods_that_mix_in_sources():
    config, entries = world("target_only", "cctl", "joint", "star", "ecdctr")
    costs = {
        "target_only": steps(31, 512),
        "cctl": steps(279, 57),
        "joint": steps(310, 512),
        "star": steps(310, 512),
        # Its target level reads the target alone.
        "ecdctr": steps(62, 256),
    }
    found = equal_steps(config, entries, costs)
    assert list(found) == ["equal_steps_279", "equal_steps_310"]
    entry, note = found["equal_steps_279"]
    own = entry.training.target.model_dump(exclude_unset=True)
    # 31 steps of 512 are 15,872 impressions.
    assert own == {"batch_size": 15_872 // 279, "min_steps_per_pass": 0}
    assert entry.kind == "target_only"
    assert note == (
        "target_only in batches of 56 impressions, for about the 279 optimizer steps "
        "of cctl"
    )
    assert found["equal_steps_310"][1].endswith("steps of joint, star")


def test_a_control_has_the_other_settings_of_the_baseline():
    own = {"target": {"batch_size": 64, "epochs": 3}}
    config, entries = world(
        "plain",
        "joint",
        strategies={"ecdctr": {}, "plain": {"kind": "target_only", "training": own}},
    )
    costs = {"plain": steps(100, 64), "joint": steps(400, 64)}
    (entry, _), *_ = equal_steps(config, entries, costs).values()
    given = entry.training.target.model_dump(exclude_unset=True)
    assert given == {"batch_size": 16, "epochs": 3, "min_steps_per_pass": 0}


@pytest.mark.parametrize(
    "costs",
    [
        {"target_only": steps(100, 64), "joint": steps(109, 64)},
        {"joint": steps(109, 64)},
        # Made by former versions.
        {"target_only": cost(), "joint": cost()},
        {"target_only": steps(100, None), "joint": steps(300, None)},
    ],
    ids=["about as many", "no baseline", "unknown", "unknown batch"],
)
def test_no_control_where_there_is_nothing_to_control_for(costs):
    config, entries = world("target_only", "joint")
    assert equal_steps(config, entries, costs) == {}


def test_no_batch_has_fewer_impressions_than_two():
    config, entries = world("target_only", "joint")
    costs = {"target_only": steps(10, 16), "joint": steps(4_000, 16)}
    ((entry, _),) = equal_steps(config, entries, costs).values()
    assert entry.training.target.batch_size == 2
