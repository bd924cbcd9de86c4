"""Base class of the strategies, and what it declares to the rest of the pipeline."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import ClassVar
from typing import Generic
from typing import Protocol
from typing import TypeVar

from pydantic import field_serializer

from models.features.table import FeatureTable
from models.settings import NetworkConfig
from models.settings import TrainingConfig
from models.strategies.level_trainings import LevelTrainings
from models.strategies.level_trainings import as_given
from models.strict_model import StrictModel

if TYPE_CHECKING:
    from models.data.batches import ExampleReader
    from models.data.snapshots import SnapshotTables
    from models.networks.network import Network
    from models.training.distribution import Workers
    from models.training.learners import Learner
    from models.training.window import LevelWindow


class StrategyConfig(StrictModel):
    """Keys that every entry of `strategies` has.

    Attributes:
        kind: The strategy: one listed by `crossctr strategies`, or
            `package.module:Class` for your own; defaults to the entry's name.
        network: Keys of `network` with other values for this entry: its target model,
            CPM and source model. TPM keeps those of the configuration.
        training: By level, keys of `training` with other values for this entry, see
            `LevelTrainings`.
    """

    kind: str = ""
    network: NetworkConfig | None = None
    training: LevelTrainings | None = None

    @field_serializer("network")
    def _as_given(self, network: NetworkConfig | None) -> dict[str, Any] | None:
        return as_given(network)


@dataclass(frozen=True)
class Needs:
    """Inputs of a strategy's target level, for the planner and the graphs.

    Attributes:
        source_impressions: Whether the target level also trains on the sources'
            impressions of the same days.
        tpm_periods: Number of newest TPM periods whose snapshots are read.
        cpm: Whether the target model starts from CPM.
        batch_norm: Whether a start from CPM also copies its BatchNorm.
        source_model: Whether a source model is read. The target model is then
            initialised from the same day's model of the strategy without the source
            model, and continues from its own model every day.
        newest_source: Whether each day reads the newest source model; False keeps the
            first one.
    """

    source_impressions: bool = False
    tpm_periods: int = 0
    cpm: bool = False
    batch_norm: bool = False
    source_model: bool = False
    newest_source: bool = True

    @property
    def learns_on_first_day(self) -> bool:
        """Whether the first day's model differs from the one it starts from."""
        return not self.source_model


class TrainingRecord(Protocol):
    """Record that the learners of one training keep for its report.

    Attributes:
        source_rows: Source impressions read so far.
    """

    source_rows: int

    def to_json(self, features: FeatureTable, vocabulary: Path) -> dict[str, Any]:
        """Returns the record for `report.json`.

        Args:
            features: All features.
            vocabulary: Folder of the Vocabulary artifact that the impressions were
                encoded with.
        """


@dataclass(frozen=True)
class NetworkContext:
    """Inputs for building a strategy's network.

    Attributes:
        features: All features.
        network: Sizes of the backbone, with the strategy's own changes.
        domains: Domains that are trained on, the target last.
        domain_rows: Returns the table row of each domain of the feature `domain`,
            without domains that have no impressions so far.
        snapshots: Returns the TPM snapshots by id space, aligned with the vocabulary;
            empty if none are read.
        load_source: Fills the variables of the source model, by name; None if no
            source model is read, as on the first day.
        source_ratio: Source impressions per target impression in the window, if fewer
            than the strategy asks for.
    """

    features: FeatureTable
    network: NetworkConfig
    domains: tuple[str, ...]
    domain_rows: Callable[[], Mapping[str, int]]
    snapshots: Callable[[], Mapping[str, SnapshotTables]]
    load_source: Callable[[Mapping[str, Any]], None] | None = None
    source_ratio: float | None = None


@dataclass(frozen=True)
class LearnerContext:
    """Inputs for building a strategy's learner.

    Attributes:
        network: The network that `Strategy.build` returned.
        training: Batch size, rates and seed.
        workers: Processes that train together.
        optimizer: The network's optimizer; None for a new one, used by the search for
            the number of epochs, whose weights are discarded.
        sources: Returns the source impressions of the window.
        record: The record from `Strategy.start_record`, which the learner fills.
    """

    network: Network
    training: TrainingConfig
    workers: Workers
    optimizer: Any
    sources: Callable[[], ExampleReader]
    record: TrainingRecord | None

    def plain_learner(self) -> Learner:
        """Returns a learner that gives all impressions equal weight."""
        from models.training.learners import PlainLearner

        return PlainLearner(self.network, self.training, self.workers, self.optimizer)


