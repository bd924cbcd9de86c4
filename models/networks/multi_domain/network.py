"""Multi-domain network: the backbone's embeddings and interaction under a body."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from models.data.batches import batch_signature
from models.features.feature import DOMAIN_FEATURE
from models.features.table import FeatureTable
from models.layers.cross_stack import CrossStack
from models.layers.mlp import NormalisedStack
from models.networks.multi_domain.body import Body
from models.networks.multi_domain.body import route
from models.networks.network import Network
from models.networks.network import ServingForm
from models.networks.network import log_odds
from models.settings import NetworkConfig


class MultiDomainNetwork(Network):
    """Embeddings -> cross layers -> body -> the logit of the impression's domain.

    The shallow parts, if any, are shared by all domains, but for the wide part's
    weights of numbers.

    In training, an impression is scored by the part of its own domain, given by the
    feature `domain`. In serving, the target's part scores every request (our choice:
    the model is the target's, and an unknown domain must not be an error).

    Args:
        features: All features.
        network: Sizes; shared with the backbone.
        body: Layers between the interaction and the domains' logits; the target is the
            last domain.
        rows: Table row of each domain in the table of the feature `domain`; domains
            without impressions so far are absent. Impressions of an unknown domain are
            scored by the target's part.
        name: Name of the network.
    """

    def __init__(
        self,
        features: FeatureTable,
        network: NetworkConfig,
        body: Body,
        rows: Mapping[str, int],
        name: str = "multi_domain",
    ) -> None:
        super().__init__(features, network.width, name=name)
        self.domains = domains = body.domains
        self._index_of_row = np.full(
            features.num_rows(features[DOMAIN_FEATURE].table),
            len(domains) - 1,
            np.int32,
        )
        for index, domain in enumerate(self.domains):
            if domain in rows:
                self._index_of_row[rows[domain]] = index
        self.cross = CrossStack(network.cross_layers, name="cross")
        self.body = body
        self.add_shallow_parts(wide=network.wide, product=network.product)
        self.create_variables()

    def call(self, rows: Mapping[str, Any], training: bool = False) -> Any:
        """Returns logits (B,) for encoded features by column."""
        indices = tf.gather(tf.constant(self._index_of_row), rows[DOMAIN_FEATURE])
        parts = [
            functools.partial(self.body.logit, index=index, training=training)
            for index in range(len(self.domains))
        ]
        vectors = self.embedding(rows)
        routed = route(self._shared(rows, vectors, training), indices, parts)
        return self.with_shallow_parts(routed, rows, vectors)

    @property
    def stages(self) -> list[list[NormalisedStack]]:
        """The body's stacks of hidden layers with normalisation, first to last."""
        return self.body.stages()

    def named_variables(self) -> dict[str, Any]:
        """Returns every variable by name."""
        return {
            **super().named_variables(),
            **self.cross.named_variables(),
            **self.body.named_variables(),
        }

    def set_base_rate(self, click_rate: float) -> None:
        """Initialises every domain's bias to the log-odds of `click_rate`."""
        self.set_domain_rates(dict.fromkeys(self.domains, click_rate))

    def set_domain_rates(
        self, click_rates: Mapping[str, float], *, continues: bool = False
    ) -> None:
        """Initialises the bias of each given domain to its own log-odds."""
        del continues  # A warm start replaces the biases.
        for domain, rate in click_rates.items():
            bias = self.body.logit_bias(self.domains.index(domain))
            bias.assign([log_odds(rate)])

    def serving_form(self) -> ServingForm:
        """Returns the target's part and its variables."""

        def logits(rows: Mapping[str, Any]) -> Any:
            vectors = self.embedding(rows)
            shared = self._shared(rows, vectors, training=False)
            own = self.body.logit(shared, len(self.domains) - 1, training=False)
            return self.with_shallow_parts(own, rows, vectors)

        signature, _, _ = batch_signature(self.features)
        traced = tf.function(logits, autograph=False).get_concrete_function(signature)
        return ServingForm(logits, list(traced.graph.variables))

    def _shared(
        self, rows: Mapping[str, Any], vectors: Mapping[str, Any], training: bool
    ) -> Any:
        crossed = self.cross(self.interaction_input(rows, vectors))
        return self.body.shared(crossed, training)
