"""Grid of adversarial worlds: its configurations and each strategy's worst case."""

from __future__ import annotations

import dataclasses

import pytest

from benchmarks.replicates import Replicate
from benchmarks.replicates import configuration
from benchmarks.worlds import grid
from benchmarks.worlds import record_of
from benchmarks.worlds_table import worlds_section
from benchmarks.worlds_table import worst_cases
from components.evaluation.differences import Difference
from pipeline.config.load import load_config
from pipeline.datasets.simulation.settings import plan_domains
from tests.pipeline.comparing.examples import ECDCTR
from tests.pipeline.comparing.examples import TARGET_ONLY
from tests.pipeline.comparing.examples import comparison


@pytest.mark.parametrize("name", grid())
def test_every_world_is_a_valid_configuration_with_room_for_its_ids(name, tmp_path):
    config = load_config(configuration(Replicate(grid()[name], 3, 0), tmp_path))
    simulation = config.simulate
    assert (simulation.seed, config.training.seed) == (3, 3)
    plans = plan_domains(simulation, config.sources, config.target)
    growth = 1 + 0.005 * simulation.num_days
    for space, kind in (("user", "users"), ("item", "items")):
        most = growth * sum(getattr(plan, kind) for plan in plans)
        assert most <= config.vocabularies[space].capacity
    # The run ends with the logs.
    last = config.anchor_day.toordinal() + config.evaluation_days
    assert last - config.first_day.toordinal() == simulation.num_days
    assert str(config.anchor_day) == grid()[name].days[0]


def test_worlds_differ_from_the_plain_one():
    worlds = grid()
    changes = [str(world.changes) for world in worlds.values()]
    assert len(set(changes)) == len(changes)
    assert "few" in worlds


def _world(value, over):
    model = dataclasses.replace(
        ECDCTR,
        differences={"auc": Difference(value, value - 0.01, value + 0.01, 0.02)},
        over_reference=Difference(over, over - 0.01, over + 0.01, 0.03),
    )
    return comparison(models=(model, TARGET_ONLY))


def test_the_worst_case_of_a_strategy_is_its_lowest_difference():
    record = record_of(
        {"plain": _world(0.05, 0.01), "trap": _world(-0.04, 0.02), "odd": _world(0, -1)}
    )
    worst = worst_cases(record)["ecdctr"]
    assert worst["minus_target_only"][0] == "trap"
    assert worst["minus_target_only"][1]["value"] == -0.04
    assert worst["minus_best_reference"][0] == "odd"
    # Six differences, judged together.
    adjusted = record["worlds"]["plain"]["strategies"]["ecdctr"]["minus_target_only"]
    assert adjusted["adjusted"] == pytest.approx(6 * 0.02)
    text = worlds_section(record)
    assert "| ecdctr | trap | -0.0400 [-0.0500, -0.0300] | odd |" in text
    assert "| plain | 0.7000 |" in text
    assert "3 small worlds" in text


def test_a_grid_that_was_not_run_is_named():
    assert "was not run: `make worlds`" in worlds_section(None)
