"""Checks of CTNet on simulated impressions: `python -m benchmarks.prove_ctnet`.

The first three and the last are exact; the others read 95 % Student intervals over
worlds: each seed has impressions of its own, and models that are trained on them. Seeds and criteria are those of `criteria.yaml`, which is written before a run.

| key                  | holds if                                                        |
| -------------------- | --------------------------------------------------------------- |
| `first_day_equal`    | on the first day, CTNet gives every target impression the target model's score to the last bit, as a network and through both SavedModels |
| `source_frozen`      | no source variable is trained, has an optimizer slot or changes in a training step |
| `source_is_older`    | in a plan of every day, no source model has read the newest day of target impressions or a later day, and only new target impressions are read |
| `beats_target_only`  | the interval of GAUC over all days minus that of `target_only`, which is trained on every day, is above zero |
| `forgets_less`       | at the end, on impressions of the first days that were held out from all trainings, the interval of GAUC minus that of `finetune`, whose window no longer contains these days, is above zero |
| `reload_pays`        | after a simulated change of the source, the interval of GAUC minus that of CTNet without reloading the source model is above zero |
| `rows`               | on the shipped configuration, a daily update reads at most a 20th of the impressions that `joint` reads, including those of the source level |

Two worlds are simulated. `plain` is stationary apart from the usual drift. In `planted`
the appeal of every item is reversed: in the source on day 7 of the study, in the target
on day 9. Results are stored by world and seed, so that an interrupted command resumes.
The last line is JSON: the numbers, `passed` and `failed`.
"""  # noqa: E501 (a table)

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from benchmarks.criteria import CRITERIA
from benchmarks.ctnet_exact import frozen
from benchmarks.ctnet_exact import planned
from benchmarks.ctnet_exact import rows_share
from benchmarks.ctnet_exact import saved_models_equal
from benchmarks.ctnet_picture import picture
from benchmarks.ctnet_tables import PLANTED_MODELS
from benchmarks.ctnet_tables import print_tables
from benchmarks.ctnet_worlds import ROOT
from benchmarks.ctnet_worlds import RUNS
from benchmarks.ctnet_worlds import SOURCE_TURNS
from benchmarks.ctnet_worlds import WINDOW
from benchmarks.ctnet_worlds import WORLDS
from benchmarks.ctnet_worlds import prepared
from benchmarks.ctnet_worlds import steps
from benchmarks.study_metrics import difference
from benchmarks.study_metrics import differences
from benchmarks.study_metrics import interval

if TYPE_CHECKING:
    from benchmarks.ctnet_study import Result

PICTURE = ROOT / "docs" / "methods" / "ctnet.svg"


def main() -> None:
    """Runs the checks and prints them."""
    arguments = _arguments()
    if arguments.table:
        _print_stored(arguments)
        return
    found: dict[str, list[dict[str, Any]]] = {}
    seeds = CRITERIA.seeds.values(arguments.seeds)
    for world in WORLDS:
        for seed in seeds:
            result = _result(world, seed, arguments)
            found.setdefault(world, []).append(result)
    config = prepared("plain", seeds[0], arguments)
    numbers = _numbers(found, arguments)
    numbers["saved_models_equal"] = saved_models_equal(config)
    numbers["frozen"] = frozen(config)
    numbers["plan"] = planned(config, arguments.days)
    PICTURE.write_text(picture(_means(found["plain"])), encoding="utf-8")
    _report(numbers, found)


def _result(world: str, seed: int, arguments: argparse.Namespace) -> dict[str, Any]:
    stored = RUNS / world / f"{arguments.days}-days-{arguments.rows}-rows-{seed}.json"
    if not stored.is_file():
        # Late: it imports TensorFlow.
        from benchmarks.ctnet_study import Study
        from benchmarks.ctnet_trainees import CTNETS

        config = prepared(world, seed, arguments)
        models = [*CTNETS, "finetune", "joint"] if world == "plain" else PLANTED_MODELS
        study = Study(config, seed, steps(config, arguments.days), WINDOW)
        result: Result = study.run(RUNS / world / f"snapshots-{seed}", models)
        stored.write_text(json.dumps(asdict(result)), encoding="utf-8")
    content: dict[str, Any] = json.loads(stored.read_text(encoding="utf-8"))
    return content


