"""Transfer parts: snapshots, warm start, source impressions, source model.

Each part is an object of its own. A strategy is a combination of parts; `kind:
composed` takes the combination from the configuration.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING
from typing import Any
from typing import Literal

from models.errors import TrainingError
from models.features.feature import DOMAIN_FEATURE
from models.features.table import FeatureTable
from models.settings import CctlConfig
from models.settings import NetworkConfig
from models.strategies.base import ConfigT
from models.strategies.base import LearnerContext
from models.strategies.base import Needs
from models.strategies.base import NetworkContext
from models.strategies.base import ReportPart
from models.strategies.base import Strategy
from models.strategies.base import TrainingRecord

if TYPE_CHECKING:
    from models.networks.network import Network
    from models.training.learners import Learner
    from models.training.window import LevelWindow

Pooling = Literal["attention", "mean"]
AdapterKind = Literal["glu", "gate", "linear"]


@dataclass(frozen=True)
class Snapshots:
    """TPM's embedding snapshots, pooled and used beside the ordinary embeddings.

    Attributes:
        periods: Number of newest TPM periods to read; None for all in use.
        pooling: Pooling of the periods into one vector; None for the network's setting.
        hide_newer: Whether an impression is denied newer snapshots while training; None
            for the network's setting.

    References:
        Liu et al., E-CDCTR, arXiv 2408.16238.
    """

    periods: int | None = None
    pooling: Pooling | None = None
    hide_newer: bool | None = None

    def sizes(self, network: NetworkConfig) -> NetworkConfig:
        """Returns the network's settings with these."""
        own = {
            "snapshot_pooling": self.pooling,
            "hide_newer_snapshots": self.hide_newer,
        }
        given = {name: value for name, value in own.items() if value is not None}
        return network.model_copy(update=given)


@dataclass(frozen=True)
class CpmStart:
    """Warm start of the target model from CPM's weights.

    Attributes:
        batch_norm: Whether CPM's BatchNorm is copied too.
    """

    batch_norm: bool = False


@dataclass(frozen=True)
class SourceModel:
    """Frozen source model, read layer by layer through adapters.

    Attributes:
        adapter: Adapter between a layer of the source model and the target's.
        newest: Whether each day reads the newest source model; False keeps the first.

    References:
        Liu et al., CTNet, arXiv 2208.05728.
    """

    adapter: AdapterKind = "glu"
    newest: bool = True


@dataclass(frozen=True)
class SourceImpressions:
    """Source impressions mixed with the target's, all with equal weight."""

    @property
    def identity(self) -> dict[str, Any]:
        """The settings that change the result of a training."""
        return {"weights": "equal"}

    def check(self, features: FeatureTable, entry: str) -> None:
        """Accepts all features."""

    def build(self, context: NetworkContext, tower: Callable[[], Network]) -> Network:
        """Returns the plain tower."""
        return tower()

    def select(self, window: LevelWindow) -> LevelWindow:
        """Returns the window unchanged: impressions of all domains, mixed."""
        return window

    def make_learner(self, context: LearnerContext) -> Learner:
        """Returns a learner that gives all impressions equal weight."""
        return context.plain_learner()

    def start_record(self, sources: tuple[str, ...]) -> TrainingRecord | None:
        """Records nothing."""
        return None

    def report(self, record: dict[str, Any]) -> ReportPart:
        """Reports nothing."""
        return ReportPart()


@dataclass(frozen=True)
class WeightedSourceImpressions(SourceImpressions):
    """Source impressions beside the target's, each with its own weight.

    Attributes:
        cctl: Mixing and weighting.

    References:
        Zhang et al., CCTL, KDD'23, arXiv 2306.16425.
    """

    cctl: CctlConfig = field(default_factory=CctlConfig)

    @property
    def identity(self) -> dict[str, Any]:
        """The settings of mixing and weighting."""
        return {"weights": self.cctl.model_dump(mode="json")}

    def check(self, features: FeatureTable, entry: str) -> None:
        """Raises ValueError without a usable feature `domain`."""
        check_tells_domains_apart(features, f"{entry} weights each source separately")

    def build(self, context: NetworkContext, tower: Callable[[], Network]) -> Network:
        """Returns the companion network of two such towers."""
        from models.cctl.network import CompanionNetwork

        cctl = self.cctl
        if context.source_ratio is not None:
            cctl = cctl.model_copy(update={"source_ratio": context.source_ratio})
        return CompanionNetwork(
            context.features,
            context.network,
            cctl,
            context.domains[:-1],
            context.domain_rows(),
            make_tower=tower,
        )

    def select(self, window: LevelWindow) -> LevelWindow:
        """Returns the target's impressions, with source impressions beside them."""
        from models.cctl.window import beside_target

        return beside_target(window, self.cctl)

    def make_learner(self, context: LearnerContext) -> Learner:
        """Returns CCTL's learner."""
        from models.cctl.learner import CctlLearner
        from models.cctl.record import CctlRecord

        record = context.record
        return CctlLearner(
            context.network,
            context.sources(),
            context.training,
            optimizer=context.optimizer,
            record=record if isinstance(record, CctlRecord) else None,
        )

    def start_record(self, sources: tuple[str, ...]) -> TrainingRecord | None:
        """Returns an empty record of weights, gains and distances."""
        from models.cctl.record import CctlRecord

        return CctlRecord(sources)

    def report(self, record: dict[str, Any]) -> ReportPart:
        """Returns the weights by source and the gains by step."""
        from models.cctl.report import report_part

        return report_part(record)


