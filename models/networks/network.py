"""Base class of all networks."""

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
from models.layers.embedding_tables import side_by_side
from models.layers.mlp import NormalisedStack
from models.layers.number_inputs import NumberInputs
from models.layers.side_product import SideProduct
from models.layers.wide import Wide


class ServingForm(NamedTuple):
    """Function and variables that are exported for serving.

    Attributes:
        logits: Maps encoded features by column to logits (B,).
        variables: All variables that `logits` reads.
    """

    logits: Callable[[Mapping[str, Any]], Any]
    variables: list[Any]


class Network(keras.Model):
    """Base class of networks that map encoded features to logits.

    Subclasses create their layers, call `add_shallow_parts()` if they have some, and
    `create_variables()` at the end of the constructor, so that a warm start finds all
    variables before training.

    Args:
        features: The network's inputs.
        width: Embedding width of features that declare none.
    """

    def __init__(self, features: FeatureTable, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.features = features
        self.embedding = EmbeddingTables(features, width, name="embedding")
        self.numbers = NumberInputs(features, width, name="numbers")
        self.wide: Wide | None = None
        self.product: SideProduct | None = None

    def create_variables(self) -> None:
        """Creates all variables by calling the network on padding."""
        padding = tf.cast(PADDING_ROW, tf.int64)
        self(
            {
                name: tf.fill([1, *column.shape], tf.cast(padding, column.dtype))
                for name, column in self.features.columns.items()
            }
        )

    def statistics_weights(self, rows: Mapping[str, Any]) -> Any:  # noqa: ARG002
        """Returns the impressions' weights in BatchNorm's statistics, (B,).

        None, which counts all alike, unless a network weighs what it learns from.

        Args:
            rows: Encoded features by column.
        """
        return None

    def interaction_input(
        self,
        rows: Mapping[str, Any],
        vectors: Mapping[str, Any],
        pooled: Mapping[str, Any] | None = None,
    ) -> Any:
        """Returns the input of the interaction, (B, F * D + N).

        Args:
            rows: Encoded features by column, see `FeatureTable.columns`.
            vectors: Vectors (B, D) by feature, the embeddings or what replaces them.
            pooled: Pooled vectors (B, D) of snapshots by feature.
        """
        beside = (pooled or {}).values()
        return side_by_side([*vectors.values(), *self.numbers(rows), *beside])

    def add_shallow_parts(self, *, wide: bool, product: bool = False) -> None:
        """Adds parts beside the hidden layers; call it before `create_variables`.

        Args:
            wide: Whether to add a linear part, see `Wide`.
            product: Whether to add the inner product of the sides, see `SideProduct`.
        """
        if wide:
            self.wide = Wide(self.features, len(self.numbers.names), name="wide")
        if product:
            width = self.embedding.width
            self.product = SideProduct(self.features, width, name="product")

    def with_shallow_parts(
        self,
        logits: Any,
        rows: Mapping[str, Any],
        vectors: Mapping[str, Any],
        pooled: Mapping[str, Any] | None = None,
    ) -> Any:
        """Returns the logits (B,) with those of the shallow parts, if any, added.

        Args:
            logits: Logits (B,) or (1,).
            rows: Encoded features by column, see `FeatureTable.columns`.
            vectors: Vectors (B, D) by feature, the embeddings or what replaces them;
                read by the product alone.
            pooled: Pooled vectors (B, D) of snapshots by feature.
        """
        if self.wide is not None:
            logits = logits + self.wide(rows, self.numbers.numbers(rows))
        if self.product is not None:
            logits = logits + self.product(vectors, pooled or {})
        return logits

    @property
    def embedding_variables(self) -> list[Any]:
        """The embedding tables, whose gradients are sparse."""
        return list(self.embedding.tables.values())

    @property
    def wide_variables(self) -> list[Any]:
        """The wide part's weights; empty without a wide part."""
        return [] if self.wide is None else list(self.wide.named_variables().values())

    @property
    def dense_variables(self) -> list[Any]:
        """All trainable variables except embedding tables and the wide part."""
        others = [*self.embedding_variables, *self.wide_variables]
        excluded = {variable.ref() for variable in others}
        return [v for v in self.trainable_variables if v.ref() not in excluded]

    @property
    def trained_part(self) -> Any:
        """The part that the level's optimizer trains; the whole network by default."""
        return self

    @property
    def mlps(self) -> list[NormalisedStack]:
        """The network's stacks of hidden layers."""
        return [part for part in self.submodules if isinstance(part, NormalisedStack)]

    @property
    def stages(self) -> list[list[NormalisedStack]]:
        """The stacks with normalisation, in stages from first to last.

        Stacks of one stage do not read one another, so that one pass over the
        impressions computes the statistics of all.
        """
        return [[stack] for stack in self.mlps if stack.norms]

    def named_variables(self) -> dict[str, Any]:
        """Returns every variable, trainable or not, by its permanent name.

        Warm starts, checkpoints and reports use these names.
        """
        named = {
            f"embedding/{table}/table": variable
            for table, variable in self.embedding.tables.items()
        }
        named |= self.numbers.named_variables()
        if self.wide is not None:
            for name, variable in self.wide.named_variables().items():
                named[f"wide/{name}"] = variable
        return named

    def set_base_rate(self, click_rate: float) -> None:
        """Initialises the logit's bias to the log-odds of `click_rate`.

        The first steps then learn which impressions are clicked instead of the overall
        click rate (our choice).

        Args:
            click_rate: Click rate of the window, clipped away from 0 and 1.
        """
        self.named_variables()["logit/bias"].assign([log_odds(click_rate)])

    def set_domain_rates(
        self, click_rates: Mapping[str, float], *, continues: bool
    ) -> None:
        """Initialises domain-specific biases by the domains' click rates.

        No-op for a network without domain-specific biases.

        Args:
            click_rates: Click rate of every domain with impressions.
            continues: Whether the network continues an earlier day's model.
        """

    def keep_statistics(self, keep: bool) -> None:
        """Chooses the statistics that BatchNorm uses in training.

        Must be called before a training step is traced.

        Args:
            keep: True for the stored statistics; False for each batch's own.
        """
        for mlp in self.mlps:
            mlp.keep_statistics = keep

    def serving_form(self) -> ServingForm:
        """Returns the exported function and its variables."""
        return ServingForm(
            lambda rows: self(rows, training=False),
            list(self.named_variables().values()),
        )


def log_odds(click_rate: float) -> float:
    """Returns the log-odds of a click rate, clipped away from 0 and 1.

    Example:
        >>> round(log_odds(0.2), 3)
        -1.386
    """
    share = min(max(click_rate, 1e-4), 1 - 1e-4)
    return math.log(share / (1 - share))
