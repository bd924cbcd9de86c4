"""What every network of crossctr has in common."""

from __future__ import annotations

import math
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

import tensorflow as tf
import tf_keras as keras

from models.features.kind import PADDING_ROW
from models.features.table import FeatureTable
from models.layers.embedding_tables import EmbeddingTables
from models.layers.mlp import NormalisedStack


class ServingForm(NamedTuple):
    """A network as it is served.

    Attributes:
        logits: Maps rows by feature to logits of shape (B,).
        variables: Everything `logits` reads.
    """

    logits: Callable[[Mapping[str, Any]], Any]
    variables: list[Any]


class Network(keras.Model):
    """Base of the networks: rows by feature in, one logit per example out.

    Subclasses set `embedding`, create their layers and end their constructor with
    `create_variables()`, so that a warm start finds variables before any data is seen.

    Args:
        features: The network's inputs.
        width: Embedding width of features that name none.
    """

    def __init__(self, features: FeatureTable, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.features = features
        self.embedding = EmbeddingTables(features, width, name="embedding")

    def create_variables(self) -> None:
        """Runs the network once on padding."""
        self(
            {
                feature.name: tf.fill(
                    [1, *feature.encoded_shape],
                    tf.constant(PADDING_ROW, tf.int64),
                )
                for feature in self.features.features
            }
        )

    @property
    def embedding_variables(self) -> list[Any]:
        """The embedding tables, which get sparse gradients."""
        return list(self.embedding.tables.values())

    @property
    def dense_variables(self) -> list[Any]:
        """Every trainable variable that is no embedding table."""
        tables = {variable.ref() for variable in self.embedding_variables}
        return [v for v in self.trainable_variables if v.ref() not in tables]

    @property
    def trained_part(self) -> Any:
        """What the level's optimizer trains: all of it, unless a subclass says less."""
        return self

    @property
    def mlps(self) -> list[NormalisedStack]:
        """The network's stacks of hidden layers."""
        return [part for part in self.submodules if isinstance(part, NormalisedStack)]

    @property
    def stages(self) -> list[list[NormalisedStack]]:
        """The stacks with normalisation, first to last.

        Those of one stage do not read one another, so one pass over rows serves all.
        """
        return [[stack] for stack in self.mlps if stack.norms]

    def named_variables(self) -> dict[str, Any]:
        """Returns every variable, trainable or not, by a name that never changes.

        Warm starts, checkpoints and reports go by these names.
        """
        return {
            f"embedding/{table}/table": variable
            for table, variable in self.embedding.tables.items()
        }

    def set_base_rate(self, click_rate: float) -> None:
        """Starts the logit's bias at the log-odds of `click_rate`.

        The first steps then learn who clicks, not how often people click (our choice).

        Args:
            click_rate: Share of clicks in the window; 0 and 1 are moved inwards.
        """
        self.named_variables()["logit/bias"].assign([log_odds(click_rate)])

    def set_domain_rates(
        self, click_rates: Mapping[str, float], *, continues: bool
    ) -> None:
        """Starts what the network has per domain at the domains' click rates.

        Does nothing for a network without parts per domain.

        Args:
            click_rates: Click rate of every domain with impressions.
            continues: Whether the network goes on from an earlier day's model.
        """

    def keep_statistics(self, keep: bool) -> None:
        """Chooses what BatchNorm normalises by while training.

        To be called before a step is traced.

        Args:
            keep: True for the statistics that it has; False for each batch's own.
        """
        for mlp in self.mlps:
            mlp.keep_statistics = keep

    def serving_form(self) -> ServingForm:
        """Returns the function that is exported and what it reads."""
        return ServingForm(
            lambda rows: self(rows, training=False),
            list(self.named_variables().values()),
        )


def log_odds(click_rate: float) -> float:
    """Returns the log-odds of a click rate; 0 and 1 are moved inwards.

    Example:
        >>> round(log_odds(0.2), 3)
        -1.386
    """
    share = min(max(click_rate, 1e-4), 1 - 1e-4)
    return math.log(share / (1 - share))
