"""The backbone's embeddings and interaction under a body with parts of each domain."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from models.data.batches import batch_signature
from models.features.table import DOMAIN_FEATURE
from models.features.table import FeatureTable
from models.layers.cross_stack import CrossStack
from models.layers.embedding_tables import side_by_side
from models.layers.mlp import NormalisedStack
from models.networks.multi_domain.body import Body
from models.networks.multi_domain.body import route
from models.networks.multi_domain.mmoe import Mmoe
from models.networks.multi_domain.ple import Ple
from models.networks.multi_domain.shared_bottom import SharedBottom
from models.networks.multi_domain.star import Star
from models.networks.network import Network
from models.networks.network import ServingForm
from models.networks.network import log_odds
from models.settings import MultiDomainConfig
from models.settings import NetworkConfig


class MultiDomainNetwork(Network):
    """Embeddings -> cross layers -> body -> the logit of the row's domain.

    While training, a row goes through the part of its own domain, told by the feature
    `domain`. Served is the target's part alone, whatever a request says (our choice:
    the model answers for the target, and an unknown domain must not be an error).

    Args:
        features: All features.
        network: Sizes; shared with the backbone.
        body: Which body, and its experts.
        domains: The domains trained on, the target last.
        rows: Row of each domain in the table of the feature `domain`; a domain without
            rows so far has none. Rows of no known domain go through the target's part.
    """

    def __init__(
        self,
        features: FeatureTable,
        network: NetworkConfig,
        body: MultiDomainConfig,
        domains: Sequence[str],
        rows: Mapping[str, int],
    ) -> None:
        super().__init__(features, network.width, name=body.network)
        self.domains = tuple(domains)
        self._index_of_row = np.full(
            features.num_rows(features[DOMAIN_FEATURE].table),
            len(domains) - 1,
            np.int32,
        )
        for index, domain in enumerate(self.domains):
            if domain in rows:
                self._index_of_row[rows[domain]] = index
        self.cross = CrossStack(network.cross_layers, name="cross")
        self.body = _build_body(self.domains, network, body)
        self.create_variables()

    def call(self, rows: Mapping[str, Any], training: bool = False) -> Any:
        """Returns logits of shape (B,) for rows of shape (B,) or (B, L)."""
        indices = tf.gather(tf.constant(self._index_of_row), rows[DOMAIN_FEATURE])
        parts = [
            functools.partial(self.body.logit, index=index, training=training)
            for index in range(len(self.domains))
        ]
        return route(self._shared(rows, training), indices, parts)

    @property
    def stages(self) -> list[list[NormalisedStack]]:
        """The body's stacks with normalisation, first to last."""
        return self.body.stages()

    def named_variables(self) -> dict[str, Any]:
        """Returns every variable by name."""
        return {
            **super().named_variables(),
            **self.cross.named_variables(),
            **self.body.named_variables(),
        }

    def set_base_rate(self, click_rate: float) -> None:
        """Starts every domain's bias at the log-odds of `click_rate`."""
        self.set_base_rates(dict.fromkeys(self.domains, click_rate))

    def set_base_rates(self, click_rates: Mapping[str, float]) -> None:
        """Starts the bias of each domain that is named at its own log-odds."""
        for domain, rate in click_rates.items():
            bias = self.body.logit_bias(self.domains.index(domain))
            bias.assign([log_odds(rate)])

    def serving_form(self) -> ServingForm:
        """Returns the target's part and the variables that it reads."""

        def logits(rows: Mapping[str, Any]) -> Any:
            shared = self._shared(rows, training=False)
            return self.body.logit(shared, len(self.domains) - 1, training=False)

        signature, _, _ = batch_signature(self.features)
        traced = tf.function(logits, autograph=False).get_concrete_function(signature)
        return ServingForm(logits, list(traced.graph.variables))

    def _shared(self, rows: Mapping[str, Any], training: bool) -> Any:
        base = side_by_side(list(self.embedding(rows).values()))  # (B, F * D)
        return self.body.shared(self.cross(base), training)


def _build_body(
    domains: Sequence[str], network: NetworkConfig, body: MultiDomainConfig
) -> Body:
    if body.network == "shared_bottom":
        return SharedBottom(domains, network)
    if body.network == "mmoe":
        return Mmoe(domains, network, body.experts)
    if body.network == "ple":
        return Ple(domains, network, body.experts)
    return Star(domains, network)
