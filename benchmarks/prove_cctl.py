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
import statistics
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

if TYPE_CHECKING:
    from benchmarks.cctl_study import Trained
    from benchmarks.cctl_study import World

ROOT = Path(__file__).parents[1]
RUNS = ROOT / "runs" / "prove_cctl"
THETAS, POISONS = (0, 45, 90), (0.0, 0.3, 0.6)
MODELS = ("target_only", "joint", "cctl")
MOST_RATIO, LEAST_AUC, LEAST_COPY, MOST_COST = 0.5, 0.8, 0.7, 2.5
# Student's t, 97.5 %, by degrees of freedom.
_T = {1: 12.71, 2: 4.30, 3: 3.18, 4: 2.78, 5: 2.57, 6: 2.45, 7: 2.36, 8: 2.31, 9: 2.26}
_NORMAL = 1.96
ABLATED_AT = (45, 0.6)
ABLATIONS: dict[str, dict[str, Any]] = {
    "cctl": {},
    "w = 1": {"estimator": "uniform"},
    # One weight per source: with a single source, as here, impressions cannot be told
    # apart.
    "gain: companion": {"estimator": "companion"},
    "weight by source only": {"by_row": False},
    "no sync": {"sync_steps": 0},
    "k = 10": {"sync_steps": 10},
    "k = 200": {"sync_steps": 200},
    "no enhancement": {"enhancement": 0.0},
    "enhancement 0.01": {"enhancement": 0.01},
    "no alignment": {"alignment": False},
    "no trust": {"trust": False},
    "sum of two means": {"balance": "domains"},
}
FEWEST_SEEDS = 3
_COST_ROUNDS = 5
Interval = tuple[float, float, float]


def main() -> None:
    """Runs the checks and prints them."""
    arguments = _arguments()
    numbers: dict[str, Any] = {"conditions": {}}
    numbers |= {"noise": [], "copy": [], "noise_few": [], "copy_few": []}
    numbers["beside"] = {}
    for seed in range(1, arguments.seeds + 1):
        for size, key in (("many", ""), ("few", "_few")):
            for what, compute in (("noise", _noise), ("copy", _copy)):
                found = _stored(f"{what}{key}-{seed}", partial(compute, seed, size))
                numbers[f"{what}{key}"].append(found)
                beside = numbers["beside"].setdefault(f"{what}, {size}", [])
                beside.append({"cctl": found, **_baselines(seed, size, what)})
    for theta in THETAS:
        for poison in POISONS:
            numbers["conditions"][f"{theta} degrees, {poison:.0%}"] = [
                _condition(seed, theta, poison)
                for seed in range(1, arguments.seeds + 1)
            ]
    numbers["cost"] = _stored("cost", _cost)
    if arguments.ablations:
        numbers["ablations"] = {
            name: [
                _stored(f"ablation-{name}-{seed}", partial(_ablated, seed, changes))
                for seed in range(1, arguments.ablations + 1)
            ]
            for name, changes in ABLATIONS.items()
        }
    _report(numbers)


def interval(values: Sequence[float]) -> Interval:
    """Returns the mean of differences and its 95 % Student interval.

    Example:
        >>> [round(end, 3) for end in interval([0.1, 0.2, 0.3])]
        [0.2, -0.048, 0.448]
    """
    mean = statistics.fmean(values)
    if len(values) < 2:
        return mean, float("-inf"), float("inf")
    half = _T.get(len(values) - 1, _NORMAL) * statistics.stdev(values)
    half /= len(values) ** 0.5
    return mean, mean - half, mean + half


def differences(
    found: Sequence[Mapping[str, Mapping[str, float]]],
    model: str,
    base: str,
    metric: str = "gauc",
) -> list[float]:
    """Returns the metric of `model` minus that of `base`, by seed."""
    return [result[model][metric] - result[base][metric] for result in found]


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


