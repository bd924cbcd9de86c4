"""Criteria of alignment and enhancement: which differences pass."""

from __future__ import annotations

from benchmarks.criteria import CRITERIA
from benchmarks.prove_cctl_network import checks
from benchmarks.prove_cctl_network import variants_of


def _found(lead: float, seeds: int = CRITERIA.seeds.count) -> dict[str, list]:
    """Returns results in which each variant leads the one before by `lead`."""
    return {
        world: [
            {
                variant: {"gauc": 0.6 + 0.001 * (seed % 2) * position + lead * position}
                for position, variant in enumerate(("one_table", *_others(world)))
            }
            for seed in range(seeds)
        ]
        for world in CRITERIA.cctl_network.worlds
    }


def _others(world: str) -> list[str]:
    return [name for name in variants_of(world) if name != "one_table"]


def test_a_lead_of_all_seeds_passes_and_none_fails_every_win() -> None:
    assert all(checks(_found(0.01)).values())
    level = checks(_found(-0.01))
    assert not any(level.values())


def test_level_variants_are_not_inferior_and_win_nothing() -> None:
    # 0.0005 apart on average, in half of the seeds.
    held = checks(_found(-0.0005))
    assert all(holds == ("not below" in name) for name, holds in held.items())


def test_few_seeds_pass_nothing() -> None:
    assert not any(checks(_found(0.01, seeds=3)).values())


def test_what_was_not_run_is_not_judged() -> None:
    found = {"plain": [{"none": {"gauc": 0.6}, "alignment": {"gauc": 0.6}}] * 10}
    assert set(checks(found)) == {"plain: alignment not below none"}
