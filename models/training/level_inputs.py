"""Inputs and report of a level's training."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from typing import Literal

from pydantic import Field
from pydantic import model_validator

from models.days import DayRange
from models.features.table import FeatureTable
from models.settings import NetworkConfig
from models.settings import TrainingConfig
from models.strategies.base import Strategy
from models.strategies.registry import BASELINE_KIND
from models.strategies.registry import create
from models.strict_model import StrictModel

# A model artifact's folder beside TFX's Format-Serving, and what lies in it.


class LevelInputs(StrictModel):
    """Inputs and output folders of one training.

    Attributes:
        level: The level, which determines the network and the rule of the warm start.
        domains: Domains that are trained on; for level `target` the last one is the
            target.
        first_day: First day of the window, days since 1970-01-01.
        last_day: Last day of the window, included.
        features: All features; TPM reads those with `tpm: true`.
        network: Sizes of the network.
        strategy: Entry of `strategies` with its `kind`, which provides network and
            learner of level `target`. Other levels train the backbone.
        training: Training settings.
        load_batch_norm: Whether a warm start copies BatchNorm from another level. False
            by default, as in E-CDCTR: the target's activations are distributed
            differently. A level that starts from its own model always copies it (our
            choice).
        continues: Whether the level continues its own model of an earlier day, on the
            days since, instead of training on a whole window. BatchNorm then keeps its
            statistics, as a day may have too few impressions for new ones, and days
            without impressions leave the model unchanged (our choice).
        initialize_only: Whether source and target model are only assembled, without
            training: the window is the one that both were trained up to.
        calibration_days: Number of newest days of the window that calibrate the model;
            0 for no calibrator. After the days before them, training proceeds day by
            day like a level that continues: each day is scored first, then trained on
            (our choice). The model thus sees all impressions, and none is scored by a
            model trained on its label.
        masked: Features that are missing on some impressions while training, all on the
            same ones: those that the target's log lacks, so that the embedding of a
            missing one is trained before the target reads it (our choice).
        masked_share: Share of these impressions.
        examples: Glob patterns of transformed Parquet shards.
        raw_examples: Glob patterns of the target's raw Examples for the train/serve
            check; empty for no check.
        transform_graph: Folder of the TransformGraph artifact, for serving.
        vocabulary: Folder of the Vocabulary artifact that the Examples were transformed
            with.
        warm_start: Folder of the Model artifact to start from, or None.
        source_model: Folder of the Model artifact of level `source` to read, or None.
        snapshots: Folders of EmbeddingSnapshot artifacts, newest first; TPM reads none.
        serving_dir: Folder for the SavedModel.
        train_dir: Folder for checkpoint, counts and report.
        run_dir: Folder for TensorBoard.
    """

    level: Literal["tpm", "cpm", "source", "target"]
    domains: tuple[str, ...] = Field(min_length=1)
    first_day: int
    last_day: int
    features: FeatureTable
    network: NetworkConfig = NetworkConfig()
    strategy: dict[str, Any] = Field(default_factory=lambda: {"kind": BASELINE_KIND})
    training: TrainingConfig = TrainingConfig()
    load_batch_norm: bool = False
    continues: bool = False
    initialize_only: bool = False
    calibration_days: int = Field(default=0, ge=0)
    masked: tuple[str, ...] = ()
    masked_share: float = Field(default=0.0, ge=0, lt=1)
    examples: tuple[str, ...] = Field(min_length=1)
    raw_examples: tuple[str, ...] = ()
    transform_graph: Path
    vocabulary: Path
    warm_start: Path | None = None
    source_model: Path | None = None
    snapshots: tuple[Path, ...] = ()
    serving_dir: Path
    train_dir: Path
    run_dir: Path

    @model_validator(mode="after")
    def _check(self) -> LevelInputs:
        if self.last_day < self.first_day:
            raise ValueError(
                f"the window ends on day {self.last_day}, before it starts on "
                f"{self.first_day}"
            )
        if self.continues and self.warm_start is None:
            raise ValueError("a level that continues needs a model to start from")
        if self.source_model is not None and not self.continues:
            raise ValueError(
                f"a model that reads the source model {self.source_model} continues a "
                f"target model, too. Received warm_start {self.warm_start}, continues "
                f"{self.continues}"
            )
        if not self.continues and self.last_trained_day < self.first_day:
            raise ValueError(
                f"calibration_days {self.calibration_days} leave no day of the window "
                f"{DayRange(self.first_day, self.last_day)} to train on; choose fewer, "
                "or a longer window"
            )
        return self

    def built_strategy(self) -> Strategy[Any]:
        """Returns the strategy of level `target`, the baseline for other levels."""
        entry = self.strategy if self.level == "target" else {"kind": BASELINE_KIND}
        return create(entry["kind"], entry)

    @property
    def read_features(self) -> FeatureTable:
        """Features that the level's network reads."""
        if self.level == "tpm":
            return self.features.tpm_only().of_domains(self.domains)
        features = self.features.of_domains(self._network_domains)
        hides = self.snapshots and self.network.hide_newer_snapshots
        return features.with_days() if hides else features

    @property
    def _network_domains(self) -> tuple[str, ...]:
        """Domains whose features the network reads: those that it is trained on.

        CPM, the source model and target models that read one of them have the same
        layers, so that these read the target's features alone.
        """
        if self.features.target is None:
            return self.domains
        needs = self.built_strategy().needs(len(self.snapshots))
        if self.level != "target" or needs.cpm or needs.source_model:
            return (self.features.target,)
        return self.domains

    @property
    def first_trained_day(self) -> int:
        """First day that is trained on; after the last day if there is no training."""
        return self.last_day + 1 if self.initialize_only else self.first_day

    @property
    def last_trained_day(self) -> int:
        """Last day of the joint training; later ones are scored, then trained on."""
        if self.continues and self.calibration_days:
            return self.first_day - 1
        return self.last_day - self.calibration_days

    @property
    def first_calibration_day(self) -> int:
        """First day whose scores calibrate the model."""
        return self.last_day - self.calibration_days + 1


