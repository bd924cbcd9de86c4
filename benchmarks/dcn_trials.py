"""Trials of the backbone; prints one line of JSON.

    python -m benchmarks.dcn_trials TRIALS.json

The file has the transformed Parquet, the days to fit and to score, the network, and for
each trial seed, batch size, passes and rates: those of the dense part and of the
tables. `benchmarks/peers/fuxictr_child.py` takes the same file with one rate. A trial
is a level's training: base rate, epochs of `fit`, exact BatchNorm statistics.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

_SCORED_ROWS = 8_192


def main(path: Path) -> None:
    """Runs the trials and prints the AUC after each pass."""
    from benchmarks.peers import common
    from models.data.batches import ExampleReader
    from models.features.table import FeatureTable

    spec = json.loads(path.read_text(encoding="utf-8"))
    table = FeatureTable.model_validate(spec["features"])
    scored = common.read(spec["files"], *spec["score"])
    reader = ExampleReader(spec["files"], table, *spec["fit"])
    results = []
    for number, trial in enumerate(spec["trials"]):
        started = time.process_time()
        scores = _passes(spec, trial, table, reader, scored.inputs)
        aucs = [common.auc(scored.labels, one) for one in scores]
        if spec.get("scores"):
            _save(f"{spec['scores']}-{number}.npy", scores[-1])
        seconds = time.process_time() - started
        results.append({"auc": aucs, "cpu_seconds": seconds})
    print(json.dumps({"trials": results}))


def _passes(
    spec: dict[str, Any], trial: dict[str, Any], table: Any, reader: Any, scored: Any
) -> list[Any]:
    """Trains one network; returns its probabilities after each pass."""
    import numpy as np
    import tensorflow as tf
    import tf_keras as keras

    from models.networks.backbone import Backbone
    from models.settings import NetworkConfig
    from models.settings import TrainingConfig
    from models.training.distribution import Workers
    from models.training.learners import PlainLearner
    from models.training.loop import fit
    from models.training.norm_statistics import count_statistics
    from models.training.optimizers import build_optimizer

    keras.utils.set_random_seed(trial["seed"])
    network = Backbone(table, NetworkConfig.model_validate(spec["network"]))
    window = reader.summarise()
    network.set_base_rate(window.num_clicks / window.num_rows)
    dense, tables = trial["rates"]
    training = TrainingConfig(
        batch_size=trial["batch_size"],
        dense_learning_rate=dense,
        embedding_learning_rate=tables,
    )
    optimizer = build_optimizer(network, training)
    # One for all passes, so that its step is traced once.
    learner = PlainLearner(network, training, Workers(), optimizer)
    logits = tf.function(lambda rows: network(rows, training=False))
    size = len(next(iter(scored.values())))
    after = []
    for number in range(trial["passes"]):
        # A seed a pass, so that each has an order of its own.
        seed = {"seed": trial["seed"] * 1_000 + number}
        with tempfile.TemporaryDirectory() as logs:
            fit(
                network,
                reader,
                training.model_copy(update=seed),
                rows_by_day=window.rows_by_day,
                run_dir=Path(logs),
                make_learner=lambda _: learner,
            )
        count_statistics(network, reader, **seed)
        parts = [
            logits({n: tf.constant(v[i : i + _SCORED_ROWS]) for n, v in scored.items()})
            for i in range(0, size, _SCORED_ROWS)
        ]
        after.append(tf.sigmoid(np.concatenate(parts)).numpy())
    return after


def _save(path: str, scores: Any) -> None:
    import numpy as np

    np.save(path, scores)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main(Path(sys.argv[1]))
