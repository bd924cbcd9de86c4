"""One epoch of training the network with DeepCTR; prints one line of JSON.

    python benchmarks/peers/deepctr_child.py ROWS_FOLDER BATCH_SIZE

Rows lie in memory as ready tensors. Regularisation is off (its default on embeddings
would make each step slower still), Adam is the optimizer of its examples.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import common
import numpy as np
import tensorflow as tf
from deepctr.feature_column import SparseFeat
from deepctr.feature_column import build_input_features
from deepctr.feature_column import input_from_feature_columns
from deepctr.layers.core import DNN
from deepctr.layers.core import PredictionLayer
from deepctr.layers.utils import combined_dnn_input

# DeepCTR is built on this Keras, which does not mix with `tf.keras`.
from tensorflow.python.keras.callbacks import Callback
from tensorflow.python.keras.layers import Dense
from tensorflow.python.keras.models import Model


class _Ticks(Callback):
    """Tells the clock of every batch."""

    def __init__(self, clock: common.Clock, batch_size: int) -> None:
        super().__init__()
        self._clock = clock
        self._batch_size = batch_size

    def on_train_batch_end(self, *_: Any) -> None:
        self._clock.batch(self._batch_size)


def main(folder: Path, batch_size: int) -> None:
    """Trains and prints the result."""
    np.random.seed(1)
    tf.random.set_seed(1)
    columns = [
        SparseFeat(name, rows, common.WIDTH)
        for name, rows in common.sizes(folder).items()
    ]
    inputs = build_input_features(columns)
    embedded, dense = input_from_feature_columns(inputs, columns, 0.0, 1)
    hidden = DNN(common.HIDDEN_UNITS, use_bn=True, seed=1)(
        combined_dnn_input(embedded, dense)
    )
    output = PredictionLayer("binary")(Dense(1)(hidden))
    model = Model(list(inputs.values()), output)
    model.compile("adam", "binary_crossentropy")  # its rate is LEARNING_RATE

    rows, labels = common.load(folder, "train")
    order = np.random.default_rng(1).permutation(len(labels))
    data = {n: r[order].astype(np.int32) for n, r in rows.items()}
    whole = len(order) // batch_size * batch_size
    clock = common.Clock()
    model.fit(
        {n: r[:whole] for n, r in data.items()},
        labels[order][:whole],
        batch_size=batch_size,
        verbose=0,
        callbacks=[_Ticks(clock, batch_size)],
    )
    rate = clock.result(0.0)
    rows, labels = common.load(folder, "held_out")
    scores = model.predict(
        {n: r.astype(np.int32) for n, r in rows.items()}, batch_size=8192, verbose=0
    )
    print(rate.replace('"auc": 0.0', f'"auc": {common.auc(labels, scores.ravel())}'))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
