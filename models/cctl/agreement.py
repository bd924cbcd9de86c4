"""Agreement of source impressions with a model trained on the target alone."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

# Logits are clipped at this many standard deviations: embeddings of single target ids
# rest on a few impressions and can be extreme.
_MAX_DEVIATIONS = 3.0


def agreement(
    labels: Any, click_rate: Any, surplus: Any, variance: Any
) -> tuple[Any, Any]:
    """Returns numerator and denominator of the slope of labels on logits.

    `a = (y - m) h / v` and `q = m (1 - m) h^2 / v`, with `m` the click rate of the
    impression's group and `h` the target model's logit minus the group's mean. `sum(a)
    / sum(q)` over any set of impressions estimates the slope of the log-odds of a click
    on the logit: 1 where the model is right, 0 where it is uninformative. The click
    rates of domains, slots and user groups do not affect the slope: group means are
    subtracted from labels and logits, so that an error in one of the two means cancels
    (Robinson's transformation; our choice).

    Args:
        labels: 0 or 1, (B,).
        click_rate: Click rate of each impression's group, (B,).
        surplus: The target model's logit minus the mean of the group, (B,).
        variance: Variance of the surplus in the impression's domain, (B,).

    Returns:
        `a` and `q`, both (B,).
    """
    bound = _MAX_DEVIATIONS * tf.sqrt(variance + 1e-12)
    surplus = tf.clip_by_value(surplus, -bound, bound)
    share = tf.clip_by_value(click_rate, 1e-4, 1 - 1e-4)
    scale = variance + 1e-12
    gain = (labels - share) * surplus / scale
    return gain, share * (1 - share) * surplus**2 / scale


class DomainSums:
    """Sums over each domain's impressions from which agreement is computed.

    Args:
        count: Number of domains, `K`.

    Attributes:
        sums: Per domain the impressions, clicks, logits and squared logits, and `a`,
            `q` and `a^2` of the measured impressions; (K, 7).
    """

    ROWS, CLICKS, LOGITS, SQUARES, GAINS, MASSES, GAIN_SQUARES = range(7)

    def __init__(self, count: int) -> None:
        self.sums = tf.Variable(
            tf.zeros([count, 7], tf.float64), trainable=False, name="domain_sums"
        )

    def add_rows(
        self, labels: Any, logits: Any, domain: Any, *, times: Any = 1.0
    ) -> None:
        """Adds impressions.

        Args:
            labels: 0 or 1, (B,).
            logits: The target model's logits, (B,).
            domain: Index of each impression's domain, int32 (B,).
            times: Weight of each impression; 0 if they are counted already.
        """
        ones = tf.ones_like(labels)
        self._add([ones, labels, logits, logits**2], domain, self.ROWS, times)

    def moments(self, domain: Any) -> tuple[Any, Any, Any]:
        """Returns click rate, logit mean and variance of the domains; (B,) each."""
        sums = self.sums.read_value()
        rows = tf.maximum(sums[:, self.ROWS], 1.0)
        means = sums[:, : self.GAINS] / rows[:, tf.newaxis]
        mean = means[:, self.LOGITS]
        # Rounding can make the variance of a constant logit slightly negative.
        variance = tf.maximum(means[:, self.SQUARES] - mean**2, 0.0)
        moments = tf.stack([means[:, self.CLICKS], mean, variance], axis=1)
        return tuple(
            tf.unstack(tf.gather(tf.cast(moments, tf.float32), domain), axis=1)
        )

    def add_gains(self, gain: Any, mass: Any, domain: Any, *, times: Any = 1.0) -> None:
        """Adds `a` and `q` of measured impressions, (B,), with weight `times`."""
        self._add([gain, mass, gain**2], domain, self.GAINS, times)

    def gains(self) -> Any:
        """Returns the sums of `a`, `q` and `a^2`, for `set_gains`."""
        return self.sums.read_value()[:, self.GAINS :]

    def set_gains(self, gains: Any) -> None:
        """Restores the sums that `gains` returned."""
        sums = self.sums.read_value()
        self.sums.assign(tf.concat([sums[:, : self.GAINS], gains], axis=1))

    def slopes(self) -> Any:
        """Returns the slope in each domain, 0 without impressions; float32 (K,)."""
        sums = self.sums.read_value()
        slopes = sums[:, self.GAINS] / tf.maximum(sums[:, self.MASSES], 1e-9)
        return tf.cast(slopes, tf.float32)

    def errors(self) -> Any:
        """Returns the standard error of each slope; float32 (K,)."""
        sums = self.sums.read_value()
        squares = tf.sqrt(sums[:, self.GAIN_SQUARES])
        return tf.cast(squares / tf.maximum(sums[:, self.MASSES], 1e-9), tf.float32)

    def _add(self, values: list[Any], domain: Any, first: int, times: Any) -> None:
        stacked = tf.cast(times * tf.stack(values, axis=1), tf.float64)
        summed = tf.math.unsorted_segment_sum(stacked, domain, self.sums.shape[0])
        after = self.sums.shape[1] - first - len(values)
        self.sums.assign_add(tf.pad(summed, [[0, 0], [first, after]]))
