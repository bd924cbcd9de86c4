"""Small simulated worlds, and their impressions as columns."""

from pathlib import Path

import numpy as np

from pipeline.datasets.simulation.settings import SimulationConfig
from pipeline.datasets.simulation.settings import plan_domains
from pipeline.datasets.simulation.world import DomainWorld

NUM_DAYS = 40
COLUMNS = ("user", "item", "slot", "hour", "minute", "probability", "accident", "click")


def plans(sources=("feeds",), **knobs):
    """Returns the plans of `sources` and ads, 40 days of a small world."""
    simulation = SimulationConfig(truth=Path("truth"), preset="small", **knobs)
    return {plan.name: plan for plan in plan_domains(simulation, sources, "ads")}


def world(domain="feeds", seed=17, sources=("feeds",), **knobs):
    return DomainWorld(plans(sources, **knobs)[domain], seed, NUM_DAYS)


def rows(simulated, day, chunk_rows=1 << 20):
    """Returns a day's impressions as columns."""
    chunks = list(simulated.day(day, chunk_rows))
    return {
        name: np.concatenate([getattr(chunk, name) for chunk in chunks])
        for name in COLUMNS
    }


def assert_same(first, second):
    for name in COLUMNS:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)