@dataclass(frozen=True)
class ReportTable:
    """Table of the page.

    Attributes:
        columns: Headings; values of number columns are numbers or None.
        rows: Values, one tuple per line.
        note: A sentence below the table.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    note: str = ""


@dataclass(frozen=True)
class ReportChart:
    """Line chart of the page.

    Attributes:
        title: Heading.
        lines: By name, points of step and value; a value of None leaves a gap.
        from_zero: Whether the vertical axis starts at zero.
    """

    title: str
    lines: Mapping[str, tuple[tuple[float, float | None], ...]]
    from_zero: bool = True


@dataclass(frozen=True)
class ReportPart:
    """A strategy's part of a run's page.

    Attributes:
        title: Heading; without one the part is left out.
        sentences: Shown as a list.
        tables: Shown first.
        charts: Shown after the tables.
        notes: Small print at the end.
    """

    title: str = ""
    sentences: tuple[str, ...] = ()
    tables: tuple[ReportTable, ...] = ()
    charts: tuple[ReportChart, ...] = ()
    notes: tuple[str, ...] = ()


ConfigT = TypeVar("ConfigT", bound=StrategyConfig)


class Strategy(Generic[ConfigT]):
    """Use of the source domains by the target level.

    A subclass sets `name` and `Config` and overrides the methods that differ from
    training the backbone on the target's impressions alone.

    Args:
        config: The entry of `strategies`.

    Attributes:
        name: Value of `kind` that chooses the strategy.
        Config: Configuration model of its entries.
        model_name: Name of the target model in plans; the entry's name if empty.
    """

    name: ClassVar[str]
    Config: ClassVar[type[StrategyConfig]] = StrategyConfig
    model_name: ClassVar[str] = ""

    def __init__(self, config: ConfigT) -> None:
        self.config = config

    def needs(self, tpm_periods: int) -> Needs:
        """Returns the inputs of the target level.

        Args:
            tpm_periods: Number of TPM periods in use, `levels.tpm.snapshots`.
        """
        return Needs()

    def check(self, features: FeatureTable, network: NetworkConfig) -> None:
        """Raises ValueError if features or network sizes are unsuitable."""

    @property
    def takes_workers(self) -> bool:
        """Whether several workers can train together."""
        return True

    def check_workers(self, count: int) -> None:
        """Raises TrainingError if `count` workers cannot train together."""

    def sizes(self, network: NetworkConfig) -> NetworkConfig:
        """Returns the network sizes with the strategy's own changes."""
        return network

    def identity(self, *, source_model: bool) -> dict[str, Any]:
        """Returns the settings that change the result of a training.

        They are part of fingerprints. The planner itself adds domains, snapshots, the
        model to start from, sizes, training settings and days.

        Args:
            source_model: Whether the training reads a source model; False for the
                training that initialises a strategy with one.
        """
        own = self.config.model_dump(mode="json", exclude={"network", "training"})
        return {**own, "kind": self.name}

    def ablations(self, tpm_periods: int) -> dict[str, dict[str, Any]]:
        """Returns the ablations: by name, entry keys that leave out one part."""
        return {}

    def controls(self) -> dict[str, dict[str, Any]]:
        """Returns the controls: by name, entry keys that switch one mechanism off.

        Comparisons add them by themselves, unlike ablations.
        """
        return {}

    def build(self, context: NetworkContext) -> Network:
        """Returns the target network, untrained."""
        from models.networks.backbone import Backbone

        return Backbone(context.features, context.network, context.snapshots())

    def select(self, window: LevelWindow) -> LevelWindow:
        """Returns the window's impressions as the training reads them."""
        return window

    def make_learner(self, context: LearnerContext) -> Learner:
        """Returns the learner, which runs the optimizer steps."""
        return context.plain_learner()

    def start_record(self, sources: tuple[str, ...]) -> TrainingRecord | None:
        """Returns an empty record of a training; None if nothing is recorded.

        Args:
            sources: The source domains.
        """
        return None

    def report(self, record: Mapping[str, Any]) -> ReportPart:
        """Returns the strategy's part of the page.

        Args:
            record: Result of `TrainingRecord.to_json`.
        """
        return ReportPart()
