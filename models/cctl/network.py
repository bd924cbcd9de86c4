"""Networks of CCTL; only the mixed tower is served."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from models.cctl.agreement import DomainSums
from models.cctl.flow import MAX_VALUES
from models.cctl.flow import FlowNetwork
from models.cctl.flow import weights_of
from models.cctl.gain_weights import MIN_Z_SCORE
from models.cctl.gain_weights import GainWeights
from models.cctl.gain_weights import id_features
from models.cctl.own_vectors import own_features
from models.cctl.source_inputs import SourceInputs
from models.features.feature import DOMAIN_FEATURE
from models.features.table import FeatureTable
from models.layers.mlp import NormalisedStack
from models.networks.backbone import Backbone
from models.networks.network import Network
from models.networks.network import ServingForm
from models.networks.network import log_odds
from models.settings import CctlConfig
from models.settings import NetworkConfig

# Source impressions of a lower weight are skipped: they would teach little and cost as
# much as others.
LEAST_WEIGHT = 0.05
# Small, because the reference is trained on the target's few impressions.
_REFERENCE = {
    "width": 4,
    "hidden_units": (16,),
    "cross_layers": 1,
    "wide": False,
    "zero_start": False,
    "batch_norm": True,
}


class Part(NamedTuple):
    """Variables of one optimizer."""

    embedding_variables: list[Any]
    wide_variables: list[Any]
    dense_variables: list[Any]


class CompanionNetwork(Network):
    """Two towers of one architecture, and the networks that weight source impressions.

    `mixed` is trained on the target's impressions and weighted source impressions,
    `pure` on the target's alone; they are made equal every k steps. `gain_weights` is
    the information flow network. `reference` is a smaller network on the features but
    ids that is trained on the target alone: the start of the look-ahead behind the
    gain's derivative. `flow` learns where sources agree with it, for the prior.

    A call runs the mixed tower, as does serving.

    Args:
        features: All features.
        network: Sizes of a tower.
        cctl: The strategy's settings.
        sources: The source domains.
        rows: Table row of each domain of the feature `domain`, without domains that
            have no impressions so far.
        make_tower: Builds one tower; a backbone by default.

    References:
        Zhang et al., CCTL, KDD'23, arXiv 2306.16425.
    """

    def __init__(
        self,
        features: FeatureTable,
        network: NetworkConfig,
        cctl: CctlConfig,
        sources: Sequence[str],
        rows: Mapping[str, int],
        make_tower: Callable[[], Any] | None = None,
    ) -> None:
        super().__init__(features, network.width, name="cctl")
        self.cctl = cctl
        self.sources = tuple(sources)
        make_tower = make_tower or (lambda: Backbone(features.of_target(), network))
        self.mixed, self.pure = make_tower(), make_tower()
        if cctl.own_vectors:
            for tower in (self.mixed, self.pure):
                tower.embedding.add_own(own_features(tower.features))
        known = features.of_target()
        ids = id_features(known, MAX_VALUES)
        shared = known.few_valued(MAX_VALUES).without_features(ids)
        self.reference = Backbone(
            shared if len(shared.features) > 1 else known,
            network.model_copy(update=_REFERENCE),
        )
        self.embedding, self.numbers = self.mixed.embedding, self.mixed.numbers
        values = {
            feature.name: features.num_rows(feature.table)
            for feature in shared.features
            if not feature.is_list and feature.name != DOMAIN_FEATURE
        }
        self.gain_weights = GainWeights(
            len(self.sources), values, [one.name for one in ids], name="gain_weights"
        )
        self.flow = FlowNetwork(features, name="flow")
        self.inputs_of_sources = SourceInputs(
            features, self.mixed, cctl, self.sources, name="source_inputs"
        )
        # One entry per source, the last for the target's held-out impressions.
        self.sums = DomainSums(len(self.sources) + 1)
        # Shrinkage of the group differences from `flow`, see `shrinkage_factor`.
        self.flow_share = tf.Variable(0.0, trainable=False, name="flow_share")
        self._source_of_row = np.full(
            features.num_rows(features[DOMAIN_FEATURE].table),
            len(self.sources),
            np.int32,
        )
        for index, source in enumerate(self.sources):
            if source in rows:
                self._source_of_row[rows[source]] = index
        self.create_variables()

    def create_variables(self) -> None:
        """Creates all variables by calling every part on padding."""
        super().create_variables()
        rows = {
            name: tf.ones([1, *column.shape], column.dtype)
            for name, column in self.features.columns.items()
        }
        self.flow(rows)
        self.gain_weights(rows, tf.zeros([1], tf.int32))
        self.contrast(rows, tf.ones([1]))

    def call(self, rows: Mapping[str, Any], training: bool = False) -> Any:
        """Returns the mixed tower's logits (B,) for impressions of any domain."""
        return self.logits(self.mixed, rows, training)

    def source_of(self, rows: Mapping[str, Any]) -> Any:
        """Returns each impression's source index, int32 (B,); `K` for the target."""
        return tf.gather(tf.constant(self._source_of_row), rows[DOMAIN_FEATURE])

    def logits(self, tower: Any, rows: Mapping[str, Any], training: bool) -> Any:
        """Returns a tower's logits (B,) for impressions of any domain.

        Args:
            tower: `mixed`, `pure`, or a tower of the same architecture.
            rows: Encoded features by column.
            training: Whether the tower is being trained.
        """
        source = self.source_of(rows)
        return self.inputs_of_sources.logits(tower, rows, source, training)

    def contrast(self, rows: Mapping[str, Any], weights: Any) -> Any:
        """Returns the enhancement's loss of some impressions, a scalar.

        Args:
            rows: Encoded features by column.
            weights: Weights of the impressions, (B,); 1 for the target's.
        """
        source = self.source_of(rows)
        embedding = self.mixed.embedding
        return self.inputs_of_sources.contrast(embedding, rows, source, weights)

    def row_weights(self, rows: Mapping[str, Any], source: Any) -> Any:
        """Returns the weights of source impressions, (B,): 0, or in [0.05, 1].

        Args:
            rows: Encoded features by column.
            source: Index of each impression's source, int32 (B,).
        """
        if self.cctl.estimator != "gain":
            return tf.fill(tf.shape(source), float(self.cctl.estimator == "uniform"))
        weights = self.gain_weights(rows, source)
        if self.cctl.prior == "agreement":
            weights *= self._agreement_weights(rows, source)
        return tf.where(weights < LEAST_WEIGHT, 0.0, tf.stop_gradient(weights))

    def statistics_weights(self, rows: Mapping[str, Any]) -> Any:
        """Returns the weights of impressions of any domain, (B,); the target's 1."""
        source = self.source_of(rows)
        of_source = self.row_weights(rows, tf.minimum(source, len(self.sources) - 1))
        return tf.where(source < len(self.sources), of_source, 1.0)

    def _agreement_weights(self, rows: Mapping[str, Any], source: Any) -> Any:
        """Returns the prior's weights, (B,); 1 without a reliable reference."""
        slopes = self.sums.slopes()
        slope, of_target = tf.gather(slopes, source), slopes[-1]
        if self.cctl.by_row:
            slope += self.flow_share * self.flow(rows).slope
        reliable = of_target > MIN_Z_SCORE * self.sums.errors()[-1]
        of_target = tf.where(reliable, of_target, 1.0)
        weights = weights_of(slope / of_target, self.cctl.price, self.cctl.temperature)
        return tf.where(reliable, weights, 1.0)

    @property
    def trained_part(self) -> Part:
        """The mixed tower's variables, and the tables of its inputs from sources."""
        mixed, beside = self.mixed, self.inputs_of_sources
        tables = [*mixed.embedding_variables, *beside.embedding_variables]
        return Part(tables, mixed.wide_variables, mixed.dense_variables)

    @property
    def trained_variables(self) -> list[Any]:
        """The variables of `trained_part`, for a step of its optimizer."""
        tables = self.inputs_of_sources.embedding_variables
        return [*self.mixed.trainable_variables, *tables]

    @property
    def helper_variables(self) -> list[Any]:
        """Dense variables trained with the mixed tower but not served."""
        return self.inputs_of_sources.dense_variables

    @property
    def embedding_variables(self) -> list[Any]:
        """The embedding tables of all towers, and of the inputs from sources."""
        parts = (self.mixed, self.pure, self.reference, self.inputs_of_sources)
        return [table for part in parts for table in part.embedding_variables]

    @property
    def wide_variables(self) -> list[Any]:
        """The wide weights of both towers."""
        return [*self.mixed.wide_variables, *self.pure.wide_variables]

    @property
    def mlps(self) -> list[NormalisedStack]:
        """The stacks with their own statistics."""
        return [self.mixed.mlp, self.pure.mlp, self.reference.mlp]

    @property
    def stages(self) -> list[list[NormalisedStack]]:
        """The mixed tower's stacks."""
        return self.mixed.stages

    def named_variables(self) -> dict[str, Any]:
        """Returns the mixed tower's variables, and others prefixed by their part.

        The pure tower is excluded: a training initialises it from the mixed one.
        """
        parts: dict[str, Any] = {
            "reference": self.reference,
            "flow": self.flow,
            "gain": self.gain_weights,
        }
        return {
            **self.mixed.named_variables(),
            **{
                f"{part}/{name}": variable
                for part, layer in parts.items()
                for name, variable in layer.named_variables().items()
            },
            **self.inputs_of_sources.named_variables(),
            "flow/sums": self.sums.sums,
            "flow/share": self.flow_share,
        }

    def set_base_rate(self, click_rate: float) -> None:
        """Initialises every tower's bias to the log-odds of the target's click rate."""
        for tower in (self.mixed, self.pure, self.reference):
            tower.set_base_rate(click_rate)

    def set_domain_rates(
        self, click_rates: Mapping[str, float], *, continues: bool = False
    ) -> None:
        """Initialises the sources' logit shifts by their click rates.

        Args:
            click_rates: Click rate of every domain with impressions, including the
                target.
            continues: Whether the shifts are already trained and must be kept.
        """
        if continues:
            return
        target = next(
            rate for name, rate in click_rates.items() if name not in self.sources
        )
        shifts = [
            log_odds(click_rates[name]) - log_odds(target)
            if name in click_rates
            else 0.0
            for name in self.sources
        ]
        self.inputs_of_sources.alignment.shift.assign(shifts)

    def serving_form(self) -> ServingForm:
        """Returns the mixed tower alone."""
        return self.mixed.serving_form()
