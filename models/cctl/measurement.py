"""Measurement of agreement before the first step: of the target and of each source."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from models.cctl.flow import shrinkage_factor
from models.cctl.flow_trainer import FlowTrainer
from models.cctl.network import CompanionNetwork
from models.cctl.reference import HELD_OUT
from models.cctl.reference import SCORED_IMPRESSIONS
from models.cctl.reference import Reference
from models.data.batches import Batch
from models.data.batches import ExampleReader
from models.data.mixing import cut
from models.data.mixing import join
from models.progress import PROGRESS
from models.settings import TrainingConfig

# Source impressions, and held-out target impressions, that are measured.
SAMPLE_IMPRESSIONS = 32_768
# Passes of the flow network over them.
_FLOW_PASSES = 3
# Standard errors by which the target's own slope must exceed zero before sources are
# measured against it.
_MIN_Z_SCORE = 2.0


class Measurement:
    """Agreement of the domains with the reference.

    Args:
        network: The companion network; reference, flow network and sums are changed in
            place.
        training: Training settings.

    Attributes:
        flow: Training of the flow network.
        reference_is_reliable: Variable, 1 if the reference's slope on held-out target
            impressions is significantly positive, else 0.
        target_slope: Variable, that slope, or 1 without a reliable reference.
    """

    def __init__(self, network: CompanionNetwork, training: TrainingConfig) -> None:
        self._network = network
        self._reference = Reference(network, training)
        self.flow = FlowTrainer(network)
        self.reference_is_reliable = tf.Variable(0.0, trainable=False)
        self.target_slope = tf.Variable(1.0, trainable=False)
        self._generator = np.random.default_rng(training.seed)

    def traced_functions(self) -> list[Any]:
        """Returns the functions to trace before training."""
        return [*self.flow.traced_functions(), *self._reference.traced_functions()]

    def measure(self, reader: ExampleReader, sample: Batch) -> tuple[float, float]:
        """Trains reference and flow network, and measures all domains.

        Args:
            reader: The target's impressions.
            sample: Source impressions.

        Returns:
            The reference's slope on held-out target impressions, and its standard
            error.
        """
        self.flow.counts.assign(1.0)
        sums = self._network.sums
        continues = float(sums.sums[-1, sums.ROWS]) > 0
        if continues:
            # Newer impressions count for more.
            sums.sums.assign(sums.sums / 2)
        held_out, held_out_logits = self._reference.fit(
            reader, continues=continues, most=SAMPLE_IMPRESSIONS
        )
        target = np.full(len(held_out.labels), len(self._network.sources), np.int32)
        self._measure_groups(
            join([held_out, sample]),
            np.concatenate([held_out_logits, self._reference.logits(sample)]),
            np.concatenate([target, self._network.source_of(sample.rows).numpy()]),
            passes=1 if continues else _FLOW_PASSES,
        )
        slope, error = float(sums.slopes()[-1]), float(sums.errors()[-1])
        reliable = slope > _MIN_Z_SCORE * error
        self.reference_is_reliable.assign(float(reliable))
        self.target_slope.assign(slope if reliable else 1.0)
        PROGRESS.info(
            f"the target's own model · agreement {slope:.2f} ± {error:.2f} on held-out "
            "impressions"
            + ("" if reliable else "; too little to weight the sources by")
        )
        return slope, error

    def _measure_groups(
        self,
        batch: Batch,
        logits: npt.NDArray[np.float32],
        domain: npt.NDArray[np.int32],
        *,
        passes: int,
    ) -> None:
        """Trains the flow network and sets sums and `flow_share`."""
        sums = self._network.sums
        sums.add_rows(
            tf.constant(batch.labels), tf.constant(logits), tf.constant(domain)
        )
        gains = sums.gains()
        trained = self._generator.random(len(domain)) >= 1 / HELD_OUT
        for _ in range(passes):
            order = self._generator.permutation(np.flatnonzero(trained))
            self.flow.train_pass(batch.rows, batch.labels, logits, domain, order)
        # Sums counted while the flow network was changing are no measurement.
        sums.set_gains(gains)
        difference, gain, mass = self._count(batch, logits, domain)
        judged = ~trained & (domain < len(self._network.sources))
        of_domain = sums.slopes().numpy()[domain]
        self._network.flow_share.assign(
            shrinkage_factor(
                difference[judged], gain[judged], mass[judged], of_domain[judged]
            )
        )

    def _count(
        self,
        batch: Batch,
        logits: npt.NDArray[np.float32],
        domain: npt.NDArray[np.int32],
    ) -> tuple[Any, ...]:
        """Adds impressions to the sums; returns slope differences, `a` and `q`."""
        found = []
        for start in range(0, len(domain), SCORED_IMPRESSIONS):
            stop = start + SCORED_IMPRESSIONS
            some = cut(batch, start, stop)
            parts = self.flow.count(
                some.rows, some.labels, logits[start:stop], domain[start:stop]
            )
            found.append([part.numpy() for part in parts])
        return tuple(map(np.concatenate, zip(*found, strict=True)))
