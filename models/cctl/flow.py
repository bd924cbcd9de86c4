"""Network of the prior `agreement`: agreement by group of impressions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

import tensorflow as tf
import tf_keras as keras

from models.features.feature import DOMAIN_FEATURE
from models.features.table import FeatureTable

# Features with more values are excluded: a weight per user or item would rest on a few
# impressions.
MAX_VALUES = 512
_WIDTH = 8
_UNITS = 32


class GroupEstimates(NamedTuple):
    """Estimates for each impression's group, relative to its domain; (B,) each.

    Attributes:
        slope: Agreement of the group minus the domain's.
        log_odds: Log-odds of a click in the group minus the domain's.
        logit: Mean of the target model's logits in the group minus the domain's mean,
            in standard deviations of the domain.
    """

    slope: Any
    log_odds: Any
    logit: Any


class FlowNetwork(keras.layers.Layer):
    """Estimator of the differences between groups of impressions and their domain.

    A group is given by user and context features. Item features are excluded: agreement
    is measured among the items that a group of users sees in one place, which is what a
    CTR model ranks. With item features, impressions of one group would share a logit
    and no variation would remain to measure (our choice).

    The estimates start at zero, the domain's level. The label is excluded as well,
    although an impression's own agreement could distinguish a shuffled click from a
    real one: selection by label would distort the click rate that the mixed tower
    learns (our choice).

    Args:
        features: All features. Read are user and context features and the domain, of
            kind `id`, `count` or `rate`, with at most `MAX_VALUES` values.
    """

    def __init__(self, features: FeatureTable, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tables = {
            feature.name: self.add_weight(
                f"{feature.name}/table",
                (features.num_rows(feature.table), _WIDTH),
                initializer=keras.initializers.RandomNormal(stddev=0.3),
            )
            for feature in features.features
            if not feature.is_list
            and (
                feature.served_side in ("user", "context")
                or feature.name == DOMAIN_FEATURE
            )
            and features.num_rows(feature.table) <= MAX_VALUES
        }
        self.hidden = keras.layers.Dense(_UNITS, activation="relu", name="hidden")
        self.output_layer = keras.layers.Dense(
            len(GroupEstimates._fields), kernel_initializer="zeros", name="output"
        )

    def call(self, rows: Mapping[str, Any]) -> GroupEstimates:
        """Maps table rows by feature, (B,), to the estimates of their groups."""
        vectors = [tf.gather(t, rows[name]) for name, t in self.tables.items()]
        hidden = self.hidden(tf.concat(vectors, axis=1))
        return GroupEstimates(*tf.unstack(self.output_layer(hidden), axis=1))

    def named_variables(self) -> dict[str, Any]:
        """Returns every variable by name."""
        return {
            **{f"{name}/table": table for name, table in self.tables.items()},
            "hidden/kernel": self.hidden.kernel,
            "hidden/bias": self.hidden.bias,
            "output/kernel": self.output_layer.kernel,
            "output/bias": self.output_layer.bias,
        }


def group_loss(labels: Any, log_odds: Any, logits: Any, means: Any) -> Any:
    """Returns the loss that fits click rate and mean logit of the groups; a scalar.

    Args:
        labels: 0 or 1, (B,).
        log_odds: Estimated log-odds of a click, (B,).
        logits: The target model's logits in standard deviations, (B,).
        means: Estimated group means of `logits`, (B,).
    """
    clicks = tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=log_odds)
    return tf.reduce_mean(clicks) + tf.reduce_mean((logits - means) ** 2) / 2


def flow_loss(slope: Any, gain: Any, mass: Any) -> Any:
    """Returns the loss that fits the slope of every group; a scalar.

    `mean(q s^2 / 2 - a s)` is least at `s = E[a] / E[q]` of the group. To second order
    it is the log loss of scaling the target model's logits by `s`.

    Args:
        slope: Estimated slope, (B,).
        gain: `a` of `agreement`, (B,).
        mass: `q` of `agreement`, (B,).
    """
    gain, mass = tf.stop_gradient(gain), tf.stop_gradient(mass)
    return tf.reduce_mean(mass * slope**2 / 2 - gain * slope)


def shrinkage_factor(difference: Any, gain: Any, mass: Any, slope: Any) -> float:
    """Returns the factor in [0, 1] that group differences are multiplied by.

    Shrinkage estimated on held-out impressions, the minimiser of `flow_loss`, minus one
    standard error (our choice).

    Args:
        difference: Estimated slope difference of each impression's group, (N,).
        gain: `a` of `agreement`, (N,).
        mass: `q` of `agreement`, (N,).
        slope: Slope of each impression's domain, (N,).
    """
    moved = (gain - mass * slope) * difference
    norm = float((mass * difference**2).sum())
    if norm <= 0:
        return 0.0
    reliable = float(moved.sum()) - float((moved**2).sum()) ** 0.5
    return min(max(reliable / norm, 0.0), 1.0)


def weights_of(slope: Any, price: float, temperature: float) -> Any:
    """Returns weights in (0, 1), `sigmoid((slope - price) / temperature)`."""
    return tf.sigmoid((slope - price) / temperature)
