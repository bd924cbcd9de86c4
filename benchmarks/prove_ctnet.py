"""Checks of CTNet on simulated impressions: `python -m benchmarks.prove_ctnet`.

The first three and the last are exact; the others compare means without a margin.

| key                  | holds if                                                        |
| -------------------- | --------------------------------------------------------------- |
| `first_day_equal`    | on the first day, CTNet gives every target impression the target model's score to the last bit, as a network and through both SavedModels |
| `source_frozen`      | no source variable is trained, has an optimizer slot or changes in a training step |
| `source_is_older`    | in a plan of every day, no source model has read the newest day of target impressions or a later day, and only new target impressions are read |
| `beats_target_only`  | GAUC over all days is above that of `target_only`, which is trained on every day |
| `forgets_less`       | at the end, GAUC on the impressions of the first days, which CTNet has trained on, is above that of `finetune`, whose window no longer contains them |
| `reload_pays`        | after a simulated change of the source, GAUC is above that of CTNet without reloading the source model |
| `rows`               | on the shipped configuration, a daily update reads at most a 20th of the impressions that `joint` reads, including those of the source level |

Two worlds are simulated. `plain` is stationary apart from the usual drift. In `planted`
the appeal of every item is reversed: in the source on day 7 of the study, in the target
on day 9. Results are stored by world and seed, so that an interrupted command resumes.
The last line is JSON: the numbers, `passed` and `failed`.
"""  # noqa: E501 (a table)

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import numpy as np
import yaml

from benchmarks.ctnet_picture import picture
from models.artifact_files import split_folder
from models.days import DayRange
from pipeline.config.load import load_config
from pipeline.config.schema import Config
from pipeline.planning.planner import Planner
from pipeline.planning.steps import Known
from pipeline.store.reader import Store

if TYPE_CHECKING:
    from benchmarks.ctnet_study import Result

ROOT = Path(__file__).parents[1]
RUNS = ROOT / "runs" / "prove_ctnet"
PICTURE = ROOT / "docs" / "methods" / "ctnet.svg"
# Days of history before the study, and days that `finetune` and `joint` read.
HISTORY, WINDOW = 8, 8
SOURCE_TURNS, TARGET_TURNS = 7, 9
MOST_ROWS_SHARE = 1 / 20
WORLDS = ("plain", "planted")
PLANTED_MODELS = ("ctnet", "ctnet, no reload", "finetune", "joint")


def main() -> None:
    """Runs the checks and prints them."""
    arguments = _arguments()
    if arguments.table:
        _print_stored(arguments)
        return
    found: dict[str, list[dict[str, Any]]] = {}
    for world in WORLDS:
        config = _prepared(world, arguments)
        for index in range(arguments.seeds):
            seed = config.training.seed + index
            result = _result(config, world, seed, arguments)
            found.setdefault(world, []).append(result)
    config = load_config(_path("plain"))
    numbers = _numbers(found, arguments)
    numbers["saved_models_equal"] = saved_models_equal(config)
    numbers["frozen"] = frozen(config)
    numbers["plan"] = planned(config, arguments.days)
    PICTURE.write_text(picture(_means(found["plain"])), encoding="utf-8")
    _report(numbers, found)


def _path(world: str) -> Path:
    return RUNS / world / "config.yaml"


