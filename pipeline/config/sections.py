"""Sections of the configuration, typed and checked one by one."""

from __future__ import annotations

from typing import Annotated
from typing import Any
from typing import Literal

from pydantic import AfterValidator
from pydantic import Field
from pydantic import field_serializer
from pydantic import model_validator

from models.references.settings import ReferenceSettings
from models.settings import MAX_SEED
from models.settings import TrainingConfig
from models.strict_model import StrictModel
from models.written_date import Date
from pipeline.config.local_paths import LocalPath
from pipeline.planning.calendar import Clock

# A thousand years: anything longer is a typing error.
MAX_DAYS = 365_000


class NegativeSampling(StrictModel):
    """Sampling of negatives from the items that other users bought on the same day.

    Attributes:
        per_positive: Negatives sampled for each positive.
        seed: Seed of the draws.
    """

    per_positive: int = Field(gt=0, le=10_000)
    seed: int = Field(default=0, ge=0, le=MAX_SEED)


class ColdUsers(StrictModel):
    """Users who are new in the target when a model is evaluated.

    A share of the users, chosen by a hash of their ids, loses its target rows before
    `start`, before anything is built from them. From `start` on, the target's log has
    their rows alone. Those count in no aggregate and in no list of recent items, so
    that the users stay new in the target on all evaluation days.

    Attributes:
        start: First evaluation day.
        share: Share of the users.
        seed: Seed of the hash.
    """

    start: Date
    share: float = Field(default=0.3, gt=0, lt=1)
    seed: int = Field(default=0, ge=0, le=MAX_SEED)


class ImportConfig(StrictModel):
    """Raw data, and the days of it that become dated logs.

    Attributes:
        data: Folder of `<domain>.parquet`.
        click_at_least: Lowest rating that counts as a click in the aggregates; 4 unless
            `negatives` is set.
        negatives: Sampling of negatives, for files without ratings in which every row
            is a positive. The logs then have a column `click`.
        freeze: Period at whose first day aggregates and recent items stand for all its
            rows, so that no feature moves within an evaluation of one `month` or
            `quarter`; null for those of the day before the impression.
        cold_users: Users without target rows before the evaluation, see `ColdUsers`.
        permute_source_users: Seed of a placebo: in each source the user ids are
            permuted among its users, so that a user's source rows are another user's.
            What a strategy gains all the same does not come from shared users.
        last_day: Last day written to the logs. The first is the pipeline's `first_day`;
            earlier rows of the files still count in the point-in-time aggregates.
    """

    data: LocalPath
    click_at_least: int | None = None
    negatives: NegativeSampling | None = None
    freeze: Literal["month", "quarter"] | None = None
    cold_users: ColdUsers | None = None
    permute_source_users: int | None = Field(default=None, ge=0, le=MAX_SEED)
    last_day: Date

    @model_validator(mode="before")
    @classmethod
    def _rated_by_default(cls, data: Any) -> Any:
        if not isinstance(data, dict) or data.get("negatives") is not None:
            return data
        if data.get("click_at_least") is not None:
            return data
        return {**data, "click_at_least": 4}

    @model_validator(mode="after")
    def _check_one_way(self) -> ImportConfig:
        if self.negatives is not None and self.click_at_least is not None:
            raise ValueError(
                f"import.click_at_least ({self.click_at_least}) is for files with "
                "ratings, import.negatives for files in which every row is a positive; "
                "remove one of them"
            )
        return self


class LevelConfig(StrictModel):
    """Training of one level.

    Attributes:
        window_days: Days of impressions that one training reads, ending the day before.
        training: Training settings of this level that override the general ones.
    """

    window_days: int = Field(gt=0, le=MAX_DAYS)
    training: TrainingConfig | None = None

    @field_serializer("training")
    def _as_given(self, training: TrainingConfig | None) -> dict[str, Any] | None:
        # A default written out would override the general setting.
        return None if training is None else training.model_dump(exclude_unset=True)


class PretrainingConfig(LevelConfig):
    """A level with a clock of its own.

    Attributes:
        every_days: Days between two trainings.
    """

    every_days: int = Field(gt=0, le=MAX_DAYS)

    def clock(self, anchor: int) -> Clock:
        """Returns the level's clock, ticking on day `anchor`."""
        return Clock(every=self.every_days, window=self.window_days, anchor=anchor)


class TpmConfig(PretrainingConfig):
    """Tiny pretraining model; E-CDCTR: monthly, on half a year of source impressions.

    Attributes:
        trains_on: Days that a period after the first trains on, starting from the
            weights of the period before: `newest`, the days since that period's, so
            that snapshots are of different months; or `window`, its whole window again.
            The first period trains on its whole window.
        snapshots: Newest periods whose embeddings stay in use; E-CDCTR: M = 3.
    """

    every_days: int = Field(default=30, gt=0, le=MAX_DAYS)
    window_days: int = Field(default=180, gt=0, le=MAX_DAYS)
    trains_on: Literal["newest", "window"] = "newest"
    snapshots: int = Field(default=3, ge=0, le=1_000)


class CpmConfig(PretrainingConfig):
    """Complete pretraining model; E-CDCTR: weekly, a month of source impressions.

    Attributes:
        continues: Whether it continues from CPM of the tick before, on the days since,
            instead of training anew on its whole window.
        field_dropout: Share of impressions on which the features that the target's log
            lacks are missing while training, as for the source model.
    """

    every_days: int = Field(default=7, gt=0, le=MAX_DAYS)
    window_days: int = Field(default=30, gt=0, le=MAX_DAYS)
    continues: bool = False
    field_dropout: float = Field(default=0.5, ge=0, lt=1)


