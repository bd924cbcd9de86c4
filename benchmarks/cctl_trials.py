"""Trainings of `prove_cctl`, one function per kind of check; results are stored."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

if TYPE_CHECKING:
    from benchmarks.cctl_study import Trained
    from benchmarks.cctl_study import World

RUNS = Path(__file__).parents[1] / "runs" / "prove_cctl"
MODELS = ("target_only", "joint", "cctl")
# Angle in degrees, and share of poison.
ABLATED_AT = (45, 0.6)
ABLATIONS: dict[str, dict[str, Any]] = {
    "cctl": {},
    "w = 1": {"estimator": "uniform"},
    "prior: agreement": {"prior": "agreement"},
    "no sync": {"sync_steps": 0},
    "k = 10": {"sync_steps": 10},
    "k = 200": {"sync_steps": 200},
    "own vectors": {"own_vectors": True},
    "own vectors, no contrast": {"own_vectors": True, "enhancement": 0.0},
    "no alignment": {"alignment": False},
    "sum of two means": {"balance": "domains"},
}
_COST_ROUNDS = 5


def stored(name: str, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
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


def noise(seed: int, size: str) -> dict[str, Any]:
    """Trains CCTL with a clean and a noisy source; returns weights and metrics."""
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


def copied(seed: int, size: str) -> dict[str, Any]:
    """Trains CCTL with a copy of the target as source; returns weights and metrics."""
    from benchmarks.cctl_study import make_world
    from benchmarks.cctl_study import train_cctl

    world = make_world(seed, size=size)
    trained = train_cctl(world, world.with_copy(), seed)
    return {"mean": float(trained.weights["copy"].mean()), **trained.metrics}


def baselines(seed: int, size: str, what: str) -> dict[str, dict[str, Any]]:
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
        "target_only": stored(f"alone-{size}-{seed}", alone),
        "joint": stored(f"joint-{what}-{size}-{seed}", joint),
    }


def condition(seed: int, theta: int, poison: float) -> dict[str, dict[str, float]]:
    """Returns the metrics of all models at an angle and a share of poison."""
    # `target_only` depends on the seed alone, as the target's impressions do.
    names = {
        model: model if model == "target_only" else f"{model}-{theta}-{poison}"
        for model in MODELS
    }
    return {
        model: stored(f"{name}-{seed}", partial(_judged, seed, theta, poison, model))
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


def ablated(seed: int, changes: dict[str, Any]) -> dict[str, Any]:
    """Returns the metrics of CCTL with changed settings."""
    from benchmarks.cctl_study import make_world

    theta, poison = ABLATED_AT
    world = make_world(seed, theta=theta, poison=poison)
    return _train(world, "cctl", seed, **changes).metrics


def cost() -> dict[str, Any]:
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
