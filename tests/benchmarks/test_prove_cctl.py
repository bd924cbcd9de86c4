"""Checks of CCTL, given the numbers of its trainings."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from benchmarks.prove_cctl import checks
from benchmarks.prove_cctl import print_checks
from benchmarks.study_metrics import differences
from benchmarks.study_metrics import interval


def _seeds(target_only: float, joint: float, cctl: float) -> list[dict[str, Any]]:
    """Returns ten seeds around these GAUCs."""
    return [
        {
            "target_only": {"gauc": target_only + shift},
            "joint": {"gauc": joint + shift + 0.0002 * seed},
            "cctl": {"gauc": cctl + shift - 0.0002 * seed},
        }
        for seed, shift in enumerate((0.0, 0.02, -0.03, 0.01, 0.0) * 2)
    ]


NUMBERS: dict[str, Any] = {
    "noise": [{"ratio": 0.1, "weight_auc": 0.95}, {"ratio": 0.5, "weight_auc": 0.8}],
    "copy": [{"mean": 0.7}, {"mean": 0.99}],
    "conditions": {
        "0 degrees, 0%": _seeds(0.60, 0.65, 0.651),
        "0 degrees, 60%": _seeds(0.60, 0.55, 0.63),
        "90 degrees, 60%": _seeds(0.60, 0.56, 0.61),
    },
    "beside": {
        "noise, many": _seeds(0.60, 0.55, 0.65),
        "copy, many": _seeds(0.60, 0.61, 0.62),
    },
    "cost": {"ratio": 2.5},
}


def test_an_interval_uses_students_t() -> None:
    mean, low, high = interval([0.01, 0.02, 0.04, 0.03, 0.05])
    # s = 0.0158114, s / sqrt(5) = 0.0070711, t = 2.7764
    assert (mean, low, high) == pytest.approx((0.03, 0.010368, 0.049632), abs=1e-5)
    assert interval([0.3])[1:] == (float("-inf"), float("inf"))


def test_differences_are_paired_by_seed() -> None:
    found = differences(_seeds(0.6, 0.65, 0.66), "cctl", "joint")
    assert found[:3] == pytest.approx([0.01, 0.0096, 0.0092])


def test_all_checks_hold_at_their_limits() -> None:
    held = checks(NUMBERS)
    assert [name for name, holds in held.items() if not holds] == []


@pytest.mark.parametrize(
    ("changes", "lost"),
    [
        ({"noise": [{"ratio": 0.51, "weight_auc": 0.9}]}, "noise_weight_ratio"),
        ({"noise": [{"ratio": 0.1, "weight_auc": 0.79}]}, "noise_weight_auc"),
        ({"copy": [{"mean": 0.9}, {"mean": 0.69}]}, "copy_keeps_weight"),
        ({"cost": {"ratio": 2.51}}, "cost"),
    ],
)
def test_one_seed_beyond_its_limit_loses_the_check(
    changes: dict[str, Any], lost: str
) -> None:
    held = checks({**NUMBERS, **changes})
    assert [name for name, holds in held.items() if not holds] == [lost]


def test_a_condition_below_a_baseline_loses_the_check() -> None:
    worse = copy.deepcopy(NUMBERS)
    worse["conditions"]["0 degrees, 0%"] = _seeds(0.60, 0.70, 0.65)
    assert not checks(worse)["not_below_joint"]
    assert checks(worse)["not_below_target_only"]


@pytest.mark.parametrize(("behind", "holds"), [(0.003, True), (0.007, False)])
def test_a_model_within_the_margin_is_not_inferior(behind: float, holds: bool) -> None:
    close = copy.deepcopy(NUMBERS)
    # An interval of +-0.001 or so around it.
    close["conditions"]["0 degrees, 0%"] = _seeds(0.60 + behind, 0.58, 0.601)
    assert checks(close)["not_below_target_only"] is holds


def test_a_wide_interval_that_reaches_zero_does_not_pass() -> None:
    noisy = copy.deepcopy(NUMBERS)
    for seed, result in enumerate(noisy["conditions"]["0 degrees, 0%"]):
        result["cctl"]["gauc"] = result["target_only"]["gauc"] + 0.05 * (-1) ** seed
    assert not checks(noisy)["not_below_target_only"]


def test_joint_must_fall_and_cctl_must_not() -> None:
    worse = copy.deepcopy(NUMBERS)
    for name in ("0 degrees, 60%", "90 degrees, 60%"):
        worse["conditions"][name] = _seeds(0.60, 0.62, 0.50)
    held = checks(worse)
    assert not held["joint_falls_below"]
    assert not held["cctl_does_not"]


@pytest.mark.parametrize("what", ["noise", "copy"])
@pytest.mark.parametrize("base", ["target_only", "joint"])
def test_noise_and_a_copy_must_not_lose_to_a_baseline(what: str, base: str) -> None:
    worse = copy.deepcopy(NUMBERS)
    gaucs = {"target_only": 0.60, "joint": 0.60, "cctl": 0.60, base: 0.70}
    worse["beside"][f"{what}, few"] = _seeds(**gaucs)
    held = checks(worse)
    assert [name for name, holds in held.items() if not holds] == [f"{what}_not_below"]


def test_fewer_seeds_than_the_criteria_ask_for_pass_no_interval() -> None:
    few = copy.deepcopy(NUMBERS)
    for found in (few["beside"], few["conditions"]):
        for name, seeds in found.items():
            found[name] = seeds[:9]
    held = checks(few)
    for name in ("not_below_joint", "not_below_target_only", "noise_not_below"):
        assert not held[name]


def test_printed_checks_name_the_simulator_and_the_margin(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_checks(checks(NUMBERS))
    head, *lines = capsys.readouterr().out.strip().splitlines()
    assert "Checks on simulated impressions" in head
    assert "margin 0.005 in GAUC" in head
    assert len(lines) == len(checks(NUMBERS))
    assert "proof" not in head.lower()
