"""The information flow network: from a source row to its weight."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

import tensorflow as tf
import tf_keras as keras

from models.features.feature import DOMAIN_FEATURE
from models.features.table import FeatureTable

# Features of more values than this are left out: a weight by user or item would rest on
# a handful of rows.
MAX_VALUES = 512
_WIDTH = 8
_UNITS = 32


class Alike(NamedTuple):
    """What the network says about rows alike, (B,) each.

    Attributes:
        slope: By how much their agreement differs from their domain's.
        log_odds: By how much the log-odds of a click differ from their domain's.
        logit: By how much the target model's logits differ from their domain's mean,
            in standard deviations of the domain.
    """

    slope: Any
    log_odds: Any
    logit: Any


class FlowNetwork(keras.layers.Layer):
    """Says by how much rows alike in who sees them and where differ from their domain.

    What is shown is no input: whether clicks agree with the target's model is asked
    among the items that one group of users sees in one place, which is what a CTR model
    is there to rank. Were the items told, rows alike would have one logit, and nothing
    were left to agree on (our choice).

    It starts at zero: a row is like its domain until rows like it have shown otherwise.
    The label is no input, though a row's own agreement would tell a shuffled click from
    a real one: rows chosen by their label have another click rate than the truth, and
    the network would learn that one (our choice).

    Args:
        features: All features; those of users and context, the domain among them, of
            kind `id`, `count` and `rate` and with few values are read.
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
            and (feature.served_side != "item" or feature.name == DOMAIN_FEATURE)
            and features.num_rows(feature.table) <= MAX_VALUES
        }
        self.hidden = keras.layers.Dense(_UNITS, activation="relu", name="hidden")
        self.output_layer = keras.layers.Dense(
            len(Alike._fields), kernel_initializer="zeros", name="output"
        )

    def call(self, rows: Mapping[str, Any]) -> Alike:
        """Maps rows by feature, (B,), to what is known of rows alike."""
        vectors = [tf.gather(t, rows[name]) for name, t in self.tables.items()]
        hidden = self.hidden(tf.concat(vectors, axis=1))
        return Alike(*tf.unstack(self.output_layer(hidden), axis=1))

    def named_variables(self) -> dict[str, Any]:
        """Returns every variable by name."""
        return {
            **{f"{name}/table": table for name, table in self.tables.items()},
            "hidden/kernel": self.hidden.kernel,
            "hidden/bias": self.hidden.bias,
            "output/kernel": self.output_layer.kernel,
            "output/bias": self.output_layer.bias,
        }


def alike_loss(labels: Any, log_odds: Any, logits: Any, means: Any) -> Any:
    """Returns the loss whose minimum is what rows alike have in common; a scalar.

    Args:
        labels: 0 or 1, (B,).
        log_odds: What the network says of their click rate, (B,).
        logits: The target model's logits in standard deviations, (B,).
        means: What the network says of these, (B,).
    """
    clicks = tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=log_odds)
    return tf.reduce_mean(clicks) + tf.reduce_mean((logits - means) ** 2) / 2


def flow_loss(slope: Any, gain: Any, mass: Any) -> Any:
    """Returns the loss whose minimum is the slope of every group; a scalar.

    `mean(q s^2 / 2 - a s)`, least where `s = E[a] / E[q]` of the rows alike. It is the
    log loss, to second order, of scaling the target model's logits by `s`.

    Args:
        slope: What the network says, (B,).
        gain: `a` of `agreement`, (B,).
        mass: `q` of `agreement`, (B,).
    """
    gain, mass = tf.stop_gradient(gain), tf.stop_gradient(mass)
    return tf.reduce_mean(mass * slope**2 / 2 - gain * slope)


def share_that_holds(difference: Any, gain: Any, mass: Any, slope: Any) -> float:
    """Returns by how much to scale differences of groups, from 0 to 1.

    The scale of least `flow_loss` on rows that the differences were not learned from,
    less its standard error: what is only chance is not believed (our choice).

    Args:
        difference: What the network says of the rows' groups, (N,).
        gain: `a` of `agreement`, (N,).
        mass: `q` of `agreement`, (N,).
        slope: Of the rows' domains, (N,).
    """
    moved = (gain - mass * slope) * difference
    norm = float((mass * difference**2).sum())
    if norm <= 0:
        return 0.0
    sure = float(moved.sum()) - float((moved**2).sum()) ** 0.5
    return min(max(sure / norm, 0.0), 1.0)


def weights_of(slope: Any, price: float, temperature: float, trust: Any) -> Any:
    """Returns weights in (0, 1), `sigmoid((slope - price) / temperature + trust)`."""
    return tf.sigmoid((slope - price) / temperature + trust)
