"""Load test of a server while versions are published, relabelled and removed.

    python -m benchmarks.load_serving [--minutes 10] [--clients 2]

`make load-serving` runs it. A server in a separate process answers clients that never
pause. Meanwhile five versions are published, promoted and rolled back repeatedly, by
the same code as the Publisher and the commands use. Each version gives every candidate
one constant score, so an answer from more than one version is recognised as mixed. The
last line is JSON: `requests`, `failed`, `mixed`, `changes`, `rss_ratio` (the server's
memory at the end over that after the first round of changes) and `passed`.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.progress import Progress

from components.publisher import labels
from components.publisher.logic import versions_in
from components.publisher.model_card import make_card
from components.publisher.releases import ModelRepository
from components.publisher.releases import Release
from models.days import to_day
from pipeline.terminal.plain_text import Console

NAME = "load"
VERSIONS = 5
ROWS = 100
_PAUSE = 1.0  # Seconds between two changes; the server polls every 0.2 s.
_MOST_RSS_RATIO = 1.2


@dataclass
class Seen:
    """Observations of the clients.

    Attributes:
        answers: Number of answers by version.
        failed: Number of requests without an answer, by reason.
        mixed: Number of answers whose scores are not those of their version.
        milliseconds: Latency of each request.
    """

    answers: Counter[int] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    mixed: int = 0
    milliseconds: list[float] = field(default_factory=list)


@click.command()
@click.option("--minutes", default=10.0, show_default=True)
@click.option("--clients", default=2, show_default=True)
def main(minutes: float, clients: int) -> None:
    """Load a server while versions change."""
    console = Console(width=110)
    with tempfile.TemporaryDirectory(prefix="crossctr-load-") as name:
        repository = ModelRepository(Path(name) / "serving", NAME, "/models", keep=3)
        repository.directory.mkdir()
        models = _models(Path(name) / "models")
        _release(repository, models, 0)
        spawn = multiprocessing.get_context("spawn")
        ports, stop = spawn.Queue(), spawn.Event()
        server = spawn.Process(target=_serve, args=(repository.folder, ports, stop))
        server.start()
        port = ports.get(timeout=120)
        stopping, seen = threading.Event(), [Seen() for _ in range(clients)]
        threads = [
            threading.Thread(target=_ask, args=(port, stopping, one)) for one in seen
        ]
        for thread in threads:
            thread.start()
        first_rss, changes = 0, 0
        ends = time.monotonic() + minutes * 60
        with Progress(console=console) as progress:
            task = progress.add_task("requests under change", total=minutes * 60)
            while time.monotonic() < ends:
                changes += _round(repository, models)
                first_rss = first_rss or _rss(server.pid)
                progress.update(
                    task, completed=minutes * 60 - (ends - time.monotonic())
                )
        last_rss = _rss(server.pid)
        stopping.set()
        for thread in threads:
            thread.join()
        stop.set()
        server.join(30)
        _report(console, seen, changes, first_rss, last_rss)


def _day(version: int) -> int:
    import datetime

    return to_day(datetime.date(2024, 1, 1)) + version


def _release(
    repository: ModelRepository,
    models: list[Path],
    number: int,
    *,
    as_canary: bool = False,
) -> Release:
    decision = {"strategy": NAME, "approved": True, "reasons": []}
    card = make_card(decision, {}, None, None, day=_day(number))
    lineage = {"model_fingerprint": str(number)}
    return repository.release(
        models[number], _day(number), lineage, card, [], as_canary=as_canary
    )


def _models(folder: Path) -> list[Path]:
    """Writes a SavedModel for each version that gives all candidates one score."""
    import tensorflow as tf

    class Constant(tf.Module):  # type: ignore[misc]
        def __init__(self, value: float) -> None:
            super().__init__()
            # Large enough to notice in the server's memory if it is never freed.
            self.table = tf.Variable(tf.fill([1_000_000, 4], value))

        @tf.function
        def predict(self, item_id: Any) -> dict[str, Any]:
            rows = tf.strings.to_hash_bucket_fast(item_id, 1_000_000)
            return {"ctr": tf.reduce_mean(tf.gather(self.table, rows), axis=1)}

    paths = []
    for version in range(VERSIONS):
        module = Constant((version + 1) / 10)
        spec = tf.TensorSpec([None], tf.string, name="item_id")
        signature = module.predict.get_concrete_function(spec)
        paths.append(folder / str(version))
        tf.saved_model.save(module, str(paths[-1]), signatures={"predict": signature})
    return paths


def _serve(folder: Path, ports: Any, stop: Any) -> None:
    from components.model_server.server import ModelServer

    server = ModelServer([folder], poll_seconds=0.2)
    server.start()
    ports.put(server.port)
    stop.wait()
    server.stop()


def _ask(port: int, stopping: threading.Event, seen: Seen) -> None:
    import grpc
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_service_pb2_grpc
    from tensorflow_serving.apis.predict_pb2 import PredictRequest

    request = PredictRequest()
    request.model_spec.name = NAME
    request.model_spec.signature_name = "predict"
    items = np.array([f"i{i}".encode() for i in range(ROWS)], object)
    request.inputs["item_id"].CopyFrom(tf.make_tensor_proto(items))
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        while not stopping.is_set():
            started = time.perf_counter()
            try:
                response = stub.Predict(request, timeout=30)
            except grpc.RpcError as error:
                seen.failed[f"{error.code().name}: {error.details()}"] += 1
                continue
            seen.milliseconds.append((time.perf_counter() - started) * 1_000)
            version = response.model_spec.version.value
            expected = (version // 100 % 100) / 10  # the day of the month
            scores = tf.make_ndarray(response.outputs["ctr"])
            seen.answers[version] += 1
            if scores.shape != (ROWS,) or not np.allclose(scores, expected):
                seen.mixed += 1


def _round(repository: ModelRepository, models: list[Path]) -> int:
    """Publishes all versions, adds a canary, rolls all back; returns the changes."""
    changes = 0

    def changed() -> None:
        nonlocal changes
        changes += 1
        time.sleep(_PAUSE)

    for version in range(1, VERSIONS):
        as_canary = version % 2 == 0
        released = _release(repository, models, version, as_canary=as_canary)
        changed()
        if as_canary:
            repository.write(labels.promoted(released.labels, int(released.path.name)))
            changed()
    # `keep` removed the first versions; publishing them again is like a backfill.
    for version in range(VERSIONS - 1):
        _release(repository, models, version)
    changed()
    while len(there := versions_in(repository.folder)) > 1:
        known = repository.labels()
        version = known.stable if known else there[-1]
        left = [v for v in there if v != version]
        repository.write(labels.without(known, version, left))
        withdrawn = repository.folder / f".withdrawn-{version}"
        (repository.folder / str(version)).rename(withdrawn)
        shutil.rmtree(withdrawn)
        changed()
    return changes


def _rss(pid: int | None) -> int:
    text = Path(f"/proc/{pid}/statm").read_text(encoding="ascii")
    return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _report(
    console: Console, seen: list[Seen], changes: int, first: int, last: int
) -> None:
    answers = sum((one.answers for one in seen), Counter())
    failed = sum((one.failed for one in seen), Counter())
    times = np.concatenate([one.milliseconds for one in seen])
    mixed = sum(one.mixed for one in seen)
    for reason, count in failed.most_common(5):
        console.print(f"{count} failed: {reason}")
    p50, p99 = np.percentile(times, [50, 99])
    console.print(
        f"{sum(answers.values()):,} answers by versions "
        f"{', '.join(str(v) for v in sorted(answers))}; {changes} changes; p50 "
        f"{p50:.2f} ms, p99 {p99:.2f} ms; server {first / 2**20:.0f} MiB after the "
        f"first round, {last / 2**20:.0f} MiB at the end"
    )
    summary = {
        "requests": sum(answers.values()) + sum(failed.values()),
        "failed": sum(failed.values()),
        "mixed": mixed,
        "changes": changes,
        "versions": len(answers),
        "rss_ratio": round(last / first, 3),
    }
    passed = not failed and not mixed and last / first <= _MOST_RSS_RATIO
    print(json.dumps({**summary, "passed": passed}))


if __name__ == "__main__":
    main()
