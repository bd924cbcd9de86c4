"""Configuration of one data set, typed and checked before anything runs."""

from __future__ import annotations

import datetime
from typing import Any
from typing import TypeVar

from pydantic import Field
from pydantic import SerializeAsAny
from pydantic import field_validator
from pydantic import model_validator

from components.evaluation_set.slice_rules import SliceRule
from components.example_validator.thresholds import ValidationThresholds
from components.gate.thresholds import GateThresholds
from components.log_example_gen.csv_dialect import CsvDialect
from components.log_example_gen.logic import DomainLog
from components.log_example_gen.logic import MissingDays
from components.log_example_gen.logic import Source
from components.log_example_gen.logic import TimeColumn
from components.log_example_gen.logic import parse_label_rule
from models.days import to_day
from models.features.feature import Feature
from models.features.id_space import IdSpace
from models.features.table import FeatureTable
from models.settings import NetworkConfig
from models.settings import TrainingConfig
from models.settings import table_factor_of
from models.strategies.base import Needs
from models.strategies.base import Strategy
from models.strategies.base import StrategyConfig
from models.strategies.registry import BASELINE_KIND
from models.strategies.registry import DEFAULT_KIND
from models.strategies.registry import create
from models.strict_model import StrictModel
from models.written_date import Date
from pipeline.config.checks import check_whole
from pipeline.config.entries import entry_config
from pipeline.config.entries import read_entries
from pipeline.config.local_paths import LocalPath
from pipeline.config.local_paths import PlacePath
from pipeline.config.local_paths import RootPath
from pipeline.config.names import Name
from pipeline.config.names import check_names
from pipeline.config.sections import MAX_DAYS
from pipeline.config.sections import ImportConfig
from pipeline.config.sections import IntervalConfig
from pipeline.config.sections import LevelsConfig
from pipeline.config.sections import ModelCardConfig
from pipeline.config.sections import ReferencesConfig
from pipeline.config.sections import ServingConfig
from pipeline.config.sections import WaitConfig
from pipeline.config.slices import read_slices
from pipeline.config.slices import usual_slices
from pipeline.datasets.simulation.settings import SimulationConfig
from pipeline.store.metadata import SQLITE


