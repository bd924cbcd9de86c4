"""Checks of E-CDCTR on simulated or shipped logs: `make prove-ecdctr`.

The first three are exact, the last two read differences of the comparison. Seeds and
criteria are those of `criteria.yaml`, which is written before a run.

| key                   | holds if                                                           |
| --------------------- | ------------------------------------------------------------------ |
| `fold`                | scores of the served network with folded snapshots differ from the unfolded network's by at most 1e-6 |
| `point_in_time`       | no stored model read a snapshot or model of its own day or later, and plans of earlier days, made on today's store, read none either |
| `later_is_refused`    | the resolver refuses a CPM dated on the run's day                  |
| `beats_target_only`   | the paired 95 % interval of GAUC minus `target_only`'s is above zero |
| `no_ablation_is_better` | no ablation's GAUC is told apart above the full model's, with Holm's correction for the table |
| `returning`           | where users return after CPM's window, GAUC on held-out impressions of old days is told apart below the full model's for each variant that the criteria name, over worlds, with Holm's correction |

`--returning` runs the last one alone, see `benchmarks/ecdctr_returning.py`. The last line is JSON: each key, its numbers, `passed` and `failed`.
"""  # noqa: E501 (a table)

from __future__ import annotations

import argparse
import datetime
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ml_metadata
import numpy as np
from ml_metadata.proto import metadata_store_pb2

from benchmarks.criteria import CRITERIA
from components.resolvers.logic import Candidate
from components.resolvers.logic import select
from models.artifact_files import split_folder
from models.days import to_day
from models.errors import ConfigError
from models.errors import DataError
from pipeline.cli.options import wide_console
from pipeline.comparing.ablation import WHOLE
from pipeline.comparing.ablation import ablation
from pipeline.comparing.ablation import ablation_variants
from pipeline.comparing.measure import Measured
from pipeline.comparing.run import run_comparison
from pipeline.comparing.show import show
from pipeline.comparing.trials import with_variants
from pipeline.config.load import load_config
from pipeline.config.schema import Config
from pipeline.execution.failures import raise_failed
from pipeline.execution.job import plan_run
from pipeline.planning.steps import Step
from pipeline.store.reader import METADATA_FILE
from pipeline.store.reader import Store
from pipeline.terminal.plain_text import Console
from pipeline.terminal.plain_text import Table

RETURNING = Path(__file__).parents[1] / "runs" / "prove_ecdctr" / "returning"
# Number of earlier days that are planned on the present store.
_PAST_DAYS = (1, 3, 8, 31)


def main() -> None:
    """Runs the checks and prints them."""
    arguments = _arguments()
    console = wide_console()
    if arguments.returning:
        numbers: dict[str, Any] = {"seeds": arguments.seeds}
        _report(_returning(arguments.seeds, numbers, console), numbers, console)
        return
    config = _seeded(load_config(arguments.config))
    day = to_day(datetime.date.fromisoformat(arguments.day))
    command = f"make prove-ecdctr SEEDS={arguments.seeds}"
    comparison = run_comparison(
        ablation(config, day, arguments.seeds, command), console
    )
    raise_failed(comparison.failed)
    show(comparison, console)

    numbers = {"seeds": arguments.seeds, "day": arguments.day}
    numbers["fold_max_difference"] = fold_difference(config, day)
    numbers["inputs_checked"], late = late_inputs(Store(config.root))
    numbers["planned_checked"], planned_late = planned_late_inputs(config, day)
    numbers.update(_ablation_numbers(comparison.models))
    checks = {
        "fold": numbers["fold_max_difference"] <= CRITERIA.ecdctr.most_fold_difference,
        "point_in_time": not late and not planned_late and numbers["inputs_checked"],
        "later_is_refused": later_is_refused(day),
        "beats_target_only": numbers["gauc_over_target_only"][1] > 0,
        "no_ablation_is_better": not numbers["better_ablations"],
    }
    checks |= _returning(arguments.seeds, numbers, console)
    _report(checks, numbers, console)


