"""The networks of CCTL, of which the mixed tower alone is served."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from models.cctl.agreement import DomainSums
from models.cctl.alignment import Alignment
from models.cctl.enhancement import Enhancement
from models.cctl.flow import MAX_VALUES
from models.cctl.flow import FlowNetwork
from models.cctl.flow import weights_of
from models.features.feature import DOMAIN_FEATURE
from models.features.id import SNAPSHOT_SPACES
from models.features.table import FeatureTable
from models.layers.mlp import NormalisedStack
from models.networks.backbone import Backbone
from models.networks.network import Network
from models.networks.network import ServingForm
from models.networks.network import log_odds
from models.settings import CctlConfig
from models.settings import NetworkConfig

# The target model that weights are measured by has few rows to learn from.
_REFERENCE = {"width": 4, "hidden_units": (16,), "cross_layers": 1}


class Part(NamedTuple):
    """What one optimizer trains."""

    embedding_variables: list[Any]
    dense_variables: list[Any]


class CompanionNetwork(Network):
    """Two towers of one architecture, and what weighs the sources' rows.

    `mixed` learns from the target's rows and weighted source rows, `pure` from the
    target's alone and starts again from `mixed` every k steps. `reference` is a smaller
    network of the features with few values that never sees a source row; `flow` learns
    where sources agree with it.

    Called, and served, it is the mixed tower. Reference and flow network are ours: the
    paper's weights come from the companion's gain, these from `agreement`.

    Args:
        features: All features.
        network: Sizes of a tower.
        cctl: The strategy's settings.
        sources: The source domains.
        rows: Row of each domain in the table of the feature `domain`; a domain without
            rows so far has none.
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
        make_tower = make_tower or (lambda: Backbone(features, network))
        self.mixed, self.pure = make_tower(), make_tower()
        # What is known of single ids, the sources' have no part in.
        shared = features.few_valued(MAX_VALUES)
        self.reference = Backbone(
            shared if len(shared.features) > 1 else features,
            network.model_copy(update=_REFERENCE),
        )
        self.embedding = self.mixed.embedding
        # It sees the target's rows alone, too few of them for statistics; without syncs
        # it has no others.
        self.pure.mlp.keep_statistics = cctl.sync_steps > 0
        self.flow = FlowNetwork(features, name="flow")
        widths = {f.name: f.width or network.width for f in features.features}
        self.alignment = Alignment(self.sources, widths, maps=cctl.alignment)
        self.enhancement = Enhancement(name="enhancement")
        # Of every source, and last of the target's rows that `reference` has not seen.
        self.sums = DomainSums(len(self.sources) + 1)
        # How much of what `flow` says of groups held for rows it had not learned.
        self.flow_share = tf.Variable(0.0, trainable=False, name="flow_share")
        self.trust = tf.Variable(0.0, trainable=False, name="trust")
        self.keep_logits = tf.Variable(tf.ones([len(self.sources)]), trainable=False)
        # Running mean and mean square of the windows' gains, their number, and steps.
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
        """Runs the parts once, so that all variables are there."""
        super().create_variables()
        rows = {
            name: tf.ones([1], tf.int64)
            for name in (feature.name for feature in self.features.features)
        }
        self.flow(rows)
        vectors = self.contrasted(self.mixed.embedding.tables, rows)
        self.enhancement(vectors, tf.zeros([1], tf.int32))

    def call(self, rows: Mapping[str, Any], training: bool = False) -> Any:
        """Returns the mixed tower's logits, (B,), aligned for rows of sources."""
        return self.aligned_logits(rows, training)[0]

    def source_of(self, rows: Mapping[str, Any]) -> Any:
        """Returns each row's source, int32 (B,); `K` of `K` sources for the target."""
        return tf.gather(tf.constant(self._source_of_row), rows[DOMAIN_FEATURE])

    def aligned_logits(
        self, rows: Mapping[str, Any], training: bool
    ) -> tuple[Any, dict[str, Any]]:
        """Returns the mixed tower's logits of rows of any domain.

        All rows of a batch are normalised together: the target's own would be too few
        for a mean and a variance of their own (our choice).

        Args:
            rows: By feature the rows, (B,) or (B, L).
            training: Whether the tower is being trained.

        Returns:
            The logits (B,), and the aligned vectors by feature.
        """
        source = self.source_of(rows)
        aligned = self.alignment(self.mixed.embedding(rows), source)
        logits = self.mixed.logits_of_fields(aligned, rows, training)
        shifts = tf.concat([self.alignment.shift, [0.0]], axis=0)
        return logits + tf.gather(shifts, source), aligned

    def contrasted(self, vectors: Mapping[str, Any], rows: Mapping[str, Any]) -> Any:
        """Returns user and item vectors side by side, (B, width).

        Args:
            vectors: By feature the vectors, or by table the tables.
            rows: By feature the rows.
        """
        chosen = []
        for space in SNAPSHOT_SPACES:
            name = self._first_of(space)
            if name in vectors:
                chosen.append(vectors[name])
            else:
                table = vectors[self.features[name].table]
                chosen.append(tf.gather(table, rows[name]))
        return tf.concat(chosen, axis=1)

    def _first_of(self, space: str) -> str:
        """Returns the first `id` feature of a space, or of any if there is none."""
        ids = [f for f in self.features.features if f.is_single_id]
        own = [f for f in ids if f.table == space]
        return (own or ids)[0].name

    def row_weights(self, slope: Any, difference: Any, yardstick: Any) -> Any:
        """Returns the weights of source rows, (B,), each between 0 and 1.

        Args:
            slope: Of the rows' domains, (B,).
            difference: What `flow` says of the rows' groups, (B,).
            yardstick: The slope of the target's own rows.
        """
        if self.cctl.by_row:
            slope += self.flow_share * difference
        return weights_of(
            slope / yardstick, self.cctl.price, self.cctl.temperature, self.trust
        )

    def equal_weights(self, count: Any) -> Any:
        """Returns the weights, (count,), of rows that nothing is known of."""
        weight = tf.sigmoid(self.trust + 1 / self.cctl.temperature)
        return tf.fill([count], weight)

    @property
    def trained_part(self) -> Part:
        """The mixed tower's variables."""
        return Part(self.mixed.embedding_variables, self.mixed.dense_variables)

    @property
    def helper_variables(self) -> list[Any]:
        """What is trained with the mixed tower and not served."""
        helpers = list(self.alignment.trainable_variables)
        if self.cctl.enhancement:
            helpers += self.enhancement.trainable_variables
        return helpers

    @property
    def embedding_variables(self) -> list[Any]:
        """The tables of all towers."""
        towers = (self.mixed, self.pure, self.reference)
        return [table for tower in towers for table in tower.embedding_variables]

    @property
    def mlps(self) -> list[NormalisedStack]:
        """The stacks with statistics of their own; `pure` has the mixed tower's."""
        return [self.mixed.mlp, self.reference.mlp]

    @property
    def stages(self) -> list[list[NormalisedStack]]:
        """The mixed tower's stacks."""
        return self.mixed.stages

    def named_variables(self) -> dict[str, Any]:
        """Returns the mixed tower's variables by their own names, others' with a part.

        The pure tower is not among them: a training starts it from the mixed one.
        """
        parts: dict[str, Any] = {
            "reference": self.reference,
            "flow": self.flow,
            "alignment": self.alignment,
        }
        return {
            **self.mixed.named_variables(),
            **{
                f"{part}/{name}": variable
                for part, layer in parts.items()
                for name, variable in layer.named_variables().items()
            },
            "enhancement/projection": self.enhancement.projection.kernel,
            "flow/sums": self.sums.sums,
            "flow/share": self.flow_share,
            "flow/trust": self.trust,
            "flow/keep_logits": self.keep_logits,
            "flow/past": self.past,
        }

    def set_base_rate(self, click_rate: float) -> None:
        """Starts every tower's bias at the log-odds of the target's click rate."""
        for tower in (self.mixed, self.pure, self.reference):
            tower.set_base_rate(click_rate)

    def set_domain_rates(
        self, click_rates: Mapping[str, float], *, continues: bool = False
    ) -> None:
        """Starts the sources' shifts where their click rates are.

        Args:
            click_rates: Of every domain with rows, the target among them.
            continues: Whether the shifts are learned already, and stay.
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
        self.alignment.shift.assign(shifts)

    def serving_form(self) -> ServingForm:
        """Returns the mixed tower and nothing else."""
        return self.mixed.serving_form()
