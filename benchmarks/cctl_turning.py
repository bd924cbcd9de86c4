"""Sources that turn harmful: `python -m benchmarks.cctl_turning`.

The world of `cctl_weights` with two of its four sources, unchanged in the first of two
passes. In the second, by world, their labels are shuffled (`shuffled`), their labels
are inverted (`inverted`), or their user and item ids are permuted (`ids`). Weights are
1, so that only the companion can protect what is served:

| variant       |                                                               |
| ------------- | ------------------------------------------------------------- |
| `companion`   | windows of a gain surely below zero are undone                |
| `blind`       | no window is: what is served is that of a sync that always copies the mixed tower |
| `target_only` | the backbone on the target alone, in as many steps            |

Criteria are those of `criteria.yaml`, key `cctl_turning`: pairs of variants of which
the first must be told apart above the second in GAUC, that is, the lower end of the 95 %
interval over seeds lies above 0.
"""  # noqa: E501 (a table)

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from benchmarks.cctl_weights import make_world
from benchmarks.cctl_weights import permuted
from benchmarks.cctl_weights import shuffled
from benchmarks.criteria import CRITERIA
from benchmarks.study_metrics import difference_text
from benchmarks.study_metrics import differences
from benchmarks.study_metrics import interval

if TYPE_CHECKING:
    from benchmarks.cctl_study import Trained
    from benchmarks.simulated_rows import Rows

SOURCES = ("segments", "shuffled")
WORLDS = ("shuffled", "inverted", "ids")
VARIANTS = ("companion", "blind", "target_only")
# Impressions of a step, and steps of a window: a third of a pass.
_BATCH, SYNC_STEPS = 512, 50


def turned(rows: Rows, world: str, rng: np.random.Generator) -> Rows:
    """Returns the impressions of a source after it has turned."""
    every = np.ones(len(rows), bool)
    if world == "shuffled":
        return shuffled(rows, every, rng)
    if world == "inverted":
        return rows.relabelled(1 - rows.columns["label"])
    for column in ("user_id", "item_id"):
        rows = permuted(rows, column, every, rng)
    return rows


def results_of(seed: int, sync_steps: int = SYNC_STEPS) -> dict[str, Any]:
    """Returns, by world and variant, GAUC and the windows that were undone."""
    from benchmarks import cctl_study

    drawn = make_world(seed)
    sources = {name: drawn.sources[name] for name in SOURCES}
    world = cctl_study.World(
        drawn.table, drawn.target, drawn.judged, sources[SOURCES[0]]
    )
    ratio = sum(map(len, sources.values())) / len(drawn.target)
    alone = cctl_study.train_plain(
        world, {"ads": drawn.target}, seed, batch=round(_BATCH / (1 + ratio))
    )
    found: dict[str, Any] = {}
    for name in WORLDS:
        rng = np.random.default_rng(seed + 11)
        later = {of: turned(rows, name, rng) for of, rows in sources.items()}
        found[name] = {"target_only": alone.metrics}
        for variant, steps in (("companion", sync_steps), ("blind", 0)):
            trained = cctl_study.train_cctl(
                world,
                sources,
                seed,
                later=later,
                batch=_BATCH,
                estimator="uniform",
                source_ratio=ratio,
                sync_steps=steps,
            )
            found[name][variant] = {**trained.metrics, **_undone(trained)}
    return found


def _undone(trained: Trained) -> dict[str, float]:
    """Returns the shares of windows of each half of the training that were undone."""
    windows = trained.saw["windows"]
    half = windows[-1]["step"] / 2
    early = [window["undone"] for window in windows if window["step"] <= half]
    late = [window["undone"] for window in windows if window["step"] > half]
    return {"early": statistics.fmean(early), "late": statistics.fmean(late)}


def checks(found: list[dict[str, Any]]) -> dict[str, bool]:
    """Returns which criteria hold."""
    enough = len(found) >= CRITERIA.seeds.count
    held = {}
    for world, pairs in CRITERIA.cctl_turning.wins.items():
        by_seed = [result[world] for result in found]
        for one, other in pairs:
            low = interval(differences(by_seed, one, other))[1]
            held[f"{world}: {one} above {other}"] = enough and low > 0
    return held


def print_tables(found: list[dict[str, Any]]) -> None:
    """Prints GAUC by variant, differences, and shares of windows that were undone."""
    header = "companion | blind | target_only | - blind | - target_only |"
    print(f"\n| GAUC | {header} undone, early | late |")
    print("| --- | ---: | ---: | ---: | --- | --- | ---: | ---: |")
    for world in WORLDS:
        by_seed: list[Mapping[str, Any]] = [result[world] for result in found]

        def mean(
            variant: str, key: str, by_seed: list[Mapping[str, Any]] = by_seed
        ) -> float:
            return statistics.fmean(one[variant][key] for one in by_seed)

        means = " | ".join(f"{mean(variant, 'gauc'):.4f}" for variant in VARIANTS)
        apart = " | ".join(
            difference_text(interval(differences(by_seed, VARIANTS[0], base)))
            for base in VARIANTS[1:]
        )
        shares = " | ".join(f"{mean(VARIANTS[0], k):.0%}" for k in ("early", "late"))
        print(f"| {world} | {means} | {apart} | {shares} |")


def main() -> None:
    """Prints the numbers by seed, their means, and the criteria."""
    parser = argparse.ArgumentParser(description="Sources that turn harmful.")
    parser.add_argument("--first", type=int, required=True, help="the first seed")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--sync-steps", type=int, default=SYNC_STEPS)
    arguments = parser.parse_args()
    found = []
    for seed in range(arguments.first, arguments.first + arguments.seeds):
        found.append(results_of(seed, arguments.sync_steps))
        print(seed, json.dumps(found[-1]), flush=True)
    print_tables(found)
    for name, holds in checks(found).items():
        print(f"{name:<36} {'yes' if holds else 'NO'}")


if __name__ == "__main__":
    main()
