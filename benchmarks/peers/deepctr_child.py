"""One epoch of training the network with DeepCTR; prints one line of JSON.

    python benchmarks/peers/deepctr_child.py FOLDER BATCH_SIZE RATE [no_l2]

The optimizer is the string `adagrad`, whose rate is then set. Rows lie in memory as
ready tensors. Weights of regularisation are 0; DeepCTR nevertheless adds an L2 term of
each whole table to the loss, which makes every step as costly as the table is long.
`no_l2` takes that term out, as no option of DeepCTR does.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import common
import deepctr.inputs
import numpy as np
import tensorflow as tf
from deepctr.feature_column import SparseFeat
from deepctr.feature_column import build_input_features
from deepctr.feature_column import input_from_feature_columns
from deepctr.layers.core import DNN
from deepctr.layers.core import PredictionLayer
from deepctr.layers.utils import combined_dnn_input


class _Ticks(tf.keras.callbacks.Callback):
    """Tells the clock of every batch."""

    def __init__(self, clock: common.Clock, batch_size: int) -> None:
        super().__init__()
        self._clock = clock
        self._batch_size = batch_size

    def on_train_batch_end(self, *_: Any) -> None:
        self._clock.batch(self._batch_size)


def build(tables: dict[str, dict[str, Any]], rate: float) -> Any:
    """Returns the compiled network."""
    columns = [
        SparseFeat(name, about["rows"], common.WIDTH) for name, about in tables.items()
    ]
    inputs = build_input_features(columns)
    embedded, dense = input_from_feature_columns(inputs, columns, 0.0, 1)
    hidden = DNN(common.HIDDEN_UNITS, use_bn=True, seed=1)(
        combined_dnn_input(embedded, dense)
    )
    output = PredictionLayer("binary")(tf.keras.layers.Dense(1)(hidden))
    model = tf.keras.Model(list(inputs.values()), output)
    model.compile("adagrad", "binary_crossentropy")
    model.optimizer.learning_rate.assign(rate)
    return model


def main(folder: Path, batch_size: int, rate: float, options: list[str]) -> None:
    """Trains and prints the result."""
    np.random.seed(1)
    tf.random.set_seed(1)
    if "no_l2" in options:
        deepctr.inputs.l2 = lambda _: None
    model = build(common.columns(folder), rate)
    rows = common.load(folder, "train")
    order = np.random.default_rng(1).permutation(len(rows))
    rows = rows.take(order[: len(order) // batch_size * batch_size])
    clock = common.Clock()
    model.fit(
        {name: values.astype(np.int32) for name, values in rows.ids.items()},
        rows.labels,
        batch_size=batch_size,
        verbose=0,
        callbacks=[_Ticks(clock, batch_size)],
    )
    clock.stop()
    held_out = common.load(folder, "held_out")
    scores = model.predict(
        {name: values.astype(np.int32) for name, values in held_out.ids.items()},
        batch_size=8192,
        verbose=0,
    )
    print(clock.result(common.auc(held_out.labels, scores.ravel())))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.argv[4:])
