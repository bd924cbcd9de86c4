"""Exact checks of CTNet: first day, frozen source, point in time, impressions read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.ctnet_worlds import HISTORY
from benchmarks.ctnet_worlds import ROOT
from benchmarks.ctnet_worlds import RUNS
from benchmarks.ctnet_worlds import WINDOW
from benchmarks.ctnet_worlds import steps
from models.artifact_files import split_folder
from pipeline.config.load import load_config
from pipeline.config.schema import Config
from pipeline.planning.planner import Planner
from pipeline.planning.steps import Known
from pipeline.store.reader import Store


def saved_models_equal(config: Config) -> dict[str, int]:
    """Scores all raw target impressions with both SavedModels, as TF Serving would."""
    import tensorflow as tf

    from benchmarks.ctnet_study import Study
    from models.ctnet.network import Ctnet
    from models.data.arrow_files import pq
    from models.serving.export import export_saved_model

    study = Study(config, config.training.seed, steps(config, 1), WINDOW)
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

    study = Study(config, config.training.seed, steps(config, 1), WINDOW)
    _, ctnet, train = study.first_day()
    source = ctnet.source_variables()
    before = {name: variable.numpy() for name, variable in source.items()}
    trained = {variable.ref() for variable in ctnet.trainable_variables}
    slots = optimizer_state(build_optimizer(ctnet, config.training))
    pairs = len(ctnet.dense_variables) + len(ctnet.wide_variables)
    expected = len(ctnet.embedding_variables) + 2 * pairs + 3
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
        plan = Planner(config, known, str, "code").run(day, ["ctnet"])
        source = next(step for step in plan if step.kind == "source")
        target = plan[-1]
        counts["days"] += 1
        counts["source_too_new"] += source.days.last >= target.days.last
        counts["old_rows_read"] += len(target.days) - 1
        known = Known(
            {s.fingerprint: s.days for s in plan if s.kind == "ingest"},
            models={
                **known.models,
                **{s.training or s.fingerprint: s.day for s in plan[-2:]},
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
