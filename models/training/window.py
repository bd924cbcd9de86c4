"""Window of a level: its impressions, counted and checked before training."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.artifact_files import model_report
from models.artifact_files import split_folder
from models.data.batches import ExampleReader
from models.data.batches import WindowSummary
from models.data.domains import DomainCounts
from models.data.domains import check_rows_known
from models.data.domains import count_by_domain
from models.data.mixing import MixedRows
from models.days import DayRange
from models.errors import DataError
from models.features.table import FeatureTable
from models.progress import PROGRESS
from models.settings import TrainingConfig
from models.training.batch_sizes import fitted
from models.training.level_inputs import LevelInputs


@dataclass(frozen=True)
class LevelWindow:
    """Impressions that a level is trained on.

    Attributes:
        inputs: The level's inputs.
        features: Features that its network reads.
        whole: Reader of the window, including calibration days.
        reader: Reader of the joint training's days, without calibration days.
        summary: Counts of `whole`, for all domains.
        before: Counts of `reader`.
        counts: Impressions and clicks by domain in the whole window.
        known: The same for the days of `reader`.
        training: Training settings, with the strategy's own changes.
        normalised: Impressions for BatchNorm's statistics.
        source_ratio: Source impressions per target impression, if the strategy mixes
            them at a ratio; None otherwise.
    """

    inputs: LevelInputs
    features: FeatureTable
    whole: ExampleReader
    reader: ExampleReader
    summary: WindowSummary
    before: WindowSummary
    counts: DomainCounts
    known: DomainCounts
    training: TrainingConfig
    normalised: ExampleReader | MixedRows
    source_ratio: float | None = None

    @property
    def newest_rows(self) -> dict[int, int]:
        """Number of impressions of each calibration day."""
        last = self.inputs.last_trained_day
        rows = self.summary.rows_by_day
        if self.source_ratio is not None:
            newest = self.whole.between(last + 1, self.inputs.last_day)
            rows = newest.summarise().rows_by_day
        return {day: count for day, count in sorted(rows.items()) if day > last}

    def target_click_rate(self) -> float | None:
        """Returns the click rate of the target's impressions in the window.

        If there are none, as on the first day beside a source model, a level that
        continues keeps the rate of the model it starts from. None for levels without a
        target.
        """
        inputs = self.inputs
        if inputs.level != "target":
            return None
        target = inputs.domains[-1]
        if target in self.counts.rows:
            count, clicks = self.counts.rows[target], self.counts.clicks[target]
        else:  # no feature `domain`: only the files tell the domains apart
            summary = self.targets().summarise()
            count, clicks = summary.num_rows, summary.num_clicks
        if count:
            return clicks / count
        rate: float | None = _former_report(inputs).get("target_click_rate")
        return rate

    def targets(self, day: int | None = None) -> ExampleReader:
        """Returns a reader of the target's impressions, of one day or of the window."""
        inputs = self.inputs
        patterns = inputs.examples
        if len(inputs.domains) > 1:
            patterns = tuple(p for p in patterns if _is_target(inputs, p))
        days = (inputs.first_day, inputs.last_day) if day is None else (day, day)
        return ExampleReader(patterns, self.features, *days)

    def sources(self) -> ExampleReader:
        """Returns a reader of the source impressions of the window."""
        inputs = self.inputs
        patterns = tuple(p for p in inputs.examples if not _is_target(inputs, p))
        return ExampleReader(patterns, self.features, inputs.first_day, inputs.last_day)

    def target_alone(self) -> LevelWindow:
        """Returns the window restricted to the target's impressions.

        Raises:
            DataError: There are none, and the level does not continue a model.
        """
        whole = self.targets()
        inputs = self.inputs
        reader = whole.between(inputs.first_trained_day, inputs.last_trained_day)
        before = reader.summarise()
        if before.num_rows == 0 and not inputs.continues:
            raise DataError(no_rows(inputs, inputs.domains[-1]))
        return dataclasses.replace(self, whole=whole, reader=reader, before=before)


def read_window(inputs: LevelInputs) -> LevelWindow:
    """Counts the impressions of a level's window.

    Raises:
        DataError: The window has no impressions, or none of a required domain.
    """
    features = inputs.read_features
    last = inputs.last_trained_day
    first = inputs.first_trained_day
    whole = ExampleReader(
        inputs.examples,
        features,
        first,
        inputs.last_day,
        inputs.masked,
        inputs.masked_share,
    )
    reader = whole.between(first, last)
    summary = whole.summarise()
    before = reader.summarise() if last < inputs.last_day else summary
    if before.num_rows == 0 and not inputs.continues:
        raise DataError(no_rows(inputs, *inputs.domains))
    counts = count_by_domain(summary, features, inputs.vocabulary, inputs.domains)
    known = count_by_domain(before, features, inputs.vocabulary, inputs.domains)
    target = inputs.domains[-1]
    if (
        inputs.level == "target"
        and not inputs.continues
        and not counts.rows.get(target, 1)
    ):
        raise DataError(no_rows(inputs, target))
    return LevelWindow(
        inputs=inputs,
        features=features,
        whole=whole,
        reader=reader,
        summary=summary,
        before=before,
        counts=counts,
        known=known,
        training=inputs.training,
        normalised=reader,
    )


def fitted_window(window: LevelWindow) -> LevelWindow:
    """Returns the window with the batch size that its impressions ask for.

    See `models.training.batch_sizes`.
    """
    former = _former_report(window.inputs).get("batch_size")
    training = fitted(window.training, window.before.num_rows, former)
    if training.batch_size < window.training.batch_size:
        why = f"min_steps_per_pass is {training.min_steps_per_pass}"
        if former:
            why = "the model that is continued had these"
        PROGRESS.info(
            f"{window.inputs.level} · batches of {training.batch_size}, not "
            f"{window.training.batch_size}: {why}"
        )
    return dataclasses.replace(window, training=training)


def check_domains_known(window: LevelWindow, *, sources: bool) -> None:
    """Raises DataError if an impression is of no domain in the domain table.

    Args:
        window: The window.
        sources: Whether source impressions are required.
    """
    check_rows_known(window.counts, window.summary)
    rows, inputs = window.counts.rows, window.inputs
    fresh = inputs.level == "target" and not inputs.continues
    if sources and fresh and sum(rows.values()) == rows[inputs.domains[-1]]:
        raise DataError(no_rows(inputs, *inputs.domains[:-1]))


def no_rows(inputs: LevelInputs, *domains: str) -> str:
    """Returns the message for a window without impressions of `domains`."""
    days = DayRange(inputs.first_day, inputs.last_day)
    return (
        f"level {inputs.level!r} has no impressions of {', '.join(domains)} in its "
        f"window {days}; expected at least one. Ingest these days, lengthen "
        f"levels.{inputs.level}.window_days, or choose a later --day"
    )


def _former_report(inputs: LevelInputs) -> dict[str, Any]:
    """Returns the report of the model that is continued; empty without one."""
    if not inputs.continues:
        return {}
    former = model_report(Path(str(inputs.warm_start)))
    report: dict[str, Any] = json.loads(former.read_text(encoding="utf-8"))
    return report


def _is_target(inputs: LevelInputs, pattern: str) -> bool:
    return split_folder(inputs.domains[-1]) in Path(pattern).parts
