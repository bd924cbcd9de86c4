"""Checks of CCTL on simulated impressions: `python -m benchmarks.prove_cctl`.

The checks have no margins yet: the wider an interval, the more easily it reaches zero
and the check passes. They are therefore no proofs, and they hold for this project's
simulator only.

| key                     | holds if                                                     |
| ----------------------- | ------------------------------------------------------------ |
| `noise_weight_ratio`    | for every seed, the mean weight of a source with shuffled labels is at most half the mean weight of the clean source |
| `noise_weight_auc`      | for every seed, the weight separates clean from noisy impressions with an AUC of at least 0.8 |
| `copy_keeps_weight`     | for every seed, a source equal to the target has a mean weight of at least 0.7 |
| `noise_not_below`       | with the clean and the noisy source, the intervals of CCTL's GAUC minus `target_only`'s and minus `joint`'s reach zero |
| `copy_not_below`        | the same with the copy of the target as the source           |
| `not_below_target_only` | in every condition, the interval of CCTL's GAUC minus `target_only`'s reaches zero |
| `not_below_joint`       | the same for `joint`                                         |
| `joint_falls_below`     | at 60 % poison, over all angles, the interval of `joint` minus `target_only` is below zero |
| `cctl_does_not`         | under the same conditions, the interval of CCTL minus `target_only` is not below zero |
| `cost`                  | a training of two passes costs at most 2.5 times `joint`'s CPU time per target impression, including everything before the first step except tracing |

With fewer than three seeds no check of an interval passes. Noise and copy are checked in
a world of many users and items, and reported for a world of few. The conditions, all in
the world of few, are 0, 30 and 60 % poisoned source impressions at angles of 0, 45 and
90 degrees between the taste of the source and of the target. Intervals are 95 % Student
intervals over seeds. tests/models/cctl tests that no gradient reaches the weights.
`--ablations 5` adds a table in which one part of CCTL at a time is left out. The result
of each training is stored, so that an interrupted command resumes; remove
`runs/prove_cctl` to start again. The last line is JSON: the numbers, `passed` and
`failed`.
"""  # noqa: E501 (a table)

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from benchmarks.cctl_tables import print_tables
from benchmarks.cctl_trials import ABLATIONS
from benchmarks.cctl_trials import MODELS
from benchmarks.cctl_trials import ablated
from benchmarks.cctl_trials import baselines
from benchmarks.cctl_trials import condition
from benchmarks.cctl_trials import copied
from benchmarks.cctl_trials import cost
from benchmarks.cctl_trials import noise
from benchmarks.cctl_trials import stored
from benchmarks.study_metrics import differences
from benchmarks.study_metrics import interval

THETAS, POISONS = (0, 45, 90), (0.0, 0.3, 0.6)
MOST_RATIO, LEAST_AUC, LEAST_COPY, MOST_COST = 0.5, 0.8, 0.7, 2.5
FEWEST_SEEDS = 3


def main() -> None:
    """Runs the checks and prints them."""
    arguments = _arguments()
    numbers: dict[str, Any] = {"conditions": {}}
    numbers |= {"noise": [], "copy": [], "noise_few": [], "copy_few": []}
    numbers["beside"] = {}
    for seed in range(1, arguments.seeds + 1):
        for size, key in (("many", ""), ("few", "_few")):
            for what, compute in (("noise", noise), ("copy", copied)):
                found = stored(f"{what}{key}-{seed}", partial(compute, seed, size))
                numbers[f"{what}{key}"].append(found)
                beside = numbers["beside"].setdefault(f"{what}, {size}", [])
                beside.append({"cctl": found, **baselines(seed, size, what)})
    for theta in THETAS:
        for poison in POISONS:
            numbers["conditions"][f"{theta} degrees, {poison:.0%}"] = [
                condition(seed, theta, poison) for seed in range(1, arguments.seeds + 1)
            ]
    numbers["cost"] = stored("cost", cost)
    if arguments.ablations:
        numbers["ablations"] = {
            name: [
                stored(f"ablation-{name}-{seed}", partial(ablated, seed, changes))
                for seed in range(1, arguments.ablations + 1)
            ]
            for name, changes in ABLATIONS.items()
        }
    print_tables(numbers)
    held = checks(numbers)
    print_checks(held)
    numbers["passed"] = [name for name, holds in held.items() if holds]
    numbers["failed"] = [name for name, holds in held.items() if not holds]
    print(json.dumps(numbers))


def checks(numbers: Mapping[str, Any]) -> dict[str, bool]:
    """Returns which checks of the module's docstring hold."""
    noise, conditions = numbers["noise"], numbers["conditions"]
    worst = f"{POISONS[-1]:.0%}"
    poisoned = [
        result
        for name, found in conditions.items()
        if name.endswith(worst)
        for result in found
    ]
    joint = interval(differences(poisoned, "joint", "target_only"))
    cctl = interval(differences(poisoned, "cctl", "target_only"))

    def none_below(base: str, where: Mapping[str, Any]) -> bool:
        return all(
            len(found) >= FEWEST_SEEDS
            and interval(differences(found, "cctl", base))[2] >= 0
            for found in where.values()
        )

    beside = {
        what: {
            name: found
            for name, found in numbers["beside"].items()
            if name.startswith(what)
        }
        for what in ("noise", "copy")
    }

    return {
        "noise_weight_ratio": all(one["ratio"] <= MOST_RATIO for one in noise),
        "noise_weight_auc": all(one["weight_auc"] >= LEAST_AUC for one in noise),
        "copy_keeps_weight": all(one["mean"] >= LEAST_COPY for one in numbers["copy"]),
        "noise_not_below": all(none_below(b, beside["noise"]) for b in MODELS[:2]),
        "copy_not_below": all(none_below(b, beside["copy"]) for b in MODELS[:2]),
        "not_below_target_only": none_below("target_only", conditions),
        "not_below_joint": none_below("joint", conditions),
        "joint_falls_below": joint[2] < 0,
        "cctl_does_not": cctl[2] >= 0,
        "cost": numbers["cost"]["ratio"] <= MOST_COST,
    }


def print_checks(held: Mapping[str, bool]) -> None:
    """Prints which checks hold, and the caveat about them."""
    print(
        "Checks on simulated impressions, without margins: an interval that reaches "
        "zero passes, however wide it is."
    )
    for name, holds in held.items():
        print(f"{name:<22} {'yes' if holds else 'NO'}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The checks of CCTL.")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument(
        "--ablations",
        type=int,
        default=0,
        metavar="SEEDS",
        help="also leave out each part of CCTL, with this number of seeds",
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
