"""Latency of a request, by strategy and number of candidates.

    python -m benchmarks.bench_serving [--rounds 600] [--deepctr-python PATH]

`make bench-serving` runs it. Every model is loaded as TensorFlow Serving loads it. In
each round all models answer the same request, in a new order, so that other work of the
machine affects all of them equally. Networks have the size of real ones and random
weights (`serving_world`). What the numbers mean: docs/how-to/serving.md.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import tempfile
import time
from collections.abc import Callable
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks import serving_world as world
from pipeline.terminal.plain_text import Console
from pipeline.terminal.plain_text import Table

ROOT = Path(__file__).parents[1]
CANDIDATES = (1, 10, 100, 1_000)
DEEPCTR = "DeepCTR"
GRPC = f"{world.BACKBONE}, gRPC"
# Largest allowed ratio to the backbone's p99, at 100 candidates.
BUDGETS = {"ecdctr": 1.15, "cctl": 1.15, "ctnet": 1.6}
_BUDGETED = 100

Call = Callable[[], Any]
Times = dict[str, list[float]]


@click.command()
@click.option("--rounds", default=1_000, show_default=True, help="Requests per size.")
@click.option(
    "--deepctr-python",
    type=click.Path(path_type=Path),
    help="Python of DeepCTR's environment; without it DeepCTR is left out.",
)
def main(rounds: int, deepctr_python: Path | None) -> None:
    """Measure the latency of every strategy's SavedModel."""
    console = Console(width=110)
    with tempfile.TemporaryDirectory(prefix="crossctr-serving-") as name:
        folder = Path(name)
        console.print("Exporting every strategy's network ...")
        exported = world.export_all(folder)
        if deepctr_python is not None:
            _export_deepctr(folder, deepctr_python)
        _print_sizes(console, exported)
        times = _measure(folder, exported, rounds, deepctr_python is not None, console)
    for candidates, by_model in times.items():
        console.print(_table(candidates, by_model))
    load = os.getloadavg()[0]
    console.print(f"{os.cpu_count()} cores, load {load:.1f} at the end")
    summary = _summary(times)
    for strategy, most in BUDGETS.items():
        ratio = summary[f"{strategy}_p99_ratio"]
        word = "within" if ratio <= most else "over"
        console.print(f"{strategy}: p99 {ratio:.2f}x the backbone, {word} {most}x")
    print(json.dumps(summary))


