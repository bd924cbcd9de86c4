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
    `pure` on the target's alone; it is reset to `mixed` every k steps. `reference` is a
    smaller network on the features with few values that is trained on the target alone;
    `flow` learns where sources agree with it.

    A call runs the mixed tower, as does serving. Reference and flow network are our
    choice: the paper derives weights from the companion's gain, these come from
    `agreement`.

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
        # Features of single ids are excluded: ids of the sources are unknown to the
        # target.
        known = features.of_target()
        shared = known.few_valued(MAX_VALUES)
        self.reference = Backbone(
            shared if len(shared.features) > 1 else known,
            network.model_copy(update=_REFERENCE),
        )
        self.embedding, self.numbers = self.mixed.embedding, self.mixed.numbers
        # The pure tower sees only the target's impressions, too few for BatchNorm
        # statistics, so it uses the mixed tower's; without syncs it has none but its
        # own.
        self.pure.mlp.keep_statistics = cctl.sync_steps > 0
        self.flow = FlowNetwork(features, name="flow")
        self.inputs_of_sources = SourceInputs(
            features, self.mixed, cctl, self.sources, name="source_inputs"
        )
        # One entry per source, the last for the target's held-out impressions.
        self.sums = DomainSums(len(self.sources) + 1)
        # Shrinkage of the group differences from `flow`, see `shrinkage_factor`.
        self.flow_share = tf.Variable(0.0, trainable=False, name="flow_share")
        self.trust = tf.Variable(0.0, trainable=False, name="trust")
        self.keep_logits = tf.Variable(tf.ones([len(self.sources)]), trainable=False)
        # Running mean and mean square of the windows' gains, number of gains and steps.
        self.past = tf.Variable(tf.zeros([4], tf.float64), trainable=False)
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

    def row_weights(self, slope: Any, difference: Any, target_slope: Any) -> Any:
        """Returns the weights of source impressions, (B,), each in (0, 1).

        Args:
            slope: Slope of each impression's domain, (B,).
            difference: Slope difference of each impression's group, from `flow`, (B,).
            target_slope: Slope of the target's own impressions.
        """
        if self.cctl.by_row:
            slope += self.flow_share * difference
        return weights_of(
            slope / target_slope, self.cctl.price, self.cctl.temperature, self.trust
        )

    def equal_weights(self, count: Any) -> Any:
        """Returns equal weights, (count,), for use without a reliable reference."""
        weight = tf.sigmoid(self.trust + 1 / self.cctl.temperature)
        return tf.fill([count], weight)

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
        """The stacks with their own statistics; `pure` uses the mixed tower's."""
        return [self.mixed.mlp, self.reference.mlp]

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
            "flow/trust": self.trust,
            "flow/keep_logits": self.keep_logits,
            "flow/past": self.past,
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
