"""Checks of alignment and enhancement: `python -m benchmarks.prove_cctl_network`.

Worlds and criteria are those of `criteria.yaml`, written before a run; they hold for
this project's simulator only. All weights are 1, and all variants of a world and seed
take the same steps on the same impressions in the same order:

| variant       | network                                                            |
| ------------- | ------------------------------------------------------------------ |
| `target_only` | the backbone, as many steps on the target's impressions            |
| `joint`       | the backbone on both; it reads features of the source alone, too   |
| `one_table`   | CCTL without either; codes of both domains share a table           |
| `none`        | CCTL without either                                                |
| `alignment`   | with the maps into the target's slots                              |
| `own`         | with own vectors, without the contrast                             |
| `enhancement` | with own vectors and the contrast                                  |
| `both`        | with everything                                                    |

Intervals are 95 % Student intervals over seeds. Each training is stored, so that an
interrupted command resumes; remove `runs/prove_cctl_network` to start again. The last
line is JSON: numbers, `passed` and `failed`.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from benchmarks.criteria import CRITERIA
from benchmarks.study_metrics import difference_text
from benchmarks.study_metrics import differences
from benchmarks.study_metrics import interval

if TYPE_CHECKING:
    from benchmarks.cctl_network import World

RUNS = Path(__file__).parents[1] / "runs" / "prove_cctl_network"
OFF: dict[str, Any] = {"alignment": False, "own_vectors": False, "enhancement": 0.0}
VARIANTS: dict[str, dict[str, Any]] = {
    "none": OFF,
    "alignment": {**OFF, "alignment": True},
    "own": {**OFF, "own_vectors": True},
    "enhancement": {**OFF, "own_vectors": True, "enhancement": 0.001},
    "both": {},
    "one_table": OFF,
}
PLAIN = ("target_only", "joint")
Numbers = dict[str, list[dict[str, dict[str, float]]]]


def main() -> None:
    """Runs the checks and prints them."""
    arguments = _arguments()
    worlds = arguments.worlds or list(CRITERIA.cctl_network.worlds)
    seeds = [arguments.first + position for position in range(arguments.seeds)]
    numbers: Numbers = {}
    for world in worlds:
        variants = arguments.variants or variants_of(world)
        by_variant = {variant: results(world, variant, seeds) for variant in variants}
        numbers[world] = [
            {variant: found[i] for variant, found in by_variant.items()}
            for i in range(len(seeds))
        ]
    print_tables(numbers)
    held = checks(numbers)
    for name, holds in held.items():
        print(f"{name:<40} {'yes' if holds else 'NO'}")
    passed = [name for name, holds in held.items() if holds]
    failed = [name for name, holds in held.items() if not holds]
    print(json.dumps({"numbers": numbers, "passed": passed, "failed": failed}))


def variants_of(world: str) -> list[str]:
    """Returns the variants of a world; only other codes have `one_table`."""
    return [*PLAIN, *(v for v in VARIANTS if v != "one_table" or world == "codes")]


def results(name: str, variant: str, seeds: list[int]) -> list[dict[str, float]]:
    """Returns the metrics of a variant by seed, from files or new trainings."""
    from benchmarks.cctl_network import Trial

    trial: Trial | None = None
    found = []
    for seed in seeds:
        path = RUNS / f"{name}-{variant}-{seed}.json"
        if not path.is_file():
            world = made(name, variant, seed)
            trial = trial or Trial(
                world, VARIANTS.get(variant), source=variant != "target_only"
            )
            metrics = trial.run(world, seed)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(metrics), encoding="utf-8")
            print(path.stem, json.dumps(metrics), flush=True)
        found.append(json.loads(path.read_text(encoding="utf-8")))
    return found


def made(name: str, variant: str, seed: int) -> World:
    """Returns a world with the features that the variant is given."""
    from benchmarks.cctl_network import CODED
    from benchmarks.cctl_network import ONE_SIDED
    from benchmarks.cctl_network import declared
    from benchmarks.cctl_network import make_world

    world = make_world(seed, CRITERIA.cctl_network.worlds[name])
    if name == "codes" and variant != "one_table":
        return declared(world, CODED, target_has=True)
    if name == "one_side":
        return declared(world, ONE_SIDED, target_has=False)
    return world


def checks(numbers: Numbers) -> dict[str, bool]:
    """Returns which criteria hold, of the worlds and variants that were run."""
    criteria = CRITERIA.cctl_network
    held = {}
    for kind, pairs, bound in (
        ("above", criteria.wins, 0.0),
        ("not below", criteria.neutral, -CRITERIA.margin),
    ):
        for world, named in pairs.items():
            for one, other in named:
                found = numbers.get(world, [])
                enough = len(found) >= CRITERIA.seeds.count
                if found and {one, other} <= found[0].keys():
                    low = interval(differences(found, one, other))[1]
                    held[f"{world}: {one} {kind} {other}"] = enough and low > bound
    return held


def print_tables(numbers: Numbers) -> None:
    """Prints, by world, mean metrics and differences to `none`."""
    for world, found in numbers.items():
        print(f"\n| {world} | GAUC | AUC | log loss | GAUC - none |")
        print("| --- | ---: | ---: | ---: | --- |")
        for variant in found[0]:
            means = " | ".join(
                f"{statistics.fmean(_of(found, variant, metric)):.4f}"
                for metric in ("gauc", "auc", "log_loss")
            )
            apart = ""
            if variant != "none" and "none" in found[0]:
                apart = difference_text(interval(differences(found, variant, "none")))
            print(f"| {variant} | {means} | {apart} |")


def _of(
    found: list[dict[str, dict[str, float]]], variant: str, metric: str
) -> list[float]:
    return [result[variant][metric] for result in found]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Alignment and enhancement of CCTL.")
    parser.add_argument("--first", type=int, default=CRITERIA.seeds.first)
    parser.add_argument("--seeds", type=int, default=CRITERIA.seeds.count)
    parser.add_argument("--worlds", nargs="*", default=[])
    parser.add_argument("--variants", nargs="*", default=[])
    return parser.parse_args()


if __name__ == "__main__":
    main()