def _export_deepctr(folder: Path, python: Path) -> None:
    table = world.features()
    about = {
        "fields": {f.name: table.num_rows(f.table) for f in table.features},
        "width": world.WIDTH,
        "hidden_units": world.HIDDEN_UNITS,
        "cross_layers": world.CROSS_LAYERS,
    }
    path = folder / "fields.json"
    path.write_text(json.dumps(about), encoding="utf-8")
    script = ROOT / "benchmarks" / "peers" / "deepctr_export.py"
    command = [str(python), str(script), str(path), str(folder / DEEPCTR)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _print_sizes(console: Console, exported: Mapping[str, Path]) -> None:
    sizes = {
        name: sum(p.stat().st_size for p in path.rglob("*") if p.is_file()) / 2**20
        for name, path in exported.items()
    }
    listed = ", ".join(f"{name} {size:.1f}" for name, size in sizes.items())
    console.print(f"MiB: {listed}")


def _measure(
    folder: Path,
    exported: Mapping[str, Path],
    rounds: int,
    with_deepctr: bool,
    console: Console,
) -> dict[int, Times]:
    """Returns the milliseconds of each call by candidates and model."""
    from components.model_server.server import ModelServer
    from models.serving.saved_scorer import SavedScorer

    scorers = {name: SavedScorer(path) for name, path in exported.items()}
    if with_deepctr:
        scorers[DEEPCTR] = SavedScorer(folder / DEEPCTR)
    published = folder / "published" / world.BACKBONE
    published.mkdir(parents=True)
    (published / "1").symlink_to(exported[world.BACKBONE], target_is_directory=True)
    server = ModelServer([published])
    server.start()
    times: dict[int, Times] = {}
    try:
        for candidates in CANDIDATES:
            calls = _calls(scorers, candidates) | _over_grpc(server.port, candidates)
            for call in calls.values():
                for _ in range(10):
                    call()
            console.print(f"{candidates:,} candidates, {len(calls)} calls a round ...")
            times[candidates] = _rounds(calls, rounds)
    finally:
        server.stop()
    return times


def _calls(scorers: Mapping[str, Any], candidates: int) -> dict[str, Call]:
    from models.serving.requests import inputs_of

    table = world.features()
    rows = world.rows_of_a_user(candidates, seed=candidates)
    calls: dict[str, Call] = {}
    for name, scorer in scorers.items():
        if name == DEEPCTR:
            columns = {
                f.name: np.array([[str(row[f.name][0])] for row in rows], object)
                for f in table.features
            }
            calls[name] = _call(scorer, "serving_default", columns)
            continue
        for signature in ("predict", "rank"):
            inputs = inputs_of(signature, table, rows)
            label = name if signature == "predict" else f"{name}, rank"
            calls[label] = _call(scorer, signature, inputs)
    return calls


def _call(scorer: Any, signature: str, inputs: Mapping[str, Any]) -> Call:
    return lambda: scorer(signature, inputs)


def _over_grpc(port: int, candidates: int) -> dict[str, Call]:
    import grpc
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_service_pb2_grpc
    from tensorflow_serving.apis.predict_pb2 import PredictRequest

    from models.serving.requests import inputs_of

    rows = world.rows_of_a_user(candidates, seed=candidates)
    channel = grpc.insecure_channel(f"127.0.0.1:{port}")
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    calls: dict[str, Call] = {}
    for signature, label in (("predict", GRPC), ("rank", f"{GRPC}, rank")):
        request = PredictRequest()
        request.model_spec.name = world.BACKBONE
        request.model_spec.signature_name = signature
        for name, value in inputs_of(signature, world.features(), rows).items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
        calls[label] = _ask(stub, request)
    return calls


def _ask(stub: Any, request: Any) -> Call:
    return lambda: stub.Predict(request, timeout=60)


def _rounds(calls: Mapping[str, Call], rounds: int) -> Times:
    rng = random.Random(0)
    order = list(calls)
    times: Times = {name: [] for name in calls}
    for _ in range(rounds):
        rng.shuffle(order)
        for name in order:
            started = time.perf_counter()
            calls[name]()
            times[name].append((time.perf_counter() - started) * 1_000)
    return times


def _table(candidates: int, times: Times) -> Table:
    table = Table(
        title=f"{candidates:,} candidates of one user, ms", title_justify="left"
    )
    table.add_column("model")
    for column in ("p50", "p95", "p99", "p99 / backbone's", "rank p50", "rank saves"):
        table.add_column(column, justify="right")
    base = _percentile(times[world.BACKBONE], 99)
    for name, found in times.items():
        if name.endswith(", rank"):
            continue
        p50, p95, p99 = (_percentile(found, q) for q in (50, 95, 99))
        ranked = times.get(f"{name}, rank")
        saved = [""] * 2
        if ranked is not None:
            rank = _percentile(ranked, 50)
            saved = [f"{rank:.2f}", f"{p50 / rank:.2f}x"]
        cells = (f"{value:.2f}" for value in (p50, p95, p99))
        table.add_row(name, *cells, f"{p99 / base:.2f}", *saved)
    return table


def _percentile(values: list[float], q: float) -> float:
    return float(np.percentile(values, q))


def _summary(times: Mapping[int, Times]) -> dict[str, float]:
    chosen = times[_BUDGETED]
    base = _percentile(chosen[world.BACKBONE], 99)
    summary = {
        f"{name.lower()}_p99_ratio": round(_percentile(found, 99) / base, 3)
        for name, found in chosen.items()
        if "," not in name and name != world.BACKBONE
    }
    for candidates, by_model in times.items():
        plain = _percentile(by_model[world.BACKBONE], 50)
        ranked = _percentile(by_model[f"{world.BACKBONE}, rank"], 50)
        summary[f"rank_speedup_{candidates}"] = round(plain / ranked, 3)
    return summary


if __name__ == "__main__":
    main()