class Skew(StrictModel):
    """Difference between training and serving on the same impressions.

    Attributes:
        day: Day of the impressions, days since 1970-01-01; None without impressions.
        rows: Number of impressions compared.
        largest: Largest difference between the two click probabilities of an
            impression.
    """

    day: int | None = None
    rows: int = 0
    largest: float = 0.0


class LevelReport(StrictModel):
    """Report of a training, stored as `report.json`.

    Attributes:
        level: The level.
        domains: Domains trained on.
        first_day: First day of the window.
        last_day: Last day of the window.
        rows: Number of impressions of the window, each read once per epoch unless
            `source_rows` is set.
        rows_by_domain: The same by domain; empty if several domains are read and there
            is no feature `domain`.
        clicks: Impressions with label 1.
        target_click_rate: Click rate of the target's impressions in the window, or that
            of the continued model's window if there are none; None for levels without a
            target, without such impressions, and in reports of earlier versions.
        steps: Optimizer steps.
        batch_size: Impressions per step, the target's alone for CCTL, see
            `batch_sizes`; None in reports of earlier versions.
        seconds: Time in the training loop, reading included.
        losses: Mean log loss of each epoch, while training.
        held_out: Log loss of the held-out newest day after each epoch of the search for
            the number of epochs; empty without early stopping.
        parameters: Numbers of trainable parameters, `embedding` and `dense`.
        warm_start: Table rows copied, by variable; None without a warm start.
        snapshot_days: Period days of the snapshots, newest first.
        calibration: Scale and shift of the logits and the number of impressions they
            were fitted on; None without a calibrator.
        skew: Result of the train/serve check; None without one.
        strategy: Entry of `strategies` with its `kind`; for level `target` only.
        record: Record of the strategy's learners, see `TrainingRecord`; None without
            one.
        source_rows: Number of source impressions read, if the strategy determines it;
            None if the window does.
        memory_before_mib: Resident memory of the process before the training, including
            libraries and earlier levels; None in reports of earlier versions.
        peak_memory_mib: Peak resident memory during the training; None as above.
    """

    level: str
    domains: tuple[str, ...]
    first_day: int
    last_day: int
    rows: int
    rows_by_domain: dict[str, int]
    clicks: int
    target_click_rate: float | None = None
    steps: int
    batch_size: int | None = None
    seconds: float
    losses: tuple[float, ...]
    held_out: tuple[float, ...] = ()
    parameters: dict[str, int]
    warm_start: dict[str, dict[str, int]] | None
    snapshot_days: tuple[int, ...]
    calibration: dict[str, float] | None = None
    skew: Skew | None = None
    strategy: dict[str, Any] | None = None
    record: dict[str, Any] | None = None
    source_rows: int | None = None
    memory_before_mib: float | None = None
    peak_memory_mib: float | None = None
