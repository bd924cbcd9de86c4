"""Checks of CCTL on simulated impressions: `python -m benchmarks.prove_cctl`.

Worlds, margins and seeds are those of `criteria.yaml`, which is written before a run.
They hold for this project's simulator only.

| key                     | holds if                                                     |
| ----------------------- | ------------------------------------------------------------ |
| `noise_weight_ratio`    | for every seed and size, the mean weight of a source with shuffled labels is at most half the mean weight of the clean source |
| `noise_weight_auc`      | for every seed and size, the weight separates clean from noisy impressions with an AUC of at least 0.8 |
| `copy_keeps_weight`     | for every seed and size, a source equal to the target has a mean weight of at least 0.7 |
| `noise_not_below`       | with the clean and the noisy source, CCTL's GAUC is not inferior to `target_only`'s and to `joint`'s: the interval's lower end lies above minus the margin |
| `copy_not_below`        | the same with the copy of the target as the source           |
| `not_below_target_only` | in every condition, CCTL's GAUC is not inferior to `target_only`'s |
| `not_below_joint`       | the same for `joint`                                         |
| `joint_falls_below`     | at the highest poison, over all angles, the interval of `joint` minus `target_only` is below zero |
| `cctl_does_not`         | under the same conditions, CCTL is not inferior to `target_only` |
| `cost`                  | a training of two passes costs at most 2.5 times `joint`'s CPU time per target impression, including everything before the first step except tracing |

With fewer seeds than `criteria.yaml` asks for, no check of an interval passes. Noise and
copy are checked in worlds of many and of few users and items, the conditions in the world
of few. Intervals are 95 % Student intervals over seeds, which change data and training.
tests/models/cctl tests that no gradient reaches the weights.
`--ablations 10` adds a table in which one part of CCTL at a time is left out. The result
of each training is stored, so that an interrupted command resumes; remove
`runs/prove_cctl` to start again. The last line is JSON: the numbers, `passed` and
`failed`.
"""  # noqa: E501 (a table)

from __future__ import annotations

import argparse
import json
import statistics
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
from benchmarks.criteria import CRITERIA
from benchmarks.study_metrics import differences
from benchmarks.study_metrics import interval

CCTL = CRITERIA.cctl


def main() -> None:
    """Runs the checks and prints them."""
    arguments = _arguments()
    numbers: dict[str, Any] = {"conditions": {}}
    numbers |= {"noise": [], "copy": [], "noise_few": [], "copy_few": []}
    numbers["beside"] = {}
    seeds = CRITERIA.seeds.values(arguments.seeds)
    for seed in seeds:
        for size in CCTL.sizes:
            key = "" if size == "many" else f"_{size}"
            for what, compute in (("noise", noise), ("copy", copied)):
                found = stored(f"{what}{key}-{seed}", partial(compute, seed, size))
                numbers[f"{what}{key}"].append(found)
                beside = numbers["beside"].setdefault(f"{what}, {size}", [])
                beside.append({"cctl": found, **baselines(seed, size, what)})
    for theta in CCTL.thetas:
        for poison in CCTL.poisons:
            numbers["conditions"][f"{theta} degrees, {poison:.0%}"] = [
                condition(seed, theta, poison) for seed in seeds
            ]
    numbers["cost"] = stored("cost", cost)
    if arguments.ablations:
        numbers["ablations"] = {
            name: [
                stored(f"ablation-{name}-{seed}", partial(ablated, seed, changes))
                for seed in CRITERIA.seeds.values(arguments.ablations)
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
    conditions = numbers["conditions"]
    noise, copies = (
        [one for key in (what, f"{what}_few") for one in numbers.get(key, ())]
        for what in ("noise", "copy")
    )
    worst = [
        found
        for name, found in conditions.items()
        if name.endswith(f"{max(CCTL.poisons):.0%}")
    ]

    def over_worst(model: str) -> tuple[float, float, float]:
        """Returns the interval of means over the conditions, each seed once."""
        found = [differences(one, model, "target_only") for one in worst]
        return interval([statistics.fmean(one) for one in zip(*found, strict=True)])

    def none_below(base: str, where: Mapping[str, Any]) -> bool:
        return all(
            len(found) >= CRITERIA.seeds.count
            and interval(differences(found, "cctl", base))[1] > -CRITERIA.margin
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
        "noise_weight_ratio": all(
            one["ratio"] <= CCTL.most_noise_weight_ratio for one in noise
        ),
        "noise_weight_auc": all(
            one["weight_auc"] >= CCTL.least_noise_weight_auc for one in noise
        ),
        "copy_keeps_weight": all(
            one["mean"] >= CCTL.least_copy_weight for one in copies
        ),
        "noise_not_below": all(none_below(b, beside["noise"]) for b in MODELS[:2]),
        "copy_not_below": all(none_below(b, beside["copy"]) for b in MODELS[:2]),
        "not_below_target_only": none_below("target_only", conditions),
        "not_below_joint": none_below("joint", conditions),
        "joint_falls_below": over_worst("joint")[2] < 0,
        "cctl_does_not": over_worst("cctl")[1] > -CRITERIA.margin,
        "cost": numbers["cost"]["ratio"] <= CCTL.most_cost,
    }


def print_checks(held: Mapping[str, bool]) -> None:
    """Prints which checks hold, and the caveat about them."""
    print(
        "Checks on simulated impressions, with the criteria of "
        f"benchmarks/criteria.yaml: margin {CRITERIA.margin} in GAUC."
    )
    for name, holds in held.items():
        print(f"{name:<22} {'yes' if holds else 'NO'}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The checks of CCTL.")
    parser.add_argument("--seeds", type=int, default=CRITERIA.seeds.count)
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