def _returning(
    seeds: int, numbers: dict[str, Any], console: Console
) -> dict[str, bool]:
    """Runs the worlds of returning users, which are stored by seed, and judges them."""
    # Late: it imports TensorFlow.
    from benchmarks.ecdctr_returning import differences_of
    from benchmarks.ecdctr_returning import stored_result

    criteria = CRITERIA.ecdctr.returning
    results = [
        stored_result(criteria, seed, RETURNING)
        for seed in CRITERIA.seeds.values(seeds)
    ]
    numbers["returning"] = {
        part: differences_of(results, part) for part in ("old", "later", "returning")
    }
    for part, found in numbers["returning"].items():
        table = Table(title=f"Returning users: {part}", title_justify="left")
        for column in ("variant", "GAUC", "minus whole", "adjusted p"):
            table.add_column(column)
        for name, about in found.items():
            table.add_row(name, *about["text"])
        console.print(table)
    old = numbers["returning"]["old"]
    return {"returning": all(old[name]["told_apart_below"] for name in criteria.below)}


def _seeded(config: Config) -> Config:
    """Returns the configuration with the first seed of the checks."""
    seed = {"seed": CRITERIA.seeds.first}
    training = config.training.model_copy(update=seed)
    return config.model_copy(update={"training": training})


def fold_difference(config: Config, day: int) -> float:
    """Returns the largest score difference of folded and unfolded on impressions."""
    # Late: both import TensorFlow.
    import tensorflow as tf

    from models.artifact_files import TRAIN_FOLDER
    from models.artifact_files import WEIGHTS_FILE
    from models.data import snapshots
    from models.data.batches import ExampleReader
    from models.data.id_lists import read_ids
    from models.features.id import SNAPSHOT_SPACES
    from models.networks.backbone import Backbone
    from models.training import warm_start
    from models.training.checkpoints import variable_shapes

    step = _whole(config, day)
    store, table = Store(config.root), config.table
    vocabulary = _uri(store, "Vocabulary", step.blocks[-1].fingerprint)
    folders = [_uri(store, "EmbeddingSnapshot", print_) for print_ in step.snapshots]
    aligned = {
        space: snapshots.align(
            folders, read_ids(vocabulary, space), space, table.vocabularies[space]
        )
        for space in SNAPSHOT_SPACES
    }
    network = Backbone(table, config.network, aligned)
    weights = _uri(store, "Model", step.training) / TRAIN_FOLDER / WEIGHTS_FILE
    named, shapes = network.named_variables(), variable_shapes(weights)
    plan = warm_start.plan_copy(shapes, {name: shapes[name] for name in named})
    warm_start.apply(plan, weights, named)

    patterns = [
        f"{stored.uri}/{split_folder(config.target)}/*"
        for stored in store.transformed_blocks()
        if stored.fingerprint in {block.fingerprint for block in step.blocks}
    ]
    reader = ExampleReader(patterns, table, step.days.first, step.days.last)
    folded = network.serving_form().logits
    worst = 0.0
    for batch in reader.batches(batch_size=4_096, shuffle_rows=16_384, seed=0):
        rows = {name: tf.constant(values) for name, values in batch.rows.items()}
        ours, theirs = tf.sigmoid(folded(rows)), tf.sigmoid(network(rows))
        worst = max(worst, float(np.abs(ours - theirs).max()))
    return worst


def late_inputs(store: Store) -> tuple[int, list[str]]:
    """Checks in ML Metadata the inputs of every stored model and snapshot.

    Returns:
        The number of pairs of a result and a model or snapshot it read, and the pairs
        whose input has impressions of the result's own day or later.
    """
    connection = metadata_store_pb2.ConnectionConfig()
    connection.sqlite.filename_uri = str(store.root / METADATA_FILE)
    metadata = ml_metadata.MetadataStore(connection)
    by_id = {
        stored.id: stored
        for kind in ("Model", "EmbeddingSnapshot")
        for stored in store.artifacts(kind)
    }
    output, given = metadata_store_pb2.Event.OUTPUT, metadata_store_pb2.Event.INPUT
    makers = {
        event.execution_id: event.artifact_id
        for event in metadata.get_events_by_artifact_ids(list(by_id))
        if event.type == output
    }
    pairs = [
        (by_id[makers[event.execution_id]], by_id[event.artifact_id])
        for event in metadata.get_events_by_execution_ids(list(makers))
        if event.type == given and event.artifact_id in by_id
    ]
    # A result's own day is the day after its last impression.
    late = [
        f"{read.uri} (to day {read.last_day}) in {made.uri} (to day {made.last_day})"
        for made, read in pairs
        if read.last_day > made.last_day
    ]
    return len(pairs), late


