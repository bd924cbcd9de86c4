"""What a level's training is given, and what it reports."""

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
    """What one training reads and where it writes.

    Attributes:
        level: The level; decides the network and the warm start's rule.
        domains: Domains whose rows are trained on; of level `target` the last is the
            target.
        first_day: First day of the window, days since 1970-01-01.
        last_day: Last day of the window, included.
        features: All features; TPM takes those with `tpm: true`.
        network: Sizes of the network.
        strategy: Entry of `strategies` with its `kind`, which builds the network of
            level `target` and takes its steps. Other levels train the backbone.
        training: How it is trained.
        load_batch_norm: Whether a warm start takes over BatchNorm from another level.
            False, as in E-CDCTR: the target's activations are distributed differently.
            A level that starts from its own model always takes it over (our choice).
        continues: Whether the level goes on from its own model of an earlier day, on
            the days since, instead of replaying its window. BatchNorm then normalises
            by the statistics it has, as a quiet day's rows are too few for new ones,
            and days without rows leave the model as it is (our choice).
        begins: Whether source model and target model are only put together: no
            impressions are read, the window says where both end.
        calibration_days: Newest days of the window whose rows calibrate the model; 0
            for no calibrator. After the days before them, the model goes on day by day
            as a level that continues does: it scores a day, then is trained on it (our
            choice). So no row is missing from it, and none is scored by a model that
            knew its label.
        examples: Glob patterns of transformed Parquet shards.
        raw_examples: Glob patterns of the target's raw rows, by which the exported
            model is compared with the trained one; empty for no comparison.
        transform_graph: TransformGraph artifact, for serving.
        vocabulary: Vocabulary artifact that the Examples were transformed with.
        warm_start: Model artifact to start from, or None.
        source_model: Model artifact of level `source` to read, or None.
        snapshots: EmbeddingSnapshot artifacts, newest first; TPM reads none.
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
    begins: bool = False
    calibration_days: int = Field(default=0, ge=0)
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
        """Returns the strategy whose network is trained: plain but for the target."""
        entry = self.strategy if self.level == "target" else {"kind": BASELINE_KIND}
        return create(entry["kind"], entry)

    @property
    def first_trained_day(self) -> int:
        """First day that is trained on; past the last one if nothing is."""
        return self.last_day + 1 if self.begins else self.first_day

    @property
    def last_trained_day(self) -> int:
        """Last day that is trained on at once; each later one is scored before."""
        if self.continues and self.calibration_days:
            return self.first_day - 1
        return self.last_day - self.calibration_days

    @property
    def first_calibration_day(self) -> int:
        """First day whose scores calibrate the model."""
        return self.last_day - self.calibration_days + 1


class Skew(StrictModel):
    """How far training and serving are apart on the same rows.

    Attributes:
        day: Day of the rows, days since 1970-01-01; None if there were none.
        rows: Rows compared.
        largest: Largest difference between two click probabilities of one row.
    """

    day: int | None = None
    rows: int = 0
    largest: float = 0.0


class LevelReport(StrictModel):
    """What a training came to; `report.json` holds the same.

    Attributes:
        level: The level.
        domains: Domains trained on.
        first_day: First day of the window.
        last_day: Last day of the window.
        rows: Impressions of the window, each read once per epoch unless `source_rows`
            says otherwise.
        rows_by_domain: Of these by domain; empty if several domains are read and no
            feature `domain` tells them apart.
        clicks: Those with label 1.
        target_click_rate: Click rate of the target's impressions in the window, or of
            the model that it continues if there are none; None for levels that train
            for no target, without such impressions, and in reports of versions that
            did not measure.
        steps: Optimizer steps.
        seconds: Time in the training loop, reading included.
        losses: Mean log loss of each epoch, while training.
        held_out: Log loss of the newest day, held out to choose the number of epochs,
            after each epoch of that search; empty without early stopping.
        parameters: Trainable numbers in `embedding` tables and in the `dense` rest.
        warm_start: What was copied, by variable; None without a warm start.
        snapshot_days: Period days of the snapshots, newest first.
        calibration: Scale and shift of the logits and the rows they were fitted on;
            None without a calibrator.
        skew: Rows compared in training and serving, and the largest difference of two
            click probabilities; None if none were.
        strategy: Entry of `strategies` with its `kind`, of level `target`.
        record: What the strategy's learners recorded, see `TrainingRecord`; None if
            they record nothing.
        source_rows: Source impressions read in all, where the strategy chooses how
            many; None where the window says it.
        memory_before_mib: Resident memory of the process before, libraries and what
            earlier levels still hold; None in reports of versions that did not measure.
        peak_memory_mib: The largest while it trained; None as above.
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