def _means(results: list[dict[str, Any]]) -> dict[str, dict[str, list[float]]]:
    """Returns means over seeds, by metric, model and day."""
    return {
        metric: {
            name: list(
                np.mean(
                    [[day[metric] for day in r["days"][name]] for r in results], axis=0
                )
            )
            for name in results[0]["days"]
        }
        for metric in ("gauc", "auc")
    }


def _numbers(
    found: dict[str, list[dict[str, Any]]], arguments: argparse.Namespace
) -> dict[str, Any]:
    """Returns means over seeds."""
    plain, planted = found["plain"], found["planted"]

    def mean(results: list[dict[str, Any]], part: str) -> dict[str, dict[str, float]]:
        return {
            name: {
                metric: float(np.mean([r[part][name][metric] for r in results]))
                for metric in results[0][part][name]
            }
            for name in results[0][part]
        }

    after = {
        name: float(np.mean(days[SOURCE_TURNS:]))
        for name, days in _means(planted)["gauc"].items()
    }
    return {
        "seeds": arguments.seeds,
        "days": arguments.days,
        "first_day": [sum(r[k] for r in plain) for k in ("equal_rows", "all_rows")],
        "pooled": mean(plain, "pooled"),
        "by_day": _means(plain),
        "planted_by_day": _means(planted),
        "planted_gauc_after": after,
        "forgetting": mean(plain, "forgetting"),
        "costs": mean(plain, "costs"),
        "daily_rows_share_ctnet": rows_share(),
    }


def _checks(n: dict[str, Any]) -> dict[str, bool]:
    saved, plan, still = n["saved_models_equal"], n["plan"], n["frozen"]
    return {
        "first_day_equal": n["first_day"][0] == n["first_day"][1] > 0
        and saved["rows"] == saved["equal"] > 0,
        "source_frozen": not (still["trained"] or still["slots"] or still["changed"]),
        "source_is_older": plan["days"] > 0
        and not (plan["source_too_new"] or plan["old_rows_read"]),
        "beats_target_only": n["pooled_minus_target_only"][1] > 0,
        "forgets_less": n["forgetting_minus_finetune"][1] > 0,
        "reload_pays": n["minus_no_reload"][1] > 0,
        "rows": n["daily_rows_share_ctnet"]["with_source_level"]
        <= CRITERIA.ctnet.most_rows_share,
    }


def _print_stored(arguments: argparse.Namespace) -> None:
    """Prints the tables from stored results, without training anything."""
    found = {
        world: [
            json.loads(path.read_text(encoding="utf-8"))
            for path in sorted((RUNS / world).glob(f"{arguments.days}-days-*.json"))
        ]
        for world in WORLDS
    }
    print_tables(_numbers(found, arguments), found)


def _report(numbers: dict[str, Any], found: dict[str, list[dict[str, Any]]]) -> None:
    print_tables(numbers, found)
    by_seed = {
        world: [r["pooled"]["ctnet"]["gauc"] for r in results]
        for world, results in found.items()
    }
    numbers["minus_target_only"] = difference(found["plain"], "ctnet", "target_only")
    numbers["minus_no_reload"] = difference(
        found["planted"], "ctnet", "ctnet, no reload", first=SOURCE_TURNS
    )
    for part, base in (("pooled", "target_only"), ("forgetting", "finetune")):
        scored = [result[part] for result in found["plain"]]
        apart = differences(scored, "ctnet", base)
        numbers[f"{part}_minus_{base}"] = interval(apart)
    checks = _checks(numbers)
    print("\nChecks on simulated impressions, with benchmarks/criteria.yaml.")
    for name, holds in checks.items():
        print(f"{name:<18} {'yes' if holds else 'NO'}")
    passed = [name for name, holds in checks.items() if holds]
    failed = [name for name, holds in checks.items() if not holds]
    numbers |= {"ctnet_gauc_by_seed": by_seed, "passed": passed, "failed": failed}
    print(json.dumps(numbers))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The checks of CTNet.")
    parser.add_argument("--days", type=int, default=14, help="days of the study")
    parser.add_argument("--seeds", type=int, default=CRITERIA.seeds.count)
    parser.add_argument(
        "--rows", type=int, default=20_000, help="feed impressions a day"
    )
    parser.add_argument("--table", action="store_true", help="print stored results")
    return parser.parse_args()


if __name__ == "__main__":
    main()