@dataclass(frozen=True)
class Parts:
    """Transfer parts of a strategy; None for absent ones."""

    snapshots: Snapshots | None = None
    cpm: CpmStart | None = None
    source_impressions: SourceImpressions | None = None
    source_model: SourceModel | None = None


class PartsStrategy(Strategy[ConfigT]):
    """Strategy that adds transfer parts to the backbone."""

    def parts(self) -> Parts:
        """Returns the parts; none by default: training on the target alone."""
        return Parts()

    def needs(self, tpm_periods: int) -> Needs:
        """Returns the inputs of the parts."""
        parts = self.parts()
        snapshots = parts.snapshots or Snapshots(periods=0)
        periods = tpm_periods if snapshots.periods is None else snapshots.periods
        return Needs(
            source_impressions=parts.source_impressions is not None,
            tpm_periods=periods,
            cpm=parts.cpm is not None,
            batch_norm=parts.cpm is not None and parts.cpm.batch_norm,
            source_model=parts.source_model is not None,
            newest_source=parts.source_model is None or parts.source_model.newest,
        )

    def check(self, features: FeatureTable, network: NetworkConfig) -> None:
        """Raises ValueError if source impressions cannot be weighed."""
        impressions = self.parts().source_impressions
        if impressions is not None:
            impressions.check(features, self.name)

    def identity(self, *, source_model: bool) -> dict[str, Any]:
        """Returns the parts; entries with equal parts share their trainings."""
        parts = self.parts()
        impressions, source = parts.source_impressions, parts.source_model
        return {
            "source_impressions": None if impressions is None else impressions.identity,
            "adapter": source.adapter if source is not None and source_model else None,
        }

    @property
    def takes_workers(self) -> bool:
        """Whether several workers can train together; not if they weigh rows."""
        impressions = self.parts().source_impressions
        return not isinstance(impressions, WeightedSourceImpressions)

    def check_workers(self, count: int) -> None:
        """Raises TrainingError if source impressions are weighed by several workers."""
        if count > 1 and not self.takes_workers:
            raise TrainingError(
                f"{self.name} trains in one process, and TF_CONFIG names {count} "
                "workers: its stream of source impressions, the sums that weights "
                "follow from and the syncs of its towers are not divided among "
                "workers; see docs/how-to/scale.md. Take TF_CONFIG away, or choose a "
                "strategy such as 'joint'"
            )

    def sizes(self, network: NetworkConfig) -> NetworkConfig:
        """Returns the network's settings with those of the snapshots."""
        snapshots = self.parts().snapshots
        return network if snapshots is None else snapshots.sizes(network)

    def build(self, context: NetworkContext) -> Network:
        """Returns the backbone with the parts added."""
        impressions = self.parts().source_impressions or SourceImpressions()
        # Source impressions that are weighed enter the slots of the target's features.
        weighed = isinstance(impressions, WeightedSourceImpressions)
        features = context.features.of_target() if weighed else context.features
        own = dataclasses.replace(context, features=features)
        return impressions.build(context, lambda: self._tower(own))

    def _tower(self, context: NetworkContext) -> Network:
        from models.ctnet.network import Ctnet
        from models.ctnet.settings import CtnetConfig
        from models.networks.backbone import Backbone

        source = self.parts().source_model
        if source is None or context.load_source is None:
            return Backbone(context.features, context.network, context.snapshots())
        network = Ctnet(
            context.features,
            context.network,
            CtnetConfig(adapter=source.adapter),
            context.snapshots(),
        )
        context.load_source(network.source_variables())
        return network

    def select(self, window: LevelWindow) -> LevelWindow:
        """Returns the window as the part for source impressions reads it."""
        impressions = self.parts().source_impressions
        return window if impressions is None else impressions.select(window)

    def make_learner(self, context: LearnerContext) -> Learner:
        """Returns the source impressions' learner, plain without them."""
        impressions = self.parts().source_impressions or SourceImpressions()
        return impressions.make_learner(context)

    def start_record(self, sources: tuple[str, ...]) -> TrainingRecord | None:
        """Returns the source impressions' record."""
        impressions = self.parts().source_impressions
        return None if impressions is None else impressions.start_record(sources)

    def report(self, record: Any) -> ReportPart:
        """Returns the source impressions' part of the page."""
        impressions = self.parts().source_impressions
        return ReportPart() if impressions is None else impressions.report(record)


def check_tells_domains_apart(features: FeatureTable, why: str) -> None:
    """Raises ValueError unless a feature tells the domains apart.

    Args:
        features: All features.
        why: Beginning of the message: the reason for the requirement.
    """
    if not features.tells_domains_apart:
        raise ValueError(
            f"{why} and needs the feature {DOMAIN_FEATURE!r} to choose it; add "
            f"`{{name: {DOMAIN_FEATURE}, kind: id, vocabulary: {DOMAIN_FEATURE}}}` to "
            "features, with an append-only vocabulary of min_count 1 that no other "
            "feature uses"
        )
