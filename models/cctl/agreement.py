"""How far source rows agree with what a model of the target alone has learned."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

# Logits beyond this many standard deviations say no more than it: single ids of the
# target are learned from a handful of rows.
_MAX_DEVIATIONS = 3.0


def agreement(
    labels: Any, logits: Any, click_rate: Any, mean: Any, variance: Any
) -> tuple[Any, Any]:
    """Returns per row the numerator and denominator of the slope of labels on logits.

    `a = (y - c) h / (c (1 - c) v)` and `q = h^2 / v`, with the centred logit
    `h = logit - mean`, `c` the click rate and `v` the variance of logits in the row's
    own domain. `sum(a) / sum(q)` over any group of rows estimates by how much the
    log-odds of a click rise with the logit: 1 where the model is right, 0 where it
    knows nothing. Neither the domain's click rate nor the spread of the logits changes
    it.

    Args:
        labels: 0 or 1, (B,).
        logits: The target model's, (B,).
        click_rate: Of the row's domain, (B,).
        mean: Mean logit in the row's domain, (B,).
        variance: Variance of logits in the row's domain, (B,).

    Returns:
        `a` and `q`, both (B,).
    """
    deviation = tf.sqrt(variance + 1e-12)
    bound = _MAX_DEVIATIONS * deviation
    centred = tf.clip_by_value(logits - mean, -bound, bound)
    share = tf.clip_by_value(click_rate, 1e-4, 1 - 1e-4)
    gain = (labels - share) * centred / (share * (1 - share) * (variance + 1e-12))
    return gain, centred**2 / (variance + 1e-12)


class DomainSums:
    """What agreement needs to know of each domain, summed over the rows so far.

    Args:
        count: Domains, `K`.

    Attributes:
        sums: Rows, clicks, logits, squared logits, `a`, `q` and `a^2` of each domain,
            (K, 7).
    """

    ROWS, CLICKS, LOGITS, SQUARES, GAINS, MASSES, GAIN_SQUARES = range(7)

    def __init__(self, count: int) -> None:
        self.sums = tf.Variable(
            tf.zeros([count, 7], tf.float64), trainable=False, name="domain_sums"
        )

    def add(self, labels: Any, logits: Any, domain: Any) -> tuple[Any, Any]:
        """Counts a batch and returns its `a` and `q`, see `agreement`.

        Args:
            labels: 0 or 1, (B,).
            logits: The target model's, (B,).
            domain: Index of each row's domain, int32 (B,).
        """
        ones = tf.ones_like(labels)
        self._add([ones, labels, logits, logits**2], domain, self.ROWS)
        sums = self.sums.read_value()
        rows = tf.maximum(sums[:, self.ROWS], 1.0)
        means = tf.cast(sums[:, : self.GAINS] / rows[:, tf.newaxis], tf.float32)
        own = tf.gather(means, domain)  # (B, 4)
        mean = own[:, self.LOGITS]
        variance = own[:, self.SQUARES] - mean**2
        gain, mass = agreement(labels, logits, own[:, self.CLICKS], mean, variance)
        self._add([gain, mass, gain**2], domain, self.GAINS)
        return gain, mass

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

    def _add(self, values: list[Any], domain: Any, first: int) -> None:
        stacked = tf.cast(tf.stack(values, axis=1), tf.float64)
        summed = tf.math.unsorted_segment_sum(stacked, domain, self.sums.shape[0])
        after = self.sums.shape[1] - first - len(values)
        self.sums.assign_add(tf.pad(summed, [[0, 0], [first, after]]))