def planned_late_inputs(config: Config, day: int) -> tuple[int, list[str]]:
    """Plans earlier days on the present store, which has models of later days.

    Returns:
        The number of stored models and snapshots that these plans read, and those among
        them dated on the planned day or later.
    """
    stored = {
        s.fingerprint: s
        for kind in ("Model", "EmbeddingSnapshot")
        for s in Store(config.root).artifacts(kind)
    }
    variants = ablation_variants(config)
    seeded = with_variants(config, variants, config.training.seed)
    checked, late = 0, []
    for past in (day - back for back in (0, *_PAST_DAYS)):
        try:
            steps = plan_run(seeded, lambda p, d=past: p.run(d, list(variants))).steps  # type: ignore[misc]
        except ConfigError:
            continue
        for step in steps:
            if step.kind == "ingest":
                continue
            for read in (*step.snapshots, *filter(None, [step.warm_start])):
                if read in stored:
                    checked += 1
                    if stored[read].last_day >= step.day:
                        late.append(f"{stored[read].uri} for {step.label}")
    return checked, late


def later_is_refused(day: int) -> bool:
    """Whether the resolver refuses a CPM whose window ends on the run's day."""
    candidates = [Candidate(id=1, fingerprint="cpm", last_day=day)]
    try:
        select(candidates, ["cpm"], before_day=day)
    except DataError:
        return True
    return False


def _whole(config: Config, day: int) -> Step:
    variants = ablation_variants(config)
    seeded = with_variants(config, variants, config.training.seed)
    names = list(variants)
    steps = plan_run(seeded, lambda p: p.run(day, names, judge=False)).steps
    return next(s for s in steps if s.kind == "target" and s.strategy == WHOLE)


def _uri(store: Store, kind: str, fingerprint: str) -> Path:
    found = store.newest(kind, fingerprint)
    if found is None:
        raise DataError(f"no {kind} {fingerprint} is stored; run the ablation first")
    return Path(found.uri)


def _ablation_numbers(results: Sequence[Measured]) -> dict[str, Any]:
    plain = next(r for r in results if r.name == "target_only").differences["gauc"]
    return {
        "gauc_over_target_only": [-plain.value, -plain.high, -plain.low],
        "better_ablations": [
            result.name
            for result in results
            if result.name != "target_only"
            and result.differences
            and result.differences["gauc"].told_apart
            and result.differences["gauc"].value > 0
        ],
        "variants": {
            result.name: {
                **result.metrics,
                "gauc_minus_whole": (
                    vars(result.differences["gauc"]) if result.differences else None
                ),
            }
            for result in results
        },
    }


def _report(checks: dict[str, Any], numbers: dict[str, Any], console: Console) -> None:
    table = Table(title="Checks of E-CDCTR", title_justify="left")
    table.add_column("check")
    table.add_column("holds")
    for name, holds in checks.items():
        table.add_row(name, "yes" if holds else "NO")
    console.print(table)
    passed = [name for name, holds in checks.items() if holds]
    failed = [name for name, holds in checks.items() if not holds]
    print(json.dumps({**numbers, "passed": passed, "failed": failed}))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The checks of E-CDCTR.")
    parser.add_argument("config", type=Path, nargs="?")
    parser.add_argument("--day", help="YYYY-MM-DD")
    parser.add_argument(
        "--returning", action="store_true", help="only the worlds of returning users"
    )
    parser.add_argument("--seeds", type=int, default=CRITERIA.seeds.count)
    arguments = parser.parse_args()
    if not arguments.returning and None in (arguments.config, arguments.day):
        parser.error("expected a configuration and --day, or --returning")
    return arguments


if __name__ == "__main__":
    main()
