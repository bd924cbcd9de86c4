"""How far source rows agree with what a model of the target alone has learned."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

# Logits beyond this many standard deviations say no more than it: single ids of the
# target are learned from a handful of rows.
_MAX_DEVIATIONS = 3.0


def agreement(
    labels: Any, click_rate: Any, surplus: Any, variance: Any
) -> tuple[Any, Any]:
    """Returns per row the numerator and denominator of the slope of labels on logits.

    `a = (y - m) h / v` and `q = m (1 - m) h^2 / v`, with `m` the click rate that rows
    alike have and `h` what the target model's logit is above theirs. `sum(a) / sum(q)`
    over any group of rows estimates by how much the log-odds of a click rise with the
    logit: 1 where the model is right, 0 where it knows nothing. How often a domain, a
    slot or a group of users is clicked on does not change it: what rows alike have in
    common is taken off both sides, so that an error of one side alone cancels
    (Robinson's transformation; that it is used here is our choice).

    Args:
        labels: 0 or 1, (B,).
        click_rate: Of rows alike, (B,).
        surplus: The target model's logit less the mean of rows alike, (B,).
        variance: Variance of the surplus in the row's own domain, (B,).

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
    """What agreement needs to know of each domain, summed over the rows so far.

    Args:
        count: Domains, `K`.

    Attributes:
        sums: Of each domain rows, clicks, logits and squared logits, and of its
            measured rows `a`, `q` and `a^2`; (K, 7).
    """

    ROWS, CLICKS, LOGITS, SQUARES, GAINS, MASSES, GAIN_SQUARES = range(7)

    def __init__(self, count: int) -> None:
        self.sums = tf.Variable(
            tf.zeros([count, 7], tf.float64), trainable=False, name="domain_sums"
        )

    def add_rows(
        self, labels: Any, logits: Any, domain: Any, *, times: Any = 1.0
    ) -> None:
        """Counts rows.

        Args:
            labels: 0 or 1, (B,).
            logits: The target model's, (B,).
            domain: Index of each row's domain, int32 (B,).
            times: How often to count them; 0 for rows that are counted already.
        """
        ones = tf.ones_like(labels)
        self._add([ones, labels, logits, logits**2], domain, self.ROWS, times)

    def moments(self, domain: Any) -> tuple[Any, Any, Any]:
        """Returns click rate, mean and variance of the logits in each row's domain."""
        sums = self.sums.read_value()
        rows = tf.maximum(sums[:, self.ROWS], 1.0)
        means = sums[:, : self.GAINS] / rows[:, tf.newaxis]
        mean = means[:, self.LOGITS]
        # Rounding may leave a constant logit just below zero.
        variance = tf.maximum(means[:, self.SQUARES] - mean**2, 0.0)
        moments = tf.stack([means[:, self.CLICKS], mean, variance], axis=1)
        return tuple(
            tf.unstack(tf.gather(tf.cast(moments, tf.float32), domain), axis=1)
        )

    def add_gains(self, gain: Any, mass: Any, domain: Any, *, times: Any = 1.0) -> None:
        """Counts the `a` and `q` of measured rows, (B,), `times` times."""
        self._add([gain, mass, gain**2], domain, self.GAINS, times)

    def gains(self) -> Any:
        """Returns what was measured so far, for `set_gains`."""
        return self.sums.read_value()[:, self.GAINS :]

    def set_gains(self, gains: Any) -> None:
        """Puts what was measured back to what it was."""
        sums = self.sums.read_value()
        self.sums.assign(tf.concat([sums[:, : self.GAINS], gains], axis=1))

    def slopes(self) -> Any:
        """Returns the slope in each domain, 0 without rows; float32 (K,)."""
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
