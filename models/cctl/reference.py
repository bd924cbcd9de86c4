"""Reference: a small model trained on the target alone, against which sources are held.

A fourth of the target's impressions is held out from it, to measure how well its logits
agree with clicks that it was not trained on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from models.cctl.network import CompanionNetwork
from models.data.batches import Batch
from models.data.batches import ExampleReader
from models.data.batches import batch_signature
from models.data.mixing import cut
from models.data.mixing import join
from models.settings import TrainingConfig
from models.training.optimizers import build_optimizer
from models.training.steps import SPAN
from models.training.steps import make_train_span

# One of this many target impressions is held out.
HELD_OUT = 4
# Impressions scored at once.
SCORED_IMPRESSIONS = 8_192
# Batch size; small, as the target has few impressions and training needs steps.
_BATCH_SIZE = 64
# A third pass would cost more than it improves.
_PASSES = 2


class Reference:
    """Training and scores of a companion network's `reference`.

    Args:
        network: The companion network; `network.reference` is changed in place.
        training: Training settings.
    """

    def __init__(self, network: CompanionNetwork, training: TrainingConfig) -> None:
        self._network = network.reference
        self._columns = list(network.reference.features.columns)
        self._training = training
        optimizer = build_optimizer(network.reference, training)
        self._train_span = make_train_span(network.reference, optimizer, _BATCH_SIZE)
        rows, _, _ = batch_signature(network.features)
        self._score = tf.function(
            lambda rows: self._network(rows, training=False),
            input_signature=[rows],
            autograph=False,
        )

    def traced_functions(self) -> list[Any]:
        """Returns the functions to trace before training."""
        return [self._train_span, self._score]

    def fit(
        self, reader: ExampleReader, *, continues: bool, most: int
    ) -> tuple[Batch, npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        """Trains on the target's impressions.

        Args:
            reader: The target's impressions.
            continues: Whether an earlier training has fitted the reference. It then
                scores all impressions before it is trained on them; otherwise it is
                trained on all but the held-out ones.
            most: Number of impressions after which no more are collected.

        Returns:
            Impressions, their logits (N,), and which of them the reference had not seen
            when it scored them, (N,).
        """
        read: list[Batch] = []
        unseen: list[npt.NDArray[np.bool_]] = []
        logits: list[Any] = []
        passes = 1 if continues else min(self._training.epochs, _PASSES)
        for number in range(passes):
            last = number + 1 == passes
            for span in self._spans(reader):
                held_out = np.arange(len(span.labels)) % HELD_OUT == 0
                held_out |= continues
                if last and sum(len(part.labels) for part in read) < most:
                    read.append(span)
                    unseen.append(held_out)
                    if continues:
                        logits.append(self.logits(span))
                trained = span if continues else subset(span, ~held_out)
                if len(trained.labels):
                    rows = {name: trained.rows[name] for name in self._columns}
                    self._train_span(rows, trained.labels)
        batch = join(read)
        found = np.concatenate(logits) if continues else self.logits(batch)
        return batch, found, np.concatenate(unseen)

    def logits(self, batch: Batch) -> npt.NDArray[np.float32]:
        """Returns the logits of any number of impressions, (N,)."""
        return np.concatenate(
            [
                self._score(cut(batch, start, start + SCORED_IMPRESSIONS).rows).numpy()
                for start in range(0, len(batch.labels), SCORED_IMPRESSIONS)
            ]
        )

    def _spans(self, reader: ExampleReader) -> Iterator[Batch]:
        """Yields the batches, in the same order each time."""
        return reader.prefetched(
            batch_size=_BATCH_SIZE,
            shuffle_rows=self._training.shuffle_rows,
            seed=self._training.seed + 1,
            span=SPAN,
        )


def subset(batch: Batch, chosen: npt.NDArray[np.bool_]) -> Batch:
    """Returns the chosen impressions of a batch."""
    rows = {name: values[chosen] for name, values in batch.rows.items()}
    return Batch(rows, batch.labels[chosen], batch.days[chosen])