def _stored(name: str, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Returns the result stored under a name, or computes and stores it."""
    path = RUNS / f"{name.replace(' ', '_').replace('=', '')}.json"
    if path.is_file():
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found
    found = compute()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found), encoding="utf-8")
    print(name, json.dumps(found)[:160], flush=True)
    return found


def _noise(seed: int, size: str) -> dict[str, Any]:
    from sklearn.metrics import roc_auc_score

    from benchmarks.cctl_study import make_world
    from benchmarks.cctl_study import train_cctl

    world = make_world(seed, size=size)
    trained = train_cctl(world, world.with_noise(seed), seed)
    clean, noisy = trained.weights["clean"], trained.weights["noisy"]
    is_clean = np.r_[np.ones(len(clean)), np.zeros(len(noisy))]
    return {
        "clean": float(clean.mean()),
        "noisy": float(noisy.mean()),
        "ratio": float(noisy.mean() / clean.mean()),
        "weight_auc": float(roc_auc_score(is_clean, np.r_[clean, noisy])),
        **trained.metrics,
    }


def _copy(seed: int, size: str) -> dict[str, Any]:
    from benchmarks.cctl_study import make_world
    from benchmarks.cctl_study import train_cctl

    world = make_world(seed, size=size)
    trained = train_cctl(world, world.with_copy(), seed)
    return {"mean": float(trained.weights["copy"].mean()), **trained.metrics}


def _baselines(seed: int, size: str, what: str) -> dict[str, dict[str, Any]]:
    """Returns metrics of `joint` and `target_only` on the same impressions."""

    def joint() -> dict[str, Any]:
        from benchmarks.cctl_study import make_world
        from benchmarks.cctl_study import train_plain

        world = make_world(seed, size=size)
        parts = world.with_noise(seed) if what == "noise" else world.with_copy()
        return train_plain(world, {**parts, "ads": world.target}, seed).metrics

    def alone() -> dict[str, Any]:
        from benchmarks.cctl_study import make_world

        return _train(make_world(seed, size=size), "target_only", seed).metrics

    return {
        "target_only": _stored(f"alone-{size}-{seed}", alone),
        "joint": _stored(f"joint-{what}-{size}-{seed}", joint),
    }


def _condition(seed: int, theta: int, poison: float) -> dict[str, dict[str, float]]:
    # `target_only` depends on the seed alone, as the target's impressions do.
    names = {
        model: model if model == "target_only" else f"{model}-{theta}-{poison}"
        for model in MODELS
    }
    return {
        model: _stored(f"{name}-{seed}", partial(_judged, seed, theta, poison, model))
        for model, name in names.items()
    }


def _judged(seed: int, theta: int, poison: float, model: str) -> dict[str, Any]:
    from benchmarks.cctl_study import make_world

    world = make_world(seed, theta=theta, poison=poison)
    trained = _train(world, model, seed)
    found: dict[str, Any] = dict(trained.metrics)
    for name, weights in trained.weights.items():
        accident = world.source.accident
        found[f"weight_{name}"] = float(weights.mean())
        found["weight_accidents"] = float(weights[accident].mean()) if poison else None
        found["weight_others"] = float(weights[~accident].mean())
    return found


def _train(world: World, model: str, seed: int, **changes: Any) -> Trained:
    from benchmarks.cctl_study import train_cctl
    from benchmarks.cctl_study import train_plain

    if model == "cctl":
        return train_cctl(world, {"feeds": world.source}, seed, **changes)
    parts = {"ads": world.target}
    if model == "joint":
        parts["feeds"] = world.source
    return train_plain(world, parts, seed)


def _ablated(seed: int, changes: dict[str, Any]) -> dict[str, Any]:
    from benchmarks.cctl_study import make_world

    theta, poison = ABLATED_AT
    world = make_world(seed, theta=theta, poison=poison)
    return _train(world, "cctl", seed, **changes).metrics


def _cost() -> dict[str, Any]:
    """Compares the CPU time of CCTL and `joint` at an equal ratio of source to target.

    Alternating trainings of five passes. Tracing is excluded, and so is the first pass,
    which includes TensorFlow's graph optimizer.
    """
    from benchmarks.cctl_study import make_world
    from benchmarks.cctl_study import train_cctl
    from benchmarks.cctl_study import train_plain

    world = make_world(1)
    sources = {"feeds": world.source}
    ratio = len(world.source) / len(world.target)
    parts = {"ads": world.target, **sources}

    def weighed(epochs: int) -> Trained:
        return train_cctl(
            world,
            sources,
            1,
            batch=1024,
            epochs=epochs,
            timed=True,
            source_ratio=ratio,
        )

    plain, cctl, short = [], [], []
    for _ in range(_COST_ROUNDS):
        plain.append(train_plain(world, parts, 1, batch=1024, epochs=5))
        cctl.append(weighed(epochs=5))
        short.append(weighed(epochs=1))

    def microseconds(seconds: Sequence[float]) -> float:
        return 1e6 * statistics.median(seconds) / len(world.target)

    one, step = (
        microseconds([seconds for run in runs for seconds in run.passes[1:]])
        for runs in (plain, cctl)
    )
    before, shortly = (
        microseconds([run.measuring for run in runs]) for runs in (cctl, short)
    )
    return {
        "joint_microseconds": one,
        "cctl_microseconds": step,
        "measuring_microseconds": before,
        "ratio_of_steps": step / one,
        "ratio": (step + before / 2) / one,
        "ratio_of_one_pass": (step + shortly) / one,
        "source_rows_per_target_row": ratio,
    }


def _told(found: Interval) -> str:
    return f"{found[0]:+.4f} ({found[1]:+.4f}, {found[2]:+.4f})"


def _mean(found: Sequence[Mapping[str, Any]], model: str, key: str) -> float:
    return statistics.fmean(result[model][key] for result in found)


def _report(numbers: dict[str, Any]) -> None:
    for key, where in (("", "many users and items"), ("_few", "few")):
        print(f"\n| {where}: seed | w, clean | w, noisy | ratio | AUC of w | w, copy |")
        print("| ---: | ---: | ---: | ---: | ---: | ---: |")
        pairs = zip(numbers[f"noise{key}"], numbers[f"copy{key}"], strict=True)
        for seed, (noise, copy) in enumerate(pairs, 1):
            print(
                f"| {seed} | {noise['clean']:.3f} | {noise['noisy']:.3f} | "
                f"{noise['ratio']:.3f} | {noise['weight_auc']:.4f} | "
                f"{copy['mean']:.3f} |"
            )
    header = "target_only | joint | cctl | cctl - target_only | cctl - joint |"
    print(f"\n| GAUC | {header}\n| --- | ---: | ---: | ---: | --- | --- |")
    for name, found in numbers["beside"].items():
        print(f"| {name} | {_compared(found)} |")
    print(f"\n| GAUC | {header} w, accidents | w, others |")
    print("| --- | ---: | ---: | ---: | --- | --- | ---: | ---: |")
    for name, found in numbers["conditions"].items():
        poisoned = found[0]["cctl"]["weight_accidents"] is not None
        accidents = (
            f"{_mean(found, 'cctl', 'weight_accidents'):.3f}" if poisoned else ""
        )
        others = f"{_mean(found, 'cctl', 'weight_others'):.3f}"
        print(f"| {name} | {_compared(found)} | {accidents} | {others} |")
    if "ablations" in numbers:
        _report_ablations(numbers["ablations"])
    cost = numbers["cost"]
    print(
        "\nCPU time per target impression and pass: CCTL "
        f"{cost['cctl_microseconds']:.1f} us, joint {cost['joint_microseconds']:.1f} "
        f"us, ratio {cost['ratio_of_steps']:.2f}, at "
        f"{cost['source_rows_per_target_row']:.0f} source impressions per target "
        f"impression. Once, before the first step: "
        f"{cost['measuring_microseconds']:.1f} us. Ratio including it: "
        f"{cost['ratio']:.2f} for two passes, {cost['ratio_of_one_pass']:.2f} for one\n"
    )
    held = checks(numbers)
    print_checks(held)
    numbers["passed"] = [name for name, holds in held.items() if holds]
    numbers["failed"] = [name for name, holds in held.items() if not holds]
    print(json.dumps(numbers))


def print_checks(held: Mapping[str, bool]) -> None:
    """Prints which checks hold, and the caveat about them."""
    print(
        "Checks on simulated impressions, without margins: an interval that reaches "
        "zero passes, however wide it is."
    )
    for name, holds in held.items():
        print(f"{name:<22} {'yes' if holds else 'NO'}")


def _compared(found: Sequence[Mapping[str, Any]]) -> str:
    means = " | ".join(f"{_mean(found, model, 'gauc'):.4f}" for model in MODELS)
    apart = (_told(interval(differences(found, "cctl", base))) for base in MODELS[:2])
    return " | ".join([means, *apart])


def _report_ablations(ablations: Mapping[str, list[dict[str, float]]]) -> None:
    print("\n| CCTL with | GAUC | AUC | log loss | GAUC - cctl |")
    print("| --- | ---: | ---: | ---: | --- |")
    whole = ablations["cctl"]
    for name, found in ablations.items():
        lost = [a["gauc"] - b["gauc"] for a, b in zip(found, whole, strict=True)]
        means = " | ".join(
            f"{statistics.fmean(r[metric] for r in found):.4f}"
            for metric in ("gauc", "auc", "log_loss")
        )
        print(f"| {name} | {means} | {_told(interval(lost))} |")


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
