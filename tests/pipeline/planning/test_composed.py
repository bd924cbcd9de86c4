"""Plans of transfer parts, alone and together, and the trainings they share."""

from __future__ import annotations

import pytest

from models.days import DayRange
from models.strategies.base import Needs
from models.strategies.registry import create
from tests.pipeline.planning.worlds import completed
from tests.pipeline.planning.worlds import make_baselines_config
from tests.pipeline.planning.worlds import of_kind
from tests.pipeline.planning.worlds import planner

DAY = 38
# The parts of a kind of ours, and the kind.
SAME = {
    "target_only": {},
    "joint": {"source_impressions": "all"},
    "ecdctr": {"snapshots": 3, "warm_start": True},
    "finetune": {"warm_start": True, "load_batch_norm": True},
    "cctl": {"source_impressions": "weighted"},
    "ctnet": {"source_model": "glu"},
}
EVERYTHING = {
    "kind": "composed",
    "snapshots": 2,
    "warm_start": True,
    "source_impressions": "weighted",
    "source_model": "gate",
}


def config_with(**entries):
    """Returns the configuration with these entries, the first being published."""
    return make_baselines_config(strategies=entries, strategy=next(iter(entries)))


def trainings(**entries):
    """Returns the fingerprint of each entry's training on the day."""
    steps = planner(config_with(**entries)).run(DAY, list(entries))
    return {step.strategy: step.training for step in of_kind(steps, "target")}


@pytest.mark.parametrize("impressions", ["all", "weighted"])
def test_all_parts_together_need_what_each_needs(impressions):
    entry = {**EVERYTHING, "source_impressions": impressions}
    assert create("composed", entry).needs(6) == Needs(
        source_impressions=True, tpm_periods=2, cpm=True, source_model=True
    )


def test_all_parts_together_are_planned_in_one_day():
    config = config_with(whole=EVERYTHING)
    steps = planner(config).run(DAY, ["whole"])
    assert [str(step.kind) for step in steps] == [
        *("ingest", "ingest", "tpm", "tpm", "tpm", "cpm", "source", "base", "target")
    ]
    tpm, (cpm,) = of_kind(steps, "tpm"), of_kind(steps, "cpm")
    (base,), (target,) = of_kind(steps, "base"), of_kind(steps, "target")
    (source,) = of_kind(steps, "source")
    assert config.domains_of("whole") == ("feeds", "ads")
    assert base.warm_start == cpm.fingerprint
    assert base.snapshots == (tpm[2].fingerprint, tpm[1].fingerprint)
    assert base.days == DayRange(31, 37)
    assert (
        base.note
        == "restarts from CPM of 1970-02-05, replays 7 days; no model of "
        + ("1970-02-05 or later to continue from")
    )
    assert (target.warm_start, target.source) == (base.fingerprint, source.fingerprint)
    assert target.snapshots == base.snapshots
    assert target.initialize_only
    # The next day trains on the new impressions of all domains, beside the new source.
    later = planner(config, completed(steps)).run(DAY + 1, ["whole"])
    (continued,) = of_kind(later, "target")
    assert (continued.days, continued.initialize_only) == (DayRange(DAY, DAY), False)
    assert continued.note == (
        "continues from whole of 1970-02-08, trains on 1 new day of all domains"
    )


@pytest.mark.parametrize("kind", SAME)
def test_entries_of_the_same_parts_share_their_trainings(kind):
    found = trainings(**{kind: {}, "same": {"kind": "composed", **SAME[kind]}})
    assert found["same"] == found[kind]


def test_entries_of_other_parts_do_not():
    entries = {
        **{kind: {"kind": "composed", **parts} for kind, parts in SAME.items()},
        "weights": {
            "kind": "composed",
            "source_impressions": "weighted",
            "cctl": {"price": 0.25},
        },
        "adapter": {"kind": "composed", "source_model": "linear"},
        "whole": EVERYTHING,
        "mean": {"kind": "composed", "snapshots": 3, "pooling": "mean"},
        "attention": {"kind": "composed", "snapshots": 3},
        "batch_norm_stays": {"kind": "composed", "warm_start": True},
    }
    found = trainings(**entries)
    # Before the first optimizer step, only the adapters differ.
    assert len(set(found.values())) == len(entries)


def test_the_pooling_makes_no_other_network_where_no_snapshots_are_read():
    found = trainings(
        one={"kind": "composed"}, other={"kind": "composed", "pooling": "mean"}
    )
    assert found["one"] == found["other"]


def test_an_identity_tells_adapters_apart_only_beside_a_source_model():
    glu, gate = (
        create("composed", {"source_model": adapter}) for adapter in ("glu", "gate")
    )
    assert glu.identity(source_model=True) != gate.identity(source_model=True)
    assert glu.identity(source_model=False) == gate.identity(source_model=False)
