"""Measurement of the target and of its sources, before and beside the steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from models.cctl.flow import shrinkage_factor
from models.cctl.flow_trainer import FlowTrainer
from models.cctl.gain_measurement import GainMeasurement
from models.cctl.gain_weights import VALUES
from models.cctl.network import CompanionNetwork
from models.cctl.reference import HELD_OUT
from models.cctl.reference import SCORED_IMPRESSIONS
from models.cctl.reference import Reference
from models.cctl.reference import subset
from models.data.batches import Batch
from models.data.batches import ExampleReader
from models.data.mixing import cut
from models.data.mixing import join
from models.progress import PROGRESS
from models.settings import TrainingConfig

# Target impressions of the look-ahead, and source impressions of it that are measured
# before the first step.
SAMPLE_IMPRESSIONS = 131_072
# Of these, impressions that the prior's network is trained on.
_PRIOR_IMPRESSIONS = 32_768
# Passes of the flow network over them.
_FLOW_PASSES = 3


_WITHOUT_SIDES = (
    "cctl · the features of users (side: user) or those of items (side: item) are not "
    "declared: ids are measured without pairs of both sides, and prior: agreement "
    "weighs by source alone; declare the side of each feature"
)


class Measurement:
    """Measurement of source impressions against a model of the target alone.

    Args:
        network: The companion network; reference, weights, and what belongs to the
            prior are changed in place.
        training: Training settings.

    Attributes:
        flow: Training of the prior's network.
    """

    def __init__(self, network: CompanionNetwork, training: TrainingConfig) -> None:
        self._network = network
        self._reference = Reference(network, training)
        sides = {f.name: f.served_side for f in network.features.features}
        self._gain = GainMeasurement(network.gain_weights, sides)
        self._has_prior = network.cctl.prior == "agreement"
        self.flow = FlowTrainer(network)
        self._generator = np.random.default_rng(training.seed)
        if not {"user", "item"} <= set(sides.values()):
            PROGRESS.warning(_WITHOUT_SIDES)

    def traced_functions(self) -> list[Any]:
        """Returns the functions to trace before training."""
        flow = self.flow.traced_functions() if self._has_prior else []
        return [*flow, *self._reference.traced_functions()]

    def measure(self, reader: ExampleReader, sample: Batch) -> None:
        """Takes the look-ahead on the target, and measures the source impressions.

        Args:
            reader: The target's impressions.
            sample: Source impressions.
        """
        sums = self._network.gain_weights.sums[VALUES]
        continues = float(tf.reduce_sum(tf.abs(sums))) > 0
        target, logits, unseen = self._reference.fit(
            reader, continues=continues, most=SAMPLE_IMPRESSIONS
        )
        self._gain.begin(target, logits, unseen)
        found = self.add(sample)
        self._gain.refresh()
        source = self._network.source_of(sample.rows).numpy()
        self._gain.look_further(sample, found, source)
        self._gain.refresh()
        if self._has_prior:
            few = cut(sample, 0, _PRIOR_IMPRESSIONS)
            self._measure_agreement(
                subset(target, unseen),
                logits[unseen],
                few,
                found[: len(few.labels)],
                continues=continues,
            )
        for name, (slope, error) in self._network.gain_weights.target_slopes().items():
            PROGRESS.info(
                f"the target's own model · slope through {name} {slope:.2f} ± "
                f"{error:.2f}"
                + (
                    ""
                    if name in self._network.gain_weights.measured
                    else "; too uncertain to weight the sources by"
                )
            )

    def add(self, batch: Batch) -> npt.NDArray[np.float32]:
        """Measures source impressions that no tower has seen; returns their logits."""
        logits = self._reference.logits(batch)
        source = self._network.source_of(batch.rows).numpy()
        self._gain.add(batch, logits, source)
        return logits

    def refresh(self) -> None:
        """Sets the weights from all impressions measured so far."""
        self._gain.refresh()

    def _measure_agreement(
        self,
        target: Batch,
        of_target: npt.NDArray[np.float32],
        sample: Batch,
        of_sample: npt.NDArray[np.float32],
        *,
        continues: bool,
    ) -> None:
        """Trains the prior's network on held-out target and source impressions."""
        sums = self._network.sums.sums
        self.flow.counts.assign(1.0)
        if continues:
            # Newer impressions count for more.
            sums.assign(sums / 2)
        domain = np.full(len(target.labels), len(self._network.sources), np.int32)
        self._measure_groups(
            join([target, sample]),
            np.concatenate([of_target, of_sample]),
            np.concatenate([domain, self._network.source_of(sample.rows).numpy()]),
            passes=1 if continues else _FLOW_PASSES,
        )

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