class SourceConfig(PretrainingConfig):
    """Source model: CPM's network with a daily clock.

    The first one trains on its window; from then on it continues from its own newest
    model on the days since.

    Attributes:
        field_dropout: Share of impressions on which the features that the target's log
            lacks are missing while training, all of them together, as on each of the
            target's impressions: the embedding of a missing one is then trained. A log
            lacks a feature whose column is null.
    """

    every_days: int = Field(default=1, gt=0, le=MAX_DAYS)
    window_days: int = Field(default=30, gt=0, le=MAX_DAYS)
    field_dropout: float = Field(default=0.5, ge=0, lt=1)


class TargetConfig(PretrainingConfig):
    """Target model; E-CDCTR: daily, on dozens of days of target impressions.

    On a tick of CPM's clock it restarts from the new CPM and replays its window; on its
    own ticks in between it continues its newest model on the days since. A run on a day
    between its ticks evaluates the newest model and trains nothing.

    Attributes:
        calibration_days: Newest days of the window on which the scores are calibrated:
            the SavedModel then corrects its logits by a scale and a shift, which keeps
            the order of the scores. These days are scored with the model of the days
            before, and trained on afterwards. 0, no calibrator, by default.
    """

    calibration_days: int = Field(default=0, ge=0, le=MAX_DAYS)

    every_days: int = Field(default=1, gt=0, le=MAX_DAYS)
    window_days: int = Field(default=45, gt=0, le=MAX_DAYS)


class LevelsConfig(StrictModel):
    """The levels, each with a clock of its own.

    Attributes:
        tpm: Tiny pretraining on the sources' user and item ids.
        cpm: Complete pretraining on the sources' impressions.
        source: The source model, for strategies that read one.
        target: The target model.
    """

    tpm: TpmConfig = TpmConfig()
    cpm: CpmConfig = CpmConfig()
    source: SourceConfig = SourceConfig()
    target: TargetConfig = TargetConfig()


def _check_marker(name: str) -> str:
    if "/" in name or name in ("", ".", ".."):
        raise ValueError("expected the name of a file in a day's folder, no path")
    return name


class WaitConfig(StrictModel):
    """Wait for the logs of domains with `missing_days: wait`.

    Attributes:
        minutes: Longest wait, from the start of the command; then the command ends with
            exit code 75, which tells schedulers to try again later. Six hours by
            default, so that a daily run ends within its day.
        poll_seconds: Time between two checks.
        marker: File in a day's folder that marks the day complete, such as `_SUCCESS`.
            Without one, a day counts as complete as soon as it has a log file, which
            is only safe where whole files are renamed into place.
    """

    minutes: float = Field(default=360, ge=0, le=MAX_DAYS * 24 * 60)
    poll_seconds: float = Field(default=60, ge=0.01, le=24 * 60 * 60)
    marker: Annotated[str, AfterValidator(_check_marker)] | None = None


class IntervalConfig(StrictModel):
    """Confidence intervals of the metrics: a bootstrap over users.

    Attributes:
        draws: Bootstrap draws; 0 for no intervals. 200 put five draws outside each end
            and cost some seconds on 10^5 impressions.
        level: Share of the draws inside an interval.
    """

    draws: int = Field(default=200, ge=0, le=100_000)
    level: float = Field(default=0.95, gt=0, lt=1)


class ReferencesConfig(StrictModel):
    """References beside the strategies: models that a user would try first.

    Attributes:
        rows: Impressions that they are fitted on, at most, in memory; a larger window
            is sampled, with an even share of each domain. 0 leaves references out.
        settings: Settings of each, scikit-learn's by default, see `ReferenceSettings`.
    """

    rows: int = Field(default=200_000, ge=0)
    settings: ReferenceSettings = ReferenceSettings()


def _check_server_path(path: str) -> str:
    absolute = path.startswith("/") or "://" in path
    if not absolute or not path.isprintable():
        raise ValueError("expected an absolute path, or a URI, in one line")
    return path


class ModelCardConfig(StrictModel):
    """What only people know of a model, for the card of every published version.

    Attributes:
        purpose: What the model is for, in a sentence or two. By default the card says
            which clicks it predicts.
        owner: Person or team that answers for it, with an address.
        limits: Limits that no metric shows, one sentence each, such as a slot that the
            model must not be used for.
    """

    purpose: str = Field(default="", max_length=2_000)
    owner: str = Field(default="", max_length=200)
    limits: tuple[str, ...] = ()


class ServingConfig(StrictModel):
    """Publishing of models, to `<directory>/<name>/<version>/`.

    Attributes:
        directory: The folder with a folder for each model, and `models.config`.
        keep: Number of versions that are kept; older ones are removed on publishing,
            except those that `models.config` names.
        rollout: Label of a new version: `stable`, or `canary` until `crossctr promote`.
        server_path: Path of `directory` on the TF Serving host, for `models.config`.
    """

    directory: LocalPath
    keep: int = Field(default=10, ge=2, le=1_000_000)
    rollout: Literal["stable", "canary"] = "stable"
    server_path: Annotated[str, AfterValidator(_check_server_path)] = "/models"
