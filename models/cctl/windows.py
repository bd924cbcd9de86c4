"""What the gain of a window changes: the trust in all sources, or which are kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from models.cctl.network import CompanionNetwork

# Standard errors from zero at which a mean gain is sure.
_SURE = 2.0
# While the mean gain is sure to be on one side of zero, each window moves the trust by
# this; a trust of -4 is a weight of 0.02 of what it was.
_TRUST_STEP, _LEAST_TRUST = 0.2, -4.0
_FEWEST_GAINS = 4
_KEEP_STEP = 0.3
# Share of the past in the running mean and variance of the gain, and the number of
# windows that say as much as such a mean.
_MEMORY, _REMEMBERED = 0.9, 19


class Windows:
    """Learns from the gains of windows of k steps, one after the other.

    Args:
        network: The network; its `trust`, `keep_logits` and `past` are changed in
            place, so that a later training goes on from there.
        seed: Draws which sources are kept.

    Attributes:
        kept: By source whether its rows are kept, 1 or 0; all, until
            `estimator: companion` draws.
    """

    def __init__(self, network: CompanionNetwork, seed: int) -> None:
        self._network = network
        self._generator = np.random.default_rng(seed)
        self.kept = tf.Variable(tf.ones([len(network.sources)]), trainable=False)

    def add(self, gain: float) -> None:
        """Learns from one more gain, in log loss that the source rows saved."""
        past = self._network.past
        before, square, number, steps = past.numpy().tolist()
        number += 1
        # Of the first windows the mean is plain, later ones forget.
        memory = min(_MEMORY, 1 - 1 / number)
        mean = memory * before + (1 - memory) * gain
        square = memory * square + (1 - memory) * gain**2
        past.assign([mean, square, number, steps])
        spread = max(square - mean**2, 1e-12) ** 0.5
        cctl = self._network.cctl
        # Other weights than those of `agreement` do not read it.
        if cctl.trust and cctl.estimator == "agreement" and number >= _FEWEST_GAINS:
            self._move_trust(mean, spread / min(number, _REMEMBERED) ** 0.5)
        if cctl.estimator == "companion":
            self._draw((gain - before) / spread if number > 2 else 0.0)

    @property
    def steps(self) -> int:
        """Steps of this and of earlier trainings."""
        return int(self._network.past[3])

    def count_steps(self, steps: int) -> None:
        """Counts steps of training."""
        self._network.past.assign_add([0.0, 0.0, 0.0, float(steps)])

    def _move_trust(self, mean: float, error: float) -> None:
        sure = abs(mean) > _SURE * error
        moved: Any = np.sign(mean) * _TRUST_STEP * sure
        trust = float(self._network.trust) + float(moved)
        self._network.trust.assign(min(max(trust, _LEAST_TRUST), 0.0))

    def _draw(self, advantage: float) -> None:
        """REINFORCE on the last window's keep decisions, then draws the next ones."""
        logits = self._network.keep_logits
        step = _KEEP_STEP * float(np.clip(advantage, -2, 2))
        logits.assign_add(step * (self.kept - tf.sigmoid(logits)))
        drawn = self._generator.random(len(self._network.sources))
        self.kept.assign((drawn < tf.sigmoid(logits).numpy()).astype(np.float32))
