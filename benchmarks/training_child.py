"""Process of one measured training; prints one line of JSON.

    python -m benchmarks.training_child shares FOLDER NUM_IDS BATCH_SIZE REPEATS
    python -m benchmarks.training_child train FOLDER NUM_IDS BATCH_SIZE RATE RATE
    python -m benchmarks.training_child memory FOLDER NUM_IDS BATCH_SIZE

The rates are those of the dense part and of the tables.

It is a separate process so that no run finds the caches and the heap of another.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Where speed and memory alone are measured.
_RATES = (0.005, 0.01)


def _setup(folder: str, num_ids: str) -> tuple[Any, Any]:
    import tf_keras as keras

    from benchmarks import training_rows
    from benchmarks.peers import common
    from models.data.batches import ExampleReader
    from models.networks.backbone import Backbone
    from models.settings import NetworkConfig

    keras.utils.set_random_seed(1)
    table = training_rows.features(int(num_ids))
    last = training_rows.FIRST_DAY + training_rows.NUM_DAYS
    pattern = str(Path(folder) / "train" / "*")
    reader = ExampleReader([pattern], table, training_rows.FIRST_DAY, last)
    # The peers' network: no interaction layer, no dropout, BatchNorm in the MLP.
    network = Backbone(
        table,
        NetworkConfig(
            width=common.WIDTH,
            hidden_units=common.HIDDEN_UNITS,
            cross_layers=0,
            dropout=0.0,
            # As the peers have it.
            wide=False,
            product=False,
            zero_start=False,
        ),
    )
    return network, reader


def _fit(
    network: Any,
    reader: Any,
    batch_size: int,
    epochs: int,
    rates: tuple[float, float] = _RATES,
) -> Any:
    from models.settings import TrainingConfig
    from models.training.loop import fit

    window = reader.summarise()
    with tempfile.TemporaryDirectory() as logs:
        return fit(
            network,
            reader,
            TrainingConfig(
                batch_size=batch_size,
                epochs=epochs,
                dense_learning_rate=rates[0],
                embedding_learning_rate=rates[1],
            ),
            rows_by_day=window.rows_by_day,
            run_dir=Path(logs),
        )


def shares(folder: str, num_ids: str, batch_size: str, repeats: str) -> dict[str, Any]:
    """Rows/s of reading only, of computing only and end to end, alternating."""
    import tensorflow as tf

    from models.settings import TrainingConfig
    from models.training.optimizers import build_optimizer
    from models.training.steps import SPAN
    from models.training.steps import make_train_span

    network, reader = _setup(folder, num_ids)
    size = int(batch_size)
    optimizer = build_optimizer(network, TrainingConfig())
    span = make_train_span(network, optimizer, size)

    def spans() -> Any:
        return reader.prefetched(
            batch_size=size, shuffle_rows=200_000, seed=1, epoch=0, span=SPAN
        )

    def read() -> int:
        return sum(len(span.labels) for span in spans())

    in_memory = [
        (
            {name: tf.constant(values) for name, values in part.rows.items()},
            tf.constant(part.labels),
        )
        for part in spans()
    ]

    def compute() -> int:
        for rows, labels in in_memory:
            span(rows, labels).numpy()
        return sum(len(labels) for _, labels in in_memory)

    compute()
    rates: dict[str, list[float]] = {"read": [], "compute": [], "end_to_end": []}
    cpu: dict[str, list[float]] = {name: [] for name in rates}
    for _ in range(int(repeats)):
        for name, run in (("read", read), ("compute", compute)):
            wall, busy = time.perf_counter(), time.process_time()
            rows = run()
            rates[name].append(rows / (time.perf_counter() - wall))
            cpu[name].append(rows / (time.process_time() - busy))
        # The first epoch includes tracing.
        result = _fit(network, reader, size, 2)
        rates["end_to_end"].append(result.rates[1])
        cpu["end_to_end"].append(result.cpu_rates[1])
    return {"rates": rates, "cpu_rates": cpu}


def train(
    folder: str, num_ids: str, batch_size: str, dense: str, table: str
) -> dict[str, Any]:
    """AUC after one epoch, and the speed of a second network in its second epoch."""
    import numpy as np
    import tensorflow as tf

    from benchmarks.peers import common

    network, reader = _setup(folder, num_ids)
    rates = (float(dense), float(table))
    _fit(network, reader, int(batch_size), 1, rates)
    held_out = common.load(Path(folder), "held_out")
    logits = [
        network(
            {n: tf.constant(r[i : i + 8192]) for n, r in held_out.ids.items()}
        ).numpy()
        for i in range(0, len(held_out), 8192)
    ]
    auc = common.auc(held_out.labels, np.concatenate(logits))
    result = _fit(network, reader, int(batch_size), 2, rates)
    return {"rate": result.rates[1], "cpu_rate": result.cpu_rates[1], "auc": auc}


def memory(folder: str, num_ids: str, batch_size: str) -> dict[str, Any]:
    """Peak memory of the process after one epoch."""
    network, reader = _setup(folder, num_ids)
    rate = _fit(network, reader, int(batch_size), 1).rates[0]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"peak_bytes": peak, "rate": rate}


def main() -> None:
    """Runs the measurement named on the command line."""
    runs: dict[str, Callable[..., dict[str, Any]]] = {
        "shares": shares,
        "train": train,
        "memory": memory,
    }
    print(json.dumps(runs[sys.argv[1]](*sys.argv[2:])))


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
