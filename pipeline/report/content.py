"""Content of a run's report, gathered from its record and the stored artifacts.

Every part may be missing: a stopped run has no model, and artifacts of older versions
lack later fields. The report names what is missing instead of failing.
"""

from __future__ import annotations

import dataclasses
import datetime
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from components.evaluation.replicates import MeasuredModel
from components.references.stored import StoredReferences
from models.artifact_files import CARD_TEXT_FILE
from models.days import DayRange
from models.days import to_date
from models.errors import DataError
from pipeline.comparing.standing import standing
from pipeline.config.schema import Config
from pipeline.execution.job import plan_run
from pipeline.execution.run_index import RunIndex
from pipeline.execution.run_index import oldest_first
from pipeline.execution.run_records import RunRecord
from pipeline.execution.run_records import StepRun
from pipeline.execution.run_records import seconds_by_step
from pipeline.execution.run_records import used
from pipeline.planning.step_kinds import StepKind
from pipeline.planning.steps import Step
from pipeline.report.calibration import deciles
from pipeline.report.files import run_folder
from pipeline.report.ids import Ids
from pipeline.report.ids import gather_ids
from pipeline.report.judged import Judged
from pipeline.report.judged import Metrics
from pipeline.report.judged import gather_judged
from pipeline.report.judged import metrics_of
from pipeline.report.paired import Difference
from pipeline.report.paired import differences
from pipeline.report.quality import Quality
from pipeline.report.quality import gather_quality
from pipeline.report.scoring import score_step
from pipeline.report.step_lines import StepLine
from pipeline.report.step_lines import step_lines
from pipeline.report.training import Training
from pipeline.report.training import gather_training
from pipeline.store.reader import Store
from pipeline.store.references import references_of
from pipeline.store.results import label_constants


@dataclass(frozen=True)
class Report:
    """Report of one run.

    Attributes:
        name: The configuration's name.
        day: The run's day.
        sources: The source domains.
        target: The target domain.
        started: Start of the run, UTC.
        written: Time at which the report was written, UTC.
        error: Reason why the run stopped; empty if it did not.
        steps: The steps, in running order.
        quality: Data quality and drift.
        ids: Unknown ids and vocabularies.
        trainings: Trained models, in running order.
        judged: Evaluated models, the published strategy first.
        references: Simple models on the same impressions; None without any.
        level: Share of the bootstrap draws inside an interval.
        card: Path of the published version's model card, relative to the page; empty
            without one.
    """

    name: str
    day: str
    sources: tuple[str, ...]
    target: str
    started: datetime.datetime
    written: datetime.datetime
    error: str
    steps: tuple[StepLine, ...]
    quality: Quality | None
    ids: Ids | None
    trainings: tuple[Training, ...]
    judged: tuple[Judged, ...]
    references: StoredReferences | None = None
    level: float = 0.95
    card: str = ""

    @property
    def main(self) -> Judged | None:
        """The evaluated model at the top of the page."""
        return self.judged[0] if self.judged else None

    @property
    def constants(self) -> list[tuple[str, Metrics]]:
        """The constants in the table of evaluated models, each with its label."""
        return label_constants([(one.strategy, one.constant) for one in self.judged])

    @property
    def reference_lines(self) -> list[tuple[str, Metrics, str]]:
        """The references beside them: name, metrics and a remark."""
        found = self.references.models if self.references else {}
        return [
            (name, self._with_intervals(one.measured), one.remark)
            for name, one in found.items()
        ]

    @property
    def differences(self) -> list[Difference]:
        """Differences between its models, with paired intervals."""
        return differences(self.judged, self.references, self.level)

    @property
    def standing(self) -> list[str]:
        """Which strategies are ahead of the references."""
        aucs = {one.strategy: one.candidate.get("auc").value for one in self.judged}
        return standing(aucs, self.references)

    def _with_intervals(self, model: MeasuredModel) -> Metrics:
        found = {name: model.interval(name, self.level) for name in model.replicates}
        intervals = {name: one.to_json() for name, one in found.items() if one}
        return metrics_of({"candidate": model.metrics, "intervals": intervals})

    @property
    def seconds(self) -> float:
        """Seconds of all steps that ran in this run."""
        return sum(s.seconds or 0.0 for s in self.steps if s.state != "reused")

    @property
    def longest(self) -> float:
        """Seconds of the longest step; 0 if none is recorded."""
        return max((step.seconds or 0.0 for step in self.steps), default=0.0)


