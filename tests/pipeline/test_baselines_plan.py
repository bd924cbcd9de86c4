"""Plans of the baselines: training data, warm starts and clocks."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from models.days import DayRange
from tests.pipeline.planning.worlds import ONE_DAY
from tests.pipeline.planning.worlds import make_baselines_config
from tests.pipeline.planning.worlds import make_config
from tests.pipeline.planning.worlds import planner
from tests.pipeline.planning.worlds import run_days

TOWERS = ("shared_bottom", "mmoe", "ple", "star")
MIXED = ("joint", *TOWERS, "cctl")


def test_every_kind_plans_one_target_step_of_its_own():
    steps = planner(make_baselines_config()).run(38, list(ONE_DAY))
    targets = [step for step in steps if step.kind == "target"]
    assert [step.strategy for step in targets] == list(ONE_DAY)
    assert len({step.training for step in targets}) == len(ONE_DAY)
    assert {step.days for step in targets} == {DayRange(31, 37)}


@pytest.mark.parametrize("strategy", MIXED)
def test_mixed_strategies_need_no_level_but_the_target(strategy):
    steps = planner(make_baselines_config()).run(38, [strategy])
    assert [step.kind for step in steps] == ["ingest", "ingest", "target"]
    assert (steps[-1].warm_start, steps[-1].snapshots) == (None, ())
    assert steps[-1].note.startswith("starts anew on 7 days of all domains")


@pytest.mark.parametrize(
    ("strategy", "domains"),
    [
        ("ecdctr", ("ads",)),
        ("target_only", ("ads",)),
        ("finetune", ("ads",)),
        *((strategy, ("feeds", "ads")) for strategy in MIXED),
    ],
)
def test_whose_rows_the_target_level_reads(strategy, domains):
    assert make_baselines_config().domains_of(strategy) == domains


def test_finetune_is_the_same_cpm_with_its_batch_norm():
    config = make_baselines_config()
    steps = planner(config).run(38, ["finetune", "no_tpm"])
    (cpm,) = [step for step in steps if step.kind == "cpm"]
    finetune, no_tpm = steps[-2:]
    assert finetune.warm_start == no_tpm.warm_start == cpm.fingerprint
    assert finetune.snapshots == cpm.snapshots == ()
    assert config.needs("finetune").batch_norm
    assert not config.needs("no_tpm").batch_norm
    assert finetune.training != no_tpm.training


@pytest.mark.parametrize("strategy", MIXED)
def test_mixed_strategies_restart_with_cpm_and_continue_between(strategy):
    _, targets = run_days(range(34, 42), [strategy], config=make_baselines_config())
    trained = [(s.day, s.days.first, s.continues) for s in targets.values()]
    assert trained == [
        (34, 27, False),
        (35, 28, False),
        (36, 35, True),
        (37, 36, True),
        (38, 37, True),
        (39, 38, True),
        (40, 33, False),
        (41, 40, True),
    ]
    note = targets[36, strategy].note
    assert note.endswith("trains on 1 new day of all domains")
    assert targets[36, strategy].warm_start == targets[35, strategy].training


def test_a_network_continues_its_own_kind_alone():
    _, targets = run_days([35, 36], TOWERS, config=make_baselines_config())
    for strategy in TOWERS:
        parent = targets[36, strategy].warm_start
        assert parent == targets[35, strategy].training
    assert len({targets[36, strategy].warm_start for strategy in TOWERS}) == len(TOWERS)


def test_other_experts_make_another_model_and_nothing_else_due():
    more = {"mmoe": {}, "mmoe_8": {"kind": "mmoe", "experts": {"shared": 8}}}
    config = make_baselines_config(strategies={"ecdctr": {}, **more})
    few, many = planner(config).run(38, list(more))[-2:]
    assert few.training != many.training
    assert config.entry_of("mmoe_8")["experts"]["shared"] == 8
    assert "experts" not in config.entry_of("ecdctr")


def test_ablations_of_cctl_are_models_of_their_own():
    entries = {
        "cctl": {},
        "equal": {"kind": "cctl", "cctl": {"estimator": "uniform"}},
        "k_10": {"kind": "cctl", "cctl": {"sync_steps": 10}},
        "plain": {"kind": "cctl", "cctl": {"enhancement": 0, "alignment": False}},
    }
    config = make_baselines_config(strategies={"ecdctr": {}, **entries})
    targets = planner(config).run(38, list(entries))[-4:]
    assert len({step.training for step in targets}) == 4
    assert config.entry_of("k_10")["cctl"]["sync_steps"] == 10
    assert "cctl" not in config.entry_of("ecdctr")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param(
            {"features": make_config().features},
            "mmoe has a part of each domain's own and needs the feature 'domain'",
            id="no domain",
        ),
        pytest.param(
            {
                "features": make_config().features,
                "strategies": {"ecdctr": {}, "cctl": {}},
            },
            "cctl weights each source separately and needs the feature 'domain'",
            id="no domain for cctl",
        ),
        pytest.param(
            {
                "vocabularies": {
                    **{name: {"capacity": 9} for name in ("user", "item")},
                    "domain": {"capacity": 4, "encoding": "hash"},
                }
            },
            "append-only vocabulary",
            id="hashed",
        ),
        pytest.param(
            {"network": {"hidden_units": [8]}},
            r"received network.hidden_units \[8\], expected two or more",
            id="one layer",
        ),
    ],
)
def test_a_network_with_towers_is_refused_without_what_it_needs(changes, words):
    changes = {"strategies": {"ecdctr": {}, "mmoe": {}}, **changes}
    with pytest.raises(ValidationError, match=words):
        make_baselines_config(**changes)


def test_star_has_no_tower_and_joint_no_part_of_a_domains_own():
    strategies = {"ecdctr": {}, "star": {}}
    make_baselines_config(strategies=strategies, network={"hidden_units": [8]})
    make_config(strategies={"ecdctr": {}, "joint": {}})