def _prepared(world: str, arguments: argparse.Namespace) -> Config:
    """Writes configuration and logs of a world and ingests them."""
    shipped = ROOT / "configs" / "feeds_ads.yaml"
    data = yaml.safe_load(shipped.read_text(encoding="utf-8"))
    folder = RUNS / world
    turns = {
        "feeds": {"turn_day": HISTORY + SOURCE_TURNS},
        "ads": {"turn_day": HISTORY + TARGET_TURNS},
    }
    days = HISTORY + arguments.days
    data |= {
        "name": f"ctnet_{world}",
        "root": str(folder),
        "logs": str(folder / "logs"),
        "schema": str(ROOT / "schema" / "feeds_ads.pbtxt"),
        "simulate": {
            "truth": str(folder / "truth"),
            "preset": "small",
            "days": days,
            "rows_per_day": arguments.rows,
            # 15 source impressions per target impression, as is usual for ads.
            "sparsity": 15,
            "users": 1_500,
            "items": 400,
            "user_overlap": 0.8,
            # The feeds' reversal predicts that of the ads on shared items alone.
            "item_overlap": 0.1 if world == "plain" else 0.9,
            "domains": turns if world == "planted" else {},
        },
        "vocabularies": {
            name: {**about, "capacity": min(about["capacity"], 6_000)}
            for name, about in data["vocabularies"].items()
        },
        "network": {"width": 8, "hidden_units": [32, 16]},
        "training": {"batch_size": 256, "epochs": 1, "seed": 17},
        "levels": {"target": {"training": {"batch_size": 128}}},
        "strategy": "ctnet",
        "strategies": {"ctnet": {}, "target_only": {}},
        "serving": {"directory": str(folder / "serving")},
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = _path(world)
    path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    config = load_config(path)
    last = DayRange(config.first, config.first + days - 1)
    for command in (["simulate"], ["ingest", "--to", str(last).split("..")[-1]]):
        whole = [sys.executable, "-m", "pipeline", command[0], str(path), *command[1:]]
        subprocess.run(whole, check=True, cwd=ROOT)
    return config


def _steps(config: Config, days: int) -> range:
    """Returns the first day of each step, and the day after the last one."""
    start = config.first + HISTORY
    return range(start, start + days + 1)


def _result(
    config: Config, world: str, seed: int, arguments: argparse.Namespace
) -> dict[str, Any]:
    stored = RUNS / world / f"{arguments.days}-days-{arguments.rows}-rows-{seed}.json"
    if not stored.is_file():
        # Late: it imports TensorFlow.
        from benchmarks.ctnet_study import CTNETS
        from benchmarks.ctnet_study import Study

        models = [*CTNETS, "finetune", "joint"] if world == "plain" else PLANTED_MODELS
        study = Study(config, seed, _steps(config, arguments.days), WINDOW)
        result: Result = study.run(RUNS / world / f"snapshots-{seed}", models)
        stored.write_text(json.dumps(asdict(result)), encoding="utf-8")
    content: dict[str, Any] = json.loads(stored.read_text(encoding="utf-8"))
    return content


def saved_models_equal(config: Config) -> dict[str, int]:
    """Scores all raw target impressions with both SavedModels, as TF Serving would."""
    import tensorflow as tf

    from benchmarks.ctnet_study import Study
    from models.ctnet.network import Ctnet
    from models.data.arrow_files import pq
    from models.serving.export import export_saved_model

    study = Study(config, config.training.seed, _steps(config, 1), WINDOW)
    old, ctnet, _ = study.first_day()
    assert isinstance(ctnet, Ctnet)
    store = Store(config.root)
    graph = Path(store.artifacts("TransformGraph")[-1].uri)
    files = [
        path
        for stored in store.artifacts("Examples")
        if stored.properties.get("role") == "raw"
        for path in sorted(
            Path(stored.uri).glob(f"{split_folder(config.target)}/*.parquet")
        )
    ]
    inputs: dict[str, list[Any]] = {}
    for feature in config.features:
        missing: Any = {"count": -1, "rate": float("nan")}.get(feature.kind, b"")
        values = [
            row for f in files for row in pq.read_table(f)[feature.name].to_pylist()
        ]
        if feature.kind == "ids":
            most = max(len(row or ()) for row in values)
            rows = [[*(row or ()), *[b""] * (most - len(row or ()))] for row in values]
        else:
            rows = [row[0] if row else missing for row in values]
        inputs[feature.name] = rows
    scores = []
    for name, network in (("old", old), ("ctnet", ctnet)):
        folder = RUNS / "first_day" / name
        export_saved_model(network, graph, folder)
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            meta = tf.compat.v1.saved_model.load(session, ["serve"], str(folder))
            signature = meta.signature_def["predict"]
            feed = {signature.inputs[key].name: rows for key, rows in inputs.items()}
            scores.append(session.run(signature.outputs["ctr"].name, feed))
    return {"rows": len(scores[0]), "equal": int(np.sum(scores[0] == scores[1]))}


def frozen(config: Config) -> dict[str, int]:
    """Trains CTNet on a day and counts source variables that were touched."""
    from benchmarks.ctnet_study import Study
    from models.training.optimizers import build_optimizer
    from models.training.optimizers import optimizer_state

    study = Study(config, config.training.seed, _steps(config, 1), WINDOW)
    _, ctnet, train = study.first_day()
    source = ctnet.source_variables()
    before = {name: variable.numpy() for name, variable in source.items()}
    trained = {variable.ref() for variable in ctnet.trainable_variables}
    slots = optimizer_state(build_optimizer(ctnet, config.training))
    expected = len(ctnet.embedding_variables) + 2 * len(ctnet.dense_variables) + 2
    train()
    return {
        "variables": len(source),
        "trained": sum(variable.ref() in trained for variable in source.values()),
        "slots": len(slots) - expected,
        "changed": sum(
            not np.array_equal(variable, before[name])
            for name, variable in source.items()
        ),
    }


def planned(config: Config, num_days: int) -> dict[str, int]:
    """Plans every day after its predecessors and counts inputs that are too recent."""
    known, counts = Known(), {"days": 0, "source_too_new": 0, "old_rows_read": 0}
    for day in range(config.first + HISTORY, config.first + HISTORY + num_days):
        steps = Planner(config, known, str, "code").run(day, ["ctnet"])
        source = next(step for step in steps if step.kind == "source")
        target = steps[-1]
        counts["days"] += 1
        counts["source_too_new"] += source.days.last >= target.days.last
        counts["old_rows_read"] += len(target.days) - 1
        known = Known(
            {s.fingerprint: s.days for s in steps if s.kind == "ingest"},
            models={
                **known.models,
                **{s.training or s.fingerprint: s.day for s in steps[-2:]},
            },
            sources={**known.sources, source.fingerprint: source.day},
        )
    return counts


def rows_share() -> dict[str, float]:
    """Returns the impressions of a daily update relative to those of `joint`.

    For the shipped configuration and its simulated impressions a day: those that CTNet
    reads, without and with its source level, over those that `joint` reads.
    """
    from pipeline.datasets.simulation.settings import plan_domains

    config = load_config(ROOT / "configs" / "feeds_ads.yaml")
    if config.simulate is None:
        raise ValueError("configs/feeds_ads.yaml has no `simulate`")
    plans = plan_domains(config.simulate, config.sources, config.target)
    rows = {plan.name: plan.rows_per_day for plan in plans}
    joint = sum(rows.values()) * config.levels.target.window_days
    joint *= config.training_of("target").epochs
    target = rows[config.target] * config.training_of("target").epochs
    source = sum(rows[name] for name in config.sources)
    source *= config.training_of("source").epochs
    return {"target": target / joint, "with_source_level": (target + source) / joint}


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
        "beats_target_only": n["pooled"]["ctnet"]["gauc"]
        > n["pooled"]["target_only"]["gauc"],
        "forgets_less": n["forgetting"]["ctnet"]["gauc"]
        > n["forgetting"]["finetune"]["gauc"],
        "reload_pays": n["planted_gauc_after"]["ctnet"]
        > n["planted_gauc_after"]["ctnet, no reload"],
        "rows": n["daily_rows_share_ctnet"]["with_source_level"] <= MOST_ROWS_SHARE,
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
    _tables(_numbers(found, arguments), found)


def _tables(n: dict[str, Any], found: dict[str, list[dict[str, Any]]]) -> None:
    # Late: it imports TensorFlow.
    from benchmarks.ctnet_study import difference
    from benchmarks.ctnet_study import told

    print(
        "| model | GAUC | AUC | log loss | GAUC of a day, minus target_only | AUC of a "
        "day, minus target_only | rows a day | seconds a day |"
    )
    print("| --- | ---: | ---: | ---: | --- | --- | ---: | ---: |")
    for name, values in n["pooled"].items():
        cost = n["costs"][name]
        apart = ["", ""]
        if name != "target_only":
            apart = [
                told(difference(found["plain"], name, "target_only", metric))
                for metric in ("gauc", "auc")
            ]
        print(
            f"| {name} | {values['gauc']:.4f} | {values['auc']:.4f} | "
            f"{values['log_loss']:.4f} | {apart[0]} | {apart[1]} | "
            f"{cost['rows']:,.0f} | {cost['seconds']:.2f} |"
        )
    print("\nSimulated change, GAUC of the days from the source's reversal on:")
    for base in PLANTED_MODELS[1:]:
        apart_by = difference(found["planted"], "ctnet", base, first=SOURCE_TURNS)
        print(f"ctnet minus {base}: {told(apart_by)}")
    for title, by_day in (
        ("GAUC", n["by_day"]["gauc"]),
        ("AUC", n["by_day"]["auc"]),
        ("GAUC, simulated change", n["planted_by_day"]["gauc"]),
    ):
        print(f"\n| {title} |", " | ".join(map(str, range(n["days"]))), "|")
        print("| --- |", " | ".join(["---"] * n["days"]), "|")
        for name, days in by_day.items():
            print(f"| {name} |", " | ".join(f"{day:.3f}" for day in days), "|")
    print(
        "\n| impressions of the first days, scored at the end (ctnet and target_only "
        "trained on them) | "
        "GAUC | AUC | log loss |"
    )
    print("| --- | --- | --- | --- |")
    for name, values in n["forgetting"].items():
        print(
            f"| {name} | {values['gauc']:.4f} | {values['auc']:.4f} | "
            f"{values['log_loss']:.4f} |"
        )


def _report(numbers: dict[str, Any], found: dict[str, list[dict[str, Any]]]) -> None:
    _tables(numbers, found)
    by_seed = {
        world: [r["pooled"]["ctnet"]["gauc"] for r in results]
        for world, results in found.items()
    }
    from benchmarks.ctnet_study import difference

    numbers["minus_target_only"] = difference(found["plain"], "ctnet", "target_only")
    numbers["minus_no_reload"] = difference(
        found["planted"], "ctnet", "ctnet, no reload", first=SOURCE_TURNS
    )
    checks = _checks(numbers)
    print("\nChecks on simulated impressions; comparisons of means have no margin.")
    for name, holds in checks.items():
        print(f"{name:<18} {'yes' if holds else 'NO'}")
    passed = [name for name, holds in checks.items() if holds]
    failed = [name for name, holds in checks.items() if not holds]
    numbers |= {"ctnet_gauc_by_seed": by_seed, "passed": passed, "failed": failed}
    print(json.dumps(numbers))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The checks of CTNet.")
    parser.add_argument("--days", type=int, default=14, help="days of the study")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument(
        "--rows", type=int, default=20_000, help="feed impressions a day"
    )
    parser.add_argument("--table", action="store_true", help="print stored results")
    return parser.parse_args()


if __name__ == "__main__":
    main()
