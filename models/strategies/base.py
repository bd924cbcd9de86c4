"""Base of the strategies, and what a strategy tells the rest of the pipeline."""

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

from models.features.table import FeatureTable
from models.settings import NetworkConfig
from models.settings import TrainingConfig
from models.strict_model import StrictModel

if TYPE_CHECKING:
    from models.data.batches import ExampleReader
    from models.data.snapshots import SnapshotTables
    from models.networks.network import Network
    from models.training.distribution import Workers
    from models.training.learners import Learner
    from models.training.window import LevelWindow


class StrategyConfig(StrictModel):
    """Keys of an entry of `strategies` that every strategy has.

    Attributes:
        kind: The strategy: one of `crossctr strategies`, or `package.module:Class` for
            one of your own; defaults to the entry's own name.
    """

    kind: str = ""


@dataclass(frozen=True)
class Needs:
    """Inputs that a strategy's target level asks of the planner and the graphs.

    Attributes:
        source_impressions: Whether the target level trains on the sources' impressions
            too, over the same days.
        tpm_periods: Newest TPM periods whose snapshots it reads; 0 for none.
        cpm: Whether it starts from CPM.
        batch_norm: Whether a start from CPM takes over its BatchNorm.
        source_model: Whether it reads a source model beside its own. It then starts
            from the same day's model of the strategy without the source model, and
            continues from its own model day after day.
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
        """Whether its first day's model differs from the one it starts from."""
        return not self.source_model


class TrainingRecord(Protocol):
    """What the learners of one training note for its report.

    Attributes:
        source_rows: Source impressions read so far.
    """

    source_rows: int

    def to_json(self, features: FeatureTable, vocabulary: Path) -> dict[str, Any]:
        """Returns the record for `report.json`.

        Args:
            features: All features.
            vocabulary: Vocabulary artifact that the impressions were encoded with.
        """


@dataclass(frozen=True)
class NetworkContext:
    """What a strategy's network is built from.

    Attributes:
        features: All features.
        network: Sizes of the backbone, with the strategy's own changes.
        domains: Domains whose impressions are trained on, the target last.
        domain_rows: Returns the row of each domain in the table of the feature
            `domain`; a domain without impressions so far has none.
        snapshots: Returns the TPM snapshots by id space, aligned with the vocabulary;
            empty if none are read.
        load_source: Fills the variables of the source model, by name; None if no
            source model is read, as on the first day.
        source_ratio: Source impressions per target impression that the window has, if
            fewer than the strategy asks for.
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
    """What a strategy's learner is made from.

    Attributes:
        network: The network that `Strategy.build` returned.
        training: Batch size, rates and seed.
        workers: Processes that train together.
        optimizer: The network's optimizer; None for a new one, in the search for the
            number of epochs, whose result is thrown away.
        sources: Returns the source impressions of the window.
        record: What `Strategy.start_record` returned; a learner adds to it.
    """

    network: Network
    training: TrainingConfig
    workers: Workers
    optimizer: Any
    sources: Callable[[], ExampleReader]
    record: TrainingRecord | None


@dataclass(frozen=True)
class ReportTable:
    """A table of the page.

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
    """A line chart of the page.

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
    """What a strategy adds to the page of a run.

    Attributes:
        title: Heading; the part is left out if it is empty.
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
    """How the target level uses the source domains.

    A subclass states its `name` and `Config`, and overrides what differs from training
    the backbone on the target's impressions alone.

    Args:
        config: The entry of `strategies`.

    Attributes:
        name: Value of `kind` that chooses the strategy.
        Config: Keys of its entries.
        model_name: What the target model is called in plans; the entry's name if empty.
    """

    name: ClassVar[str]
    Config: ClassVar[type[StrategyConfig]] = StrategyConfig
    model_name: ClassVar[str] = ""

    def __init__(self, config: ConfigT) -> None:
        self.config = config

    def needs(self, tpm_periods: int) -> Needs:
        """Returns what the target level reads.

        Args:
            tpm_periods: TPM periods that stay in use, `levels.tpm.snapshots`.
        """
        return Needs()

    def check(self, features: FeatureTable, network: NetworkConfig) -> None:
        """Raises ValueError if the features or the network's sizes do not fit."""

    def check_workers(self, count: int) -> None:
        """Raises TrainingError if `count` processes cannot train it together."""

    def sizes(self, network: NetworkConfig) -> NetworkConfig:
        """Returns the sizes of the network, with the strategy's own changes."""
        return network

    def identity(self, *, source_model: bool) -> dict[str, Any]:
        """Returns what makes a training of this strategy another one.

        Fingerprints hash it. Left out is what the planner hashes itself: domains,
        snapshots, the model to start from, sizes and days.

        Args:
            source_model: Whether the training reads a source model; the one that a
                strategy with a source model is initialised from does not.
        """
        return {**self.config.model_dump(mode="json"), "kind": self.name}

    def ablations(self, tpm_periods: int) -> dict[str, dict[str, Any]]:
        """Returns changes of the entry that leave out one part each, by name."""
        return {}

    def build(self, context: NetworkContext) -> Network:
        """Returns the target network, untrained."""
        from models.networks.backbone import Backbone

        return Backbone(context.features, context.network, context.snapshots())

    def select(self, window: LevelWindow) -> LevelWindow:
        """Returns the window's impressions as the training reads them."""
        return window

    def make_learner(self, context: LearnerContext) -> Learner:
        """Returns what takes the optimizer steps."""
        from models.training.learners import PlainLearner

        return PlainLearner(
            context.network, context.training, context.workers, context.optimizer
        )

    def start_record(self, sources: tuple[str, ...]) -> TrainingRecord | None:
        """Returns an empty record of a training; None if nothing is recorded.

        Args:
            sources: The source domains.
        """
        return None

    def report(self, record: Mapping[str, Any]) -> ReportPart:
        """Returns the strategy's part of the page.

        Args:
            record: What `TrainingRecord.to_json` returned.
        """
        return ReportPart()
