"""Effects of the windows' gains: trust in all sources, or which sources are kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from models.cctl.network import CompanionNetwork

# Standard errors from zero at which a mean gain is significant.
_MIN_Z_SCORE = 2.0
# While the mean gain is significant, each window moves the trust by this step towards
# its sign; a trust of -4 multiplies small weights by 0.02.
_TRUST_STEP, _LEAST_TRUST = 0.2, -4.0
_FEWEST_GAINS = 4
_KEEP_STEP = 0.3
# Decay of the running mean and variance of the gain, and the equivalent number of
# windows.
_MEMORY, _REMEMBERED = 0.9, 19


class Windows:
    """Updates of trust and kept sources by the gains of windows of k steps.

    Args:
        network: The network; its `trust`, `keep_logits` and `past` are changed in
            place, so that a later training continues from them.
        seed: Seed for drawing the kept sources.

    Attributes:
        kept: Whether each source is kept, 1 or 0; all are until `estimator: companion`
            draws.
    """

    def __init__(self, network: CompanionNetwork, seed: int) -> None:
        self._network = network
        self._generator = np.random.default_rng(seed)
        self.kept = tf.Variable(tf.ones([len(network.sources)]), trainable=False)

    def add(self, gain: float) -> None:
        """Adds a gain: the log loss that source impressions saved in a window."""
        past = self._network.past
        before, square, number, steps = past.numpy().tolist()
        number += 1
        # Plain mean of the first windows, exponential decay afterwards.
        memory = min(_MEMORY, 1 - 1 / number)
        mean = memory * before + (1 - memory) * gain
        square = memory * square + (1 - memory) * gain**2
        past.assign([mean, square, number, steps])
        spread = max(square - mean**2, 1e-12) ** 0.5
        cctl = self._network.cctl
        # Only the weights of `agreement` use the trust.
        if cctl.trust and cctl.estimator == "agreement" and number >= _FEWEST_GAINS:
            self._move_trust(mean, spread / min(number, _REMEMBERED) ** 0.5)
        if cctl.estimator == "companion":
            self._draw((gain - before) / spread if number > 2 else 0.0)

    @property
    def steps(self) -> int:
        """Steps of this and of earlier trainings."""
        return int(self._network.past[3])

    def count_steps(self, steps: int) -> None:
        """Adds training steps."""
        self._network.past.assign_add([0.0, 0.0, 0.0, float(steps)])

    def _move_trust(self, mean: float, error: float) -> None:
        significant = abs(mean) > _MIN_Z_SCORE * error
        moved: Any = np.sign(mean) * _TRUST_STEP * significant
        trust = float(self._network.trust) + float(moved)
        self._network.trust.assign(min(max(trust, _LEAST_TRUST), 0.0))

    def _draw(self, advantage: float) -> None:
        """Updates the keep logits by REINFORCE, then draws the next kept sources."""
        logits = self._network.keep_logits
        step = _KEEP_STEP * float(np.clip(advantage, -2, 2))
        logits.assign_add(step * (self.kept - tf.sigmoid(logits)))
        drawn = self._generator.random(len(self._network.sources))
        self.kept.assign((drawn < tf.sigmoid(logits).numpy()).astype(np.float32))
