"""Tuning of strategies and references on the days before a run's day.

A trial is one set of values. A strategy is trained with it up to each origin, by the
machinery of comparisons, and judged on the days from the origin on. The judge is log
loss over all judged impressions, as it counts calibration beside order and is what
trainings minimise (our choice); AUC stands beside it.

Everything lies in a root of its own, `<root>/tune/<day>`: trials must not become
models that a later run continues, and its blocks end before the day. So no impression
of the day or later is read.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from components.evaluation.model_metrics import metrics_of
from models.days import DayRange
from models.days import to_date
from models.errors import ConfigError
from models.errors import TrainingError
from models.references.names import CONSTANT
from models.references.settings import ReferenceSettings
from pipeline.comparing.run import chosen
from pipeline.comparing.trials import run_references
from pipeline.comparing.trials import run_trials
from pipeline.config.entries import entry_config
from pipeline.config.load import dump
from pipeline.config.schema import Config
from pipeline.config.tuned import over
from pipeline.execution.failures import StrategiesFailedError
from pipeline.planning.fingerprint import LogFingerprints
from pipeline.planning.fingerprint import code_fingerprint
from pipeline.planning.fingerprint import digest
from pipeline.schemas.files import read_schema
from pipeline.schemas.files import transform_part
from pipeline.terminal.plain_text import Console
from pipeline.tuning.origins import Origin
from pipeline.tuning.origins import origins_before
from pipeline.tuning.space import FAMILIES
from pipeline.tuning.space import REFERENCES
from pipeline.tuning.space import current
from pipeline.tuning.space import knobs_of
from pipeline.tuning.space import overrides
from pipeline.tuning.studies import Judged
from pipeline.tuning.studies import Studies
from pipeline.tuning.studies import TunedTrial
from pipeline.tuning.studies import TuningStudy

# Keys that change no trial, or whose content is hashed by itself.
_UNRELATED = {
    *("name", "root", "metadata", "logs", "schema", "import", "simulate", "wait"),
    *("beam_args", "strategy", "strategies", "gate", "slices", "intervals", "serving"),
}


@dataclass(frozen=True)
class Task:
    """What is tuned, and on which days.

    Attributes:
        config: The configuration in the root of the tuning, with an entry for each
            strategy and `evaluation_days` as long as an origin's window.
        day: The run's day D; no impression of it or later is read.
        names: Strategies and references, in order.
        origins: Origins, oldest first.
        num_trials: Trials of each.
        num_seeds: Trainings of each trial at each origin.
    """

    config: Config
    day: int
    names: tuple[str, ...]
    origins: tuple[Origin, ...]
    num_trials: int
    num_seeds: int


def task_of(
    config: Config,
    day: int,
    names: Sequence[str],
    *,
    num_trials: int,
    num_origins: int,
    num_seeds: int,
) -> Task:
    """Returns the task, with the root of its own.

    Args:
        config: The configuration.
        day: The run's day D.
        names: Entries of `strategies`, kinds, and `FAMILIES` of references.
        num_trials: Trials of each.
        num_origins: Number of origins.
        num_seeds: Trainings of each trial at each origin.

    Raises:
        ConfigError: A name is not known, or there are too few days before `day`.
    """
    origins = origins_before(config, day, num_origins)
    tuned = [one for name in names for one in _meant(name)]
    strategies = chosen(config, [name for name in tuned if name not in REFERENCES])
    if set(tuned) & set(REFERENCES) and not config.references.rows:
        raise ConfigError(
            "references.rows is 0, which leaves references out; give a number, such as "
            "200000, or name strategies alone"
        )
    own = config.model_copy(
        update={
            "root": config.root / "tune" / str(to_date(day)),
            "metadata": "sqlite",
            "strategies": strategies,
            "strategy": "",
            "evaluation_days": len(origins[0].judged),
            # Trials are ranked by the value alone.
            "intervals": config.intervals.model_copy(update={"draws": 0}),
        }
    )
    return Task(
        own, day, tuple(dict.fromkeys(tuned)), tuple(origins), num_trials, num_seeds
    )


def _meant(name: str) -> list[str]:
    """Returns the references of a family, or the name as it is."""
    if name not in FAMILIES:
        return [name]
    return [one for one in REFERENCES if one.startswith(name)]


def tune(
    task: Task, console: Console, on_trial: Callable[[str, TunedTrial], None]
) -> dict[str, list[TunedTrial]]:
    """Runs the trials that are not stored yet; returns all by name, in order.

    Args:
        task: What is tuned.
        console: Shows progress.
        on_trial: Called after each new trial.

    Raises:
        CrossctrError: Something failed that does not depend on a trial's values.
    """
    studies = Studies(task.config.root, task.config.training.seed)
    data = _data_of(task)
    opened = {
        name: studies.study(
            f"{name} {_identity(task, name, data)}",
            knobs_of(task.config, name),
            current(task.config, name),
        )
        for name in task.names
    }
    references = {name: opened[name] for name in task.names if name in REFERENCES}
    while due := _due(task, references):
        for name in _run_references(task, due, console):
            on_trial(name, opened[name].finished()[-1])
    for name in [name for name in task.names if name not in REFERENCES]:
        while _due(task, {name: opened[name]}):
            _run_strategy(task, name, opened[name], console)
            on_trial(name, opened[name].finished()[-1])
    return {name: study.finished()[: task.num_trials] for name, study in opened.items()}


def _due(task: Task, studies: Mapping[str, TuningStudy]) -> dict[str, TuningStudy]:
    return {
        name: study
        for name, study in studies.items()
        if len(study.finished()) < task.num_trials
    }


def _data_of(task: Task) -> str:
    """Returns a hash of the logs and the schema that are read."""
    logs = LogFingerprints(task.config)
    found = logs(DayRange(task.config.first, task.origins[-1].judged.last))
    task.config.root.mkdir(parents=True, exist_ok=True)
    logs.hashes.save()
    return digest(found, transform_part(read_schema(task.config.schema_path)))


def _identity(task: Task, name: str, data: str) -> str:
    """Returns a hash of all that makes the trials of a name comparable."""
    whole: dict[str, Any] = json.loads(dump(task.config))
    settings = {key: whole[key] for key in whole.keys() - _UNRELATED}
    entry = None if name in REFERENCES else task.config.entry_of(name)
    days = [str(one) for one in task.origins]
    return digest(code_fingerprint(), settings, entry, days, task.num_seeds, data)


def _run_strategy(task: Task, name: str, study: TuningStudy, console: Console) -> None:
    asked = study.ask()
    own = overrides(task.config, name, asked.params)
    entry = entry_config(name, over(task.config.entry_of(name), own))
    started = time.monotonic()
    losses, aucs, rows = [], [], []
    try:
        for origin in task.origins:
            found = run_trials(
                task.config,
                origin.day,
                {name: entry},
                task.num_seeds,
                console,
                references=False,
                quiet=True,
            )
            for scored, _ in found.complete[name]:
                metrics = metrics_of(scored.users, scored.labels, scored.scores)
                losses.append(metrics["log_loss"])
                aucs.append(metrics["auc"])
                rows.append(len(scored.labels))
    except (TrainingError, StrategiesFailedError) as error:
        study.tell(
            asked, Judged(None, None, (), time.monotonic() - started, str(error))
        )
        return
    study.tell(asked, judged_of(task, losses, aucs, rows, time.monotonic() - started))


def _run_references(
    task: Task, due: Mapping[str, TuningStudy], console: Console
) -> list[str]:
    """Runs a trial of each reference that is due, all at once."""
    asked = {name: study.ask() for name, study in due.items()}
    settings = task.config.references.settings.model_dump(by_alias=True)
    for name, trial in asked.items():
        settings[name] = overrides(task.config, name, trial.params)
    own = task.config.references.model_copy(
        update={"settings": ReferenceSettings.model_validate(settings)}
    )
    config = task.config.model_copy(update={"references": own, "strategies": {}})
    started = time.monotonic()
    found = [run_references(config, origin.day, console) for origin in task.origins]
    seconds = time.monotonic() - started
    rows = [len(one.scores()[CONSTANT]) for one in found]
    for name, trial in asked.items():
        if not all(name in one.by_name for one in found):
            why = "it is not fitted: there are no numbers, sources, or domains to read"
            due[name].tell(trial, Judged(None, None, failure=why))
            continue
        metrics = [one.by_name[name].metrics for one in found]
        losses = [_number(one["log_loss"]) for one in metrics]
        aucs = [_number(one["auc"]) for one in metrics]
        trial_seconds = seconds / len(asked)
        due[name].tell(trial, judged_of(task, losses, aucs, rows, trial_seconds))
    return list(asked)


def judged_of(
    task: Task,
    losses: Sequence[float],
    aucs: Sequence[float],
    rows: Sequence[int],
    seconds: float,
) -> Judged:
    """Returns the result of a trial.

    Args:
        task: What is tuned.
        losses: Log losses of the origins, oldest first, each of all its seeds.
        aucs: The same of AUC.
        rows: The same of the number of judged impressions.
        seconds: How long the trial took.
    """
    loss, weight = np.array(losses), np.array(rows)
    # A window without impressions judges nothing.
    judges = weight > 0
    failure = ""
    if not judges.any():
        failure = "the target has no impressions on the days that it is judged on"
    elif not np.isfinite(loss[judges]).all():
        failure = "its log loss is not a finite number: the training diverged"
    if failure:
        return Judged(None, None, (), seconds, failure)
    by_origin = np.reshape(loss, (len(task.origins), -1)).mean(axis=1)
    return Judged(
        float(np.average(loss[judges], weights=weight[judges])),
        _mean(aucs),
        tuple(by_origin.tolist()),
        seconds,
    )


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _mean(values: Sequence[float]) -> float | None:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else None
