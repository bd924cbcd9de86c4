"""Trials on disk: Optuna proposes values and keeps what came of them, by ask and tell.

One study for each strategy or reference, in one file of the root. A stopped command
goes on with the trial that it was at: each proposal has a seed of its own, counted from
the study's, so that a study that was stopped proposes what it would have otherwise.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.errors import ConfigError
from pipeline.tuning.space import Knob
from pipeline.tuning.space import Values

TRIALS_FILE = "trials.log"
# Random proposals before the sampler follows what was good.
_STARTUP = 8
# Attribute of a trial that holds its result.
_RESULT = "judged"


@dataclass(frozen=True)
class Judged:
    """Result of a trial.

    Attributes:
        log_loss: Mean over all judged impressions; None if the trial failed.
        auc: Mean over the origins; None if it failed or no origin has both labels.
        by_origin: Log loss of each origin, oldest first.
        seconds: How long it took.
        failure: Why it failed; empty if it did not.
    """

    log_loss: float | None
    auc: float | None
    by_origin: tuple[float, ...] = ()
    seconds: float = 0.0
    failure: str = ""


@dataclass(frozen=True)
class TunedTrial:
    """A finished trial.

    Attributes:
        number: Its number, from 0; 0 has the configuration's own values.
        values: Values of the knobs.
        judged: Its result.
    """

    number: int
    values: Values
    judged: Judged


class Studies:
    """Studies in a folder.

    Args:
        folder: Where trials are kept; made if it is not there.
        seed: Seed of the proposals.

    Raises:
        ConfigError: Optuna is not installed.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self._optuna = _optuna()
        folder.mkdir(parents=True, exist_ok=True)
        journal = self._optuna.storages.journal
        self._storage = self._optuna.storages.JournalStorage(
            journal.JournalFileBackend(str(folder / TRIALS_FILE))
        )
        self._seed = seed

    def study(self, name: str, knobs: Sequence[Knob], first: Values) -> TuningStudy:
        """Returns a study, stored or new.

        Args:
            name: Its name, which differs where trials could not be compared.
            knobs: What is tuned.
            first: The values of its first trial.
        """
        found = self._optuna.create_study(
            storage=self._storage, study_name=name, load_if_exists=True
        )
        return TuningStudy(self._optuna, found, knobs, first, self._seed)


class TuningStudy:
    """Trials of one strategy or reference."""

    def __init__(
        self, optuna: Any, study: Any, knobs: Sequence[Knob], first: Values, seed: int
    ) -> None:
        self._optuna = optuna
        self._states = optuna.trial.TrialState
        self._study = study
        self._seed = seed
        self._first = dict(first)
        self._space = {knob.name: _distribution(optuna, knob) for knob in knobs}
        # Of a command that was stopped; the same values are proposed again.
        for broken_off in self._trials(self._states.RUNNING):
            study.tell(broken_off.number, state=self._states.FAIL)

    def ask(self) -> Any:
        """Returns the next trial, with its values in `params`."""
        number = len(self.finished())
        if not number and not self._trials(self._states.WAITING):
            self._study.enqueue_trial(self._first)
        self._study.sampler = self._optuna.samplers.TPESampler(
            seed=self._seed + number, n_startup_trials=_STARTUP
        )
        return self._study.ask(self._space)

    def tell(self, asked: Any, judged: Judged) -> None:
        """Keeps the result of a trial that `ask` returned."""
        asked.set_user_attr(_RESULT, dataclasses.asdict(judged))
        if judged.log_loss is None:
            self._study.tell(asked, state=self._states.FAIL)
        else:
            self._study.tell(asked, judged.log_loss)

    def finished(self) -> list[TunedTrial]:
        """Returns the finished trials, those that failed included, in order."""
        known = [
            (trial.params, trial.user_attrs[_RESULT])
            for trial in self._trials(self._states.COMPLETE, self._states.FAIL)
            if _RESULT in trial.user_attrs
        ]
        return [
            TunedTrial(
                number,
                values,
                Judged(**{**result, "by_origin": tuple(result["by_origin"])}),
            )
            for number, (values, result) in enumerate(known)
        ]

    def _trials(self, *states: Any) -> list[Any]:
        found: list[Any] = self._study.get_trials(deepcopy=False, states=states)
        return found


def _distribution(optuna: Any, knob: Knob) -> Any:
    kinds = optuna.distributions
    if knob.whole:
        return kinds.IntDistribution(int(knob.low), int(knob.high), log=knob.log)
    return kinds.FloatDistribution(knob.low, knob.high, log=knob.log)


def _optuna() -> Any:
    """Returns the module; imported here alone, as it is an extra."""
    try:
        import optuna
    except ImportError as error:
        raise ConfigError(
            "`crossctr tune` needs the package optuna, which is not installed; install "
            "crossctr with its extra: pip install 'crossctr[tune]'"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