def record_of(
    config: Config, day: int, steps: Sequence[Step], error: str = ""
) -> RunRecord:
    """Returns the record of a run whose steps are known.

    That is the newest record on disk. A run in which every step was reused has written
    none; its record is made from the steps.

    Args:
        config: The configuration.
        day: The run's day.
        steps: Its plan.
        error: Reason why it stopped; empty if it did not.
    """
    steps = used(steps)
    prints = [step.fingerprint for step in steps]
    days = DayRange(day, day)
    for _, record in RunIndex(config.root).records(days=days):
        if [run.step.fingerprint for run in record.steps] == prints:
            return dataclasses.replace(record, error=record.error or error)
    runs = tuple(StepRun(step, "reused" if step.done else "due") for step in steps)
    return RunRecord(day, _now(), runs, error)


def newest_record(config: Config, day: int) -> RunRecord:
    """Returns the record of the newest run of a day.

    A run of a version without records is found through its plan, if none of the plan's
    inputs has changed since.

    Raises:
        DataError: The day has no run.
    """
    for _, record in RunIndex(config.root).records(days=DayRange(day, day)):
        return record
    planned = plan_run(config, lambda planner: planner.run(day, [config.strategy]))
    if not all(step.done for step in planned.steps):
        raise DataError(
            f"no run of {to_date(day)} is recorded under {str(config.root)!r}; run "
            f"`crossctr run CONFIG --day {to_date(day)}` first"
        )
    return record_of(config, day, planned.steps)


def gather(
    config: Config, record: RunRecord, *, max_scored_rows: int | None = None
) -> Report:
    """Returns the content of a run's report.

    Args:
        config: The configuration.
        record: The run.
        max_scored_rows: Largest number of evaluation impressions that are scored for
            the calibration plot if scores are not stored yet; None is no limit.
    """
    store = Store(config.root, config.metadata)
    steps = [run.step for run in record.steps]
    prints = {step.fingerprint for step in steps}
    earlier = seconds_by_step(oldest_first(RunIndex(config.root).records(steps=prints)))
    blocks = [step.fingerprint for step in steps if step.kind == StepKind.INGEST]
    trainings = [
        training
        for step in steps
        if step.kind != StepKind.INGEST
        and (
            training := gather_training(
                store, step.label, step.training or step.fingerprint
            )
        )
    ]
    judged = []
    for step in steps:
        if step.kind == StepKind.TARGET and (
            one := gather_judged(store, step, config.strategy)
        ):
            judged.append(_with_calibration(config, store, step, one, max_scored_rows))
    judged.sort(key=lambda one: not one.publishes)
    features = config.table
    run_day = record.day if record.day is not None else max(s.run_day for s in steps)
    return Report(
        name=config.name,
        day=str(to_date(run_day)),
        sources=tuple(config.sources),
        target=config.target,
        started=record.started,
        written=_now(),
        error=record.error,
        steps=tuple(step_lines(store, record, earlier)),
        quality=gather_quality(
            store, blocks, config.domains, config.validation.min_rows
        ),
        ids=gather_ids(store, blocks, features, config.target),
        trainings=tuple(trainings),
        judged=tuple(judged),
        references=references_of(store, steps),
        level=config.intervals.level,
        card=_card(judged, run_folder(config.root, str(to_date(run_day)))),
    )


def _card(judged: Sequence[Judged], page_folder: Path) -> str:
    """Returns the published version's card, as a path relative to the page."""
    if not judged or not judged[0].published:
        return ""
    card = Path(judged[0].published) / CARD_TEXT_FILE
    return os.path.relpath(card, page_folder) if card.is_file() else ""


def _with_calibration(
    config: Config, store: Store, step: Step, judged: Judged, max_rows: int | None
) -> Judged:
    kept = (config.root / "scores" / f"{step.fingerprint}.parquet").is_file()
    if not kept and not judged.publishes:
        note = "Drawn for the published strategy only."
        return dataclasses.replace(judged, calibration_note=note)
    if not kept and max_rows is not None and judged.candidate.rows > max_rows:
        note = (
            f"Not drawn at the end of a run with more than {max_rows:,} evaluation "
            "rows, because every row is scored again for it; `crossctr report` does."
        )
        return dataclasses.replace(judged, calibration_note=note)
    try:
        scored = score_step(config, store, step)
    # OSError and ValueError: model or Examples are recorded, but their files were
    # removed.
    except (DataError, OSError, ValueError) as error:
        return dataclasses.replace(judged, calibration_note=f"Not drawn: {error}")
    found = tuple(deciles(scored.scores, scored.labels))
    return dataclasses.replace(judged, calibration=found)


def _now() -> datetime.datetime:
    return datetime.datetime.now(tz=datetime.timezone.utc).replace(microsecond=0)
