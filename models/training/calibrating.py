"""Calibration of a level: each newest day is scored, then trained on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from models.artifact_files import SCORED_FILE
from models.artifact_files import TRAIN_FOLDER
from models.artifact_files import model_report
from models.networks.network import Network
from models.progress import PROGRESS
from models.training.calibration import Platt
from models.training.calibration import describe
from models.training.distribution import Workers
from models.training.epochs import TrainingResult
from models.training.learners import Learner
from models.training.loop import DailyTraining
from models.training.scored_days import ScoredDays
from models.training.window import LevelWindow


def train_newest_days(
    window: LevelWindow,
    network: Network,
    scored: ScoredDays,
    *,
    make_learner: Callable[[], Learner],
    local: Network,
    gather: Callable[[], Network],
    workers: Workers,
) -> tuple[list[TrainingResult], Network]:
    """Scores each of the newest days with the current model, then trains on it.

    Args:
        window: The level's window.
        network: The network; its variables are changed in place.
        scored: Collects the scores.
        make_learner: Returns a learner.
        local: A copy of the network that belongs to this process alone.
        gather: Returns such a copy after a training.
        workers: Processes that train together.

    Returns:
        The results of the trainings, and this process's copy of the trained network.
    """
    newest = window.newest_rows
    if not newest:
        return [], local
    network.keep_statistics(True)
    daily = DailyTraining(
        network,
        window.training,
        run_dir=window.inputs.run_dir / "daily",
        learner=make_learner(),
        workers=workers,
    )
    for day, num_rows in newest.items():
        scored.add(day, local, window.targets(day))
        daily.train(day, window.whole.between(day, day), num_rows)
        local = gather()
    return [daily.finish()], local


def scored_before(window: LevelWindow) -> ScoredDays:
    """Returns the scored days stored with the model to continue from, if any."""
    inputs, reader = window.inputs, window.reader
    if inputs.continues:
        stored = Path(str(inputs.warm_start)) / TRAIN_FOLDER / SCORED_FILE
        if stored.is_file():
            return ScoredDays.read(stored)
        reader = window.targets()
    elif len(inputs.domains) > 1:
        reader = window.targets().between(inputs.first_day, inputs.last_trained_day)
    return ScoredDays.drawn_from(reader, seed=inputs.training.seed)


def fit_calibrator(window: LevelWindow, network: Network, scored: ScoredDays) -> Platt:
    """Fits the calibrator on the newest days' scores.

    A level that continues keeps its previous calibrator if these days have too few
    clicks or too few impressions without one.
    """
    inputs = window.inputs
    calibrator = scored.calibrator(network, first_day=inputs.first_calibration_day)
    if inputs.continues and not calibrator.rows:
        former = model_report(Path(str(inputs.warm_start)))
        known = json.loads(former.read_text(encoding="utf-8")).get("calibration")
        calibrator = Platt(**known) if known else calibrator
    PROGRESS.info(describe(calibrator))
    return calibrator
