"""Trainings of target models, by the model that each starts from.

A training starts from CPM or from random weights, from the strategy's own model of an
earlier day, or from the same day's target model without a source model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.days import DayRange
from models.days import to_date
from models.strategies.registry import origin
from pipeline.config.schema import Config
from pipeline.planning.fingerprint import digest
from pipeline.planning.fingerprint import training_settings
from pipeline.planning.pretraining import Pretraining
from pipeline.planning.steps import Block
from pipeline.planning.steps import Training
from pipeline.planning.steps import new_days
from pipeline.planning.steps import overlapping
from pipeline.planning.steps import prints


@dataclass(frozen=True)
class TargetInputs:
    """Artifacts that a strategy's target model of a day can read.

    Attributes:
        day: Day of the model.
        strategy: The entry of `strategies`.
        history: Blocks that end before the day, oldest first.
        snapshots: Fingerprints of the TPM periods that it reads, newest first.
    """

    day: int
    strategy: str
    history: list[Block]
    snapshots: tuple[str, ...]


class Trainings:
    """Plans single trainings of target models; `TargetLevel` chooses among them."""

    def __init__(self, config: Config, code: str, pretraining: Pretraining) -> None:
        """Collects what fingerprints are made of.

        Args:
            config: The configuration.
            code: Hash of the code that makes artifacts.
            pretraining: Plans CPM.
        """
        self._config = config
        self._code = code
        self._pretraining = pretraining
        self._clock = config.levels.target.clock(config.anchor)

    def restarted(self, inputs: TargetInputs) -> Training:
        """Plans a training on the whole window, from CPM if the strategy reads it."""
        day, strategy, snapshots = inputs.day, inputs.strategy, inputs.snapshots
        window = self._clock.logged_window(day, self._config.first)
        tick = self._pretraining.cpm_tick(day)
        cpm = None
        days = f"{len(window.days)} days"
        notes = [f"starts anew on {days}{self._of_domains(strategy)}"]
        if self._config.needs(strategy).cpm:
            cpm = self._pretraining.cpm(day, strategy, inputs.history)[-1]
            notes = [f"restarts from CPM of {to_date(tick)}, replays {days}"]
        if day != tick:
            notes.append(f"no model of {to_date(tick)} or later to continue from")
        if cpm is not None and snapshots and not cpm.snapshots:
            # The interaction's width depends on whether there are snapshots.
            snapshots = ()
            notes.append("no snapshots, as CPM had none yet")
        notes.append(window.note)
        return self._training(
            inputs,
            window.days,
            notes,
            warm_start=cpm.fingerprint if cpm is not None else None,
            snapshots=snapshots,
        )

    def continued(
        self, inputs: TargetInputs, past: Training, source: str | None = None
    ) -> Training:
        """Plans a training from an earlier day's model, on the days since.

        Args:
            inputs: What the model can read.
            past: The training of the earlier model.
            source: Fingerprint of the source model that it reads, if it reads one.
        """
        strategy, snapshots = inputs.strategy, inputs.snapshots
        window = self._clock.window_of(inputs.day)
        days = DayRange(max(past.day, window.first), window.last)
        notes = [
            f"continues from {self._model_name(strategy, source)} of "
            f"{to_date(past.day)}, "
            f"trains on {new_days(days)}{self._of_domains(strategy)}"
        ]
        if past.day < days.first:
            notes.append(f"{days.first - past.day} older days lie before its window")
        if snapshots and not past.snapshots:
            snapshots = ()
            until = "" if source else " until CPM's next tick"
            notes.append(f"no snapshots{until}, as it started without")
        return self._training(
            inputs,
            days,
            notes,
            warm_start=past.fingerprint,
            snapshots=snapshots,
            continues=True,
            source=source,
        )

    def initialised(
        self, inputs: TargetInputs, base: Training, source: str
    ) -> Training:
        """Plans a model assembled from a source and a target model, without training.

        Args:
            inputs: What the model can read.
            base: The training of the same day's target model without a source model.
            source: Fingerprint of the source model.
        """
        day = inputs.day
        return self._training(
            inputs,
            DayRange(day - 1, day - 1),
            [f"starts from the target model of {to_date(day)} as it is"],
            warm_start=base.fingerprint,
            snapshots=base.snapshots,
            continues=True,
            source=source,
            base=base,
        )

    def _training(
        self,
        inputs: TargetInputs,
        days: DayRange,
        notes: Sequence[str],
        *,
        warm_start: str | None,
        snapshots: tuple[str, ...],
        continues: bool = False,
        source: str | None = None,
        base: Training | None = None,
    ) -> Training:
        config, strategy = self._config, inputs.strategy
        blocks = overlapping(inputs.history, days)
        # What all keys of an entry of somebody else's strategy do is not known here.
        foreign = origin(config.kind_of(strategy))
        fingerprint = digest(
            *training_settings(config, self._code, "target", strategy),
            config.domains_of(strategy),
            config.strategy_of(strategy).identity(source_model=source is not None),
            [config.needs(strategy).batch_norm, config.levels.target.calibration_days],
            prints(blocks),
            str(days),
            snapshots,
            warm_start,
            continues,
            [*foreign, config.entry_of(strategy)] if foreign else [],
            [source, base is not None] if source else None,
        )
        return Training(
            day=inputs.day,
            days=days,
            fingerprint=fingerprint,
            blocks=blocks,
            warm_start=warm_start,
            continues=continues,
            snapshots=snapshots,
            note="; ".join(note for note in notes if note),
            source=source,
            base=base,
        )

    def _of_domains(self, strategy: str) -> str:
        return " of all domains" if len(self._config.domains_of(strategy)) > 1 else ""

    def _model_name(self, strategy: str, source: str | None) -> str:
        if self._config.needs(strategy).source_model and not source:
            return "the target model"
        return self._config.strategy_of(strategy).model_name or strategy