class Config(StrictModel):
    """One data set's pipeline.

    Attributes:
        name: Name of the pipeline and of the published model.
        root: Local folder for everything a run writes (artifacts, metadata, log files).
        metadata: Database of ML Metadata: `sqlite`, a file in `root`, or
            `mysql://user@host/database`, one database for each configuration. The
            password comes from the environment.
        logs: Dated logs, `<domain>/date=YYYY-MM-DD/*`; a folder, or an address in an
            object store: `s3://`, `gs://` or `hdfs://`.
        schema: TFMD schema of the raw features (text format).
        import: Raw data that `crossctr import` turns into dated logs; none by default,
            since most users have logs already.
        simulate: Simulated world whose logs `crossctr simulate` writes; none by
            default. See `SimulationConfig`.
        first_day: First day of logs that the pipeline reads; windows that reach further
            back start here, and so does the first block of days.
        target: The domain whose CTR model is served.
        sources: The domains that the target learns from.
        columns: Where each feature comes from: a column's name, or more detail, see
            `ColumnSource`; null for a feature that only the domains in
            `domain_columns` have.
        domain_columns: Overrides of `columns` by domain.
        timestamp: By domain, the column with the impression's time, and its format; an
            impression of another day than its folder is quarantined.
        label: Rule that makes the 0/1 label of an impression, such as `rating >= 4`.
        domain_labels: Overrides of `label` by domain.
        missing_days: By domain, what a day without a log means: `fail` (the default),
            since in a busy domain that is an outage; `wait` until the log arrives or
            `wait.minutes` are over; or `skip`. Logs that arrive after their day was
            ingested make it due again.
        csv: By domain, how values of CSV files are quoted and which texts stand for a
            missing value, see `CsvDialect`.
        wait: How long to wait for a log, and what marks it complete, see `WaitConfig`.
        max_bad_share: Share of impressions above which quarantine fails a block; one
            percent is far above healthy logs and far below a broken day.
        validation: Distances from the previous block and from the target above which a
            block fails, see `ValidationThresholds`.
        vocabularies: Id spaces by name, see `IdSpace`.
        separate_ids: By id space, `user` or `item`, the sources that by their nature
            share no ids with the target, such as another business with items of its
            own: an ingest then warns if they share some, and no longer if they share
            none. A change makes no step due.
        features: Inputs of the models, in their order, see `Feature`.
        anchor_day: A day on which every clock ticks; the epoch unless the data's own
            calendar suggests another.
        levels: Clocks and windows of the levels; E-CDCTR's by default.
        evaluation_days: Number of days, from the run's day on, on whose target
            impressions a model is evaluated; one by default, so that each impression
            evaluates a model first and is trained on the next day.
        network: Shape of the backbone, see `NetworkConfig`.
        training: Training settings of every level, see `TrainingConfig`.
        strategy: The strategy whose model is published.
        strategies: Strategies and variants to choose from and to compare.
        gate: Thresholds for publishing a candidate, see `GateThresholds`.
        slices: Slices of the evaluation impressions: by name a feature, or a
            `SliceRule`. Null for the usual ones, as far as the features exist:
            `user_history` by `user_impressions`, `item_age` by `item_age_days`, `hour`
            by `hour`.
        intervals: Confidence intervals of the metrics, see `IntervalConfig`.
        references: Simple models that strategies are compared with, see
            `ReferencesConfig`.
        serving: Where models are published, see `ServingConfig`.
        model_card: Purpose, owner and limits on the card of every published version,
            see `ModelCardConfig`. A change makes no step due: it is on the next card.
        beam_args: Flags for Beam pipelines, such as another runner; by default Beam
            runs in this process with one worker.
    """

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$", max_length=100)
    root: RootPath
    metadata: str = SQLITE
    logs: PlacePath
    schema_path: LocalPath = Field(alias="schema")
    imports: ImportConfig | None = Field(default=None, alias="import")
    simulate: SimulationConfig | None = None
    first_day: Date
    target: Name
    sources: tuple[Name, ...] = Field(min_length=1)
    columns: dict[str, Source | None]
    domain_columns: dict[str, dict[str, Source | None]] = Field(default_factory=dict)
    timestamp: dict[str, TimeColumn] = Field(default_factory=dict)
    label: str
    domain_labels: dict[str, str] = Field(default_factory=dict)
    missing_days: dict[str, MissingDays] = Field(default_factory=dict)
    csv: dict[str, CsvDialect] = Field(default_factory=dict)
    wait: WaitConfig = WaitConfig()
    max_bad_share: float = Field(default=0.01, ge=0, le=1)
    validation: ValidationThresholds = ValidationThresholds()
    vocabularies: dict[str, IdSpace]
    separate_ids: dict[str, tuple[Name, ...]] = Field(default_factory=dict)
    features: tuple[Feature, ...] = Field(min_length=1)
    anchor_day: Date = datetime.date(1970, 1, 1)
    levels: LevelsConfig = LevelsConfig()
    evaluation_days: int = Field(default=1, gt=0, le=MAX_DAYS)
    network: NetworkConfig = NetworkConfig()
    training: TrainingConfig = TrainingConfig()
    strategy: str = DEFAULT_KIND
    strategies: dict[str, SerializeAsAny[StrategyConfig]] = Field(
        default_factory=lambda: {
            name: entry_config(name, {}) for name in (DEFAULT_KIND, BASELINE_KIND)
        }
    )
    gate: GateThresholds = GateThresholds()
    slices: dict[str, SliceRule] | None = None
    intervals: IntervalConfig = IntervalConfig()
    references: ReferencesConfig = ReferencesConfig()
    serving: ServingConfig
    model_card: ModelCardConfig = ModelCardConfig()
    beam_args: tuple[str, ...] = ()

    @field_validator(
        "slices",
        mode="before",
        json_schema_input_type=dict[str, str | SliceRule] | None,
    )
    @classmethod
    def _read_slices(cls, slices: Any) -> Any:
        """Replaces slices given as a feature name by rules."""
        check_names("slices", slices)
        return read_slices(slices)

    @field_validator("strategies", mode="before")
    @classmethod
    def _read_strategies(cls, entries: Any) -> Any:
        """Reads each entry by the keys of its own kind."""
        check_names("strategies", entries)
        return read_entries(entries)

    @field_validator("vocabularies", mode="before")
    @classmethod
    def _check_vocabulary_names(cls, spaces: Any) -> Any:
        check_names("vocabularies", spaces)
        return spaces

    @field_validator("label")
    @classmethod
    def _check_label(cls, rule: str) -> str:
        parse_label_rule(rule)
        return rule

    @field_validator("domain_labels")
    @classmethod
    def _check_domain_labels(cls, rules: dict[str, str]) -> dict[str, str]:
        for rule in rules.values():
            parse_label_rule(rule)
        return rules

    @model_validator(mode="after")
    def _check_whole(self) -> Config:
        check_whole(self)
        return self

    @property
    def domains(self) -> tuple[str, ...]:
        """All domains, the target last."""
        return (*self.sources, self.target)

    @property
    def table(self) -> FeatureTable:
        """The feature table."""
        # Where all domains have all features, the target changes no fingerprint.
        named = any(feature.domains for feature in self.features)
        return FeatureTable(
            features=self.features,
            vocabularies=self.vocabularies,
            target=self.target if named else None,
        )

    @property
    def slice_rules(self) -> dict[str, SliceRule]:
        """Rules of the evaluation slices; the usual ones if none are configured."""
        return usual_slices(self.table) if self.slices is None else self.slices

    def judging(self) -> list[Any]:
        """Returns all settings of evaluation and Gate."""
        rules = {name: rule.model_dump() for name, rule in self.slice_rules.items()}
        return [self.gate.model_dump(), rules, self.intervals.model_dump()]

    @property
    def first(self) -> int:
        """`first_day` as days since 1970-01-01."""
        return to_day(self.first_day)

    @property
    def anchor(self) -> int:
        """`anchor_day` as days since 1970-01-01."""
        return to_day(self.anchor_day)

    def strategy_of(self, strategy: str) -> Strategy[Any]:
        """Returns the strategy of the entry `strategy`."""
        return create(self.kind_of(strategy), self.strategies[strategy])

    def kind_of(self, strategy: str) -> str:
        """Returns the kind of the strategy entry `strategy`."""
        return self.strategies[strategy].kind or strategy

    def needs(self, strategy: str) -> Needs:
        """Returns what the target level of the strategy entry `strategy` reads."""
        return self.strategy_of(strategy).needs(self.levels.tpm.snapshots)

    def domains_of(self, strategy: str) -> tuple[str, ...]:
        """Returns the domains that the target level of `strategy` trains on, in order.

        The target comes last.
        """
        return (
            self.domains if self.needs(strategy).source_impressions else (self.target,)
        )

    def network_of(self, strategy: str) -> NetworkConfig:
        """Returns the network's settings of the strategy entry `strategy`."""
        network = overridden(self.network, self.strategies[strategy].network)
        sizes = self.strategy_of(strategy).sizes(network)
        if self.needs(strategy).tpm_periods:
            return sizes
        # Without snapshots, these change no network and must change no fingerprint.
        unused = ("snapshot_pooling", "hide_newer_snapshots")
        return sizes.model_copy(
            update={name: getattr(network, name) for name in unused}
        )

    def entry_of(self, strategy: str) -> dict[str, Any]:
        """Returns the keys of the entry `strategy`, its `kind` among them."""
        entry = self.strategies[strategy].model_dump(mode="json")
        return {**entry, "kind": self.kind_of(strategy)}

    def target_settings(self, strategy: str) -> dict[str, Any]:
        """Returns the settings of the target trainer for the entry `strategy`."""
        return {
            "strategy": self.entry_of(strategy),
            "load_batch_norm": self.needs(strategy).batch_norm,
            "calibration_days": self.levels.target.calibration_days,
        }

    def masked_of(self, level: str) -> dict[str, Any]:
        """Returns the features that `level` masks while training, and how often.

        They are those that the target's log lacks, for levels that train on sources
        what the target reads.
        """
        share = getattr(getattr(self.levels, level), "field_dropout", 0.0)
        columns = self.domain_log(self.target).columns
        features = self.table.of_target().features
        lacking = [f.name for f in features if columns.get(f.name, "") is None]
        # A cross is missing where one of its features is.
        lacking += [f.name for f in features if {*f.of} & {*lacking}]
        if not share or not lacking:
            return {}
        return {"masked": lacking, "masked_share": share}

    def training_of(self, level: str, strategy: str = "") -> TrainingConfig:
        """Returns the training settings of `level`, a key of `levels`.

        Args:
            level: The level.
            strategy: The entry of `strategies` that it is trained for, whose own
                settings come first; none for a level that all share.
        """
        training = overridden(self.training, getattr(self.levels, level).training)
        own = self.strategies[strategy].training if strategy else None
        if own is not None:
            training = overridden(training, getattr(own, level))
        if training.table_factor is not None:
            return training
        pretrained = bool(strategy) and self.needs(strategy).cpm
        factor = table_factor_of(level, pretrained=pretrained)
        return training.model_copy(update={"table_factor": factor})

    @staticmethod
    def _has(domain: str, feature: Feature) -> bool:
        return not feature.domains or domain in feature.domains

    def domain_log(self, domain: str) -> DomainLog:
        """Returns how the impressions of `domain` are read from its log."""
        columns = {**self.columns, **self.domain_columns.get(domain, {})}
        lacking = [f.name for f in self.features if not self._has(domain, f)]
        columns |= dict.fromkeys(lacking)
        return DomainLog(
            domain=domain,
            folder=str(self.logs / domain),
            columns=columns,
            timestamp=self.timestamp.get(domain),
            label=self.domain_labels.get(domain, self.label),
            missing_days=self.missing_days.get(domain, "fail"),
            marker=self.wait.marker,
            csv=self.csv.get(domain, CsvDialect()),
        )


ModelT = TypeVar("ModelT", bound=StrictModel)


def overridden(general: ModelT, own: ModelT | None) -> ModelT:
    """Returns `general` with the keys that were given in `own`."""
    if own is None:
        return general
    given = {name: getattr(own, name) for name in own.model_fields_set}
    return general.model_copy(update=given)
