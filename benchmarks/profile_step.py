"""Profile of one training step, with Keras's BatchNorm and with this project's.

    python -m benchmarks.profile_step

One thread, 10^6 ids in each of two fields, batches of 1024. Shown is the median
duration of every operation over the steps, which other work of the machine hardly
changes.
"""

from __future__ import annotations

import glob
import json
import os
import statistics
import tempfile
import time
from collections import defaultdict
from unittest import mock

from pipeline.terminal.plain_text import Console
from pipeline.terminal.plain_text import Table

_STEPS = 64
_BATCH = 1024
_NUM_IDS = 1_000_000
# Purpose of an operation by its name; the first match counts.
_KINDS = {
    "matrix products": ("MatMul",),
    "embedding lookups and updates": (
        "ResourceGather",
        "ResourceScatter",
        "Unique",
        "UnsortedSegmentSum",
    ),
    "sums and means": ("Sum", "Mean"),
    "relu and its gradient": ("Relu",),
    "element by element": (
        "Mul",
        "Add",
        "Sub",
        "Div",
        "Square",
        "Sqrt",
        "Rsqrt",
        "BroadcastTo",
    ),
}


def main() -> None:
    """Prints the table and a line of JSON."""
    os.environ |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    import tf_keras as keras

    before = keras.layers.BatchNormalization
    with mock.patch("models.layers.mlp.BatchNorm", before):
        old = _profile(span=1)
    new = _profile(span=16)
    table = Table(title=f"Milliseconds of a step of {_BATCH} rows, one thread")
    for column in ("", "before", "now"):
        table.add_column(column, justify="left" if not column else "right")
    for kind in dict.fromkeys([*old, *new]):
        table.add_row(kind, *(f"{run.get(kind, 0.0):.2f}" for run in (old, new)))
    Console(width=100).print(table)
    print(json.dumps({"before": old, "now": new}))


def _profile(span: int) -> dict[str, float]:
    """Returns milliseconds by kind of operation, and the total CPU time."""
    import numpy as np
    import tensorflow as tf
    import tf_keras as keras

    from benchmarks import training_rows
    from benchmarks.peers import common
    from models.networks.backbone import Backbone
    from models.settings import NetworkConfig
    from models.settings import TrainingConfig
    from models.training.optimizers import build_optimizer
    from models.training.steps import make_train_span

    keras.utils.set_random_seed(1)
    features = training_rows.features(_NUM_IDS)
    sizes = NetworkConfig(
        width=common.WIDTH,
        hidden_units=common.HIDDEN_UNITS,
        cross_layers=0,
        dropout=0.0,
        # As the peers have it.
        wide=False,
        product=False,
        zero_start=False,
    )
    network = Backbone(features, sizes)
    optimizer = build_optimizer(network, TrainingConfig())
    step = make_train_span(network, optimizer, _BATCH)
    rng = np.random.default_rng(0)
    shape = span * _BATCH
    batches = [
        (
            {
                f.name: tf.constant(rng.integers(2, features.num_rows(f.table), shape))
                for f in features.features
            },
            tf.constant(rng.integers(0, 2, shape), tf.float32),
        )
        for _ in range(_STEPS // span)
    ]

    def run() -> None:
        for batch in batches:
            step(*batch).numpy()

    run()
    seconds = []
    for _ in range(7):
        started = time.process_time()
        run()
        seconds.append(time.process_time() - started)
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        run()
        tf.profiler.experimental.stop()
        kinds = _by_kind(folder)
    total = 1e3 * statistics.median(seconds) / _STEPS
    rest = total - sum(kinds.values())
    return {**kinds, "everything else, Python too": rest, "CPU time of a step": total}


def _by_kind(folder: str) -> dict[str, float]:
    """Returns the milliseconds of a step by kind of operation."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace()
    (path,) = glob.glob(f"{folder}/**/*.xplane.pb", recursive=True)
    with open(path, "rb") as file:
        space.ParseFromString(file.read())
    durations: dict[str, list[float]] = defaultdict(list)
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name
                if ":" in name:  # node:Operation
                    durations[name].append(event.duration_ps / 1e9)
    kinds: dict[str, float] = defaultdict(float)
    for name, spent in durations.items():
        kind = _kind_of(name.rsplit(":", 1)[1])
        if kind:
            kinds[kind] += statistics.median(spent) * len(spent) / _STEPS
    return {kind: kinds[kind] for kind in _KINDS}


def _kind_of(operation: str) -> str | None:
    for kind, parts in _KINDS.items():
        if any(part in operation for part in parts):
            return kind
    return None


if __name__ == "__main__":
    main()
