"""Consequences of a failed step: strategies that are lost and steps still needed."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence

from models.errors import CrossctrError
from models.errors import ExitCode
from pipeline.planning.step_kinds import StepKind
from pipeline.planning.steps import Step
from pipeline.planning.steps import upstream


class StrategiesFailedError(CrossctrError):
    """Strategies of a command that runs several have failed.

    Attributes:
        reasons: Why, by strategy.
    """

    headline = "Strategies failed"
    exit_code = ExitCode.SOME_STRATEGIES_FAILED

    def __init__(self, reasons: Mapping[str, str]) -> None:
        self.reasons = dict(reasons)
        text = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
        super().__init__(
            f"{text}. What the other strategies made is kept; the same command "
            "repeats only what failed"
        )


def raise_failed(reasons: Mapping[str, str]) -> None:
    """Raises if strategies have failed.

    Raises:
        StrategiesFailedError: There are reasons.
    """
    if reasons:
        raise StrategiesFailedError(reasons)


class Failures:
    """The strategies of a plan that have failed so far.

    A strategy has failed when a step has that its target step rests on.

    Attributes:
        reasons: Why, by strategy.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        """Remembers what each target step of a plan rests on.

        Args:
            steps: The plan. Without target steps, any failure ends it.
        """
        self.reasons: dict[str, str] = {}
        self._upstream = {
            step.strategy: {one.fingerprint for one in upstream(step, steps)}
            for step in steps
            if step.kind == StepKind.TARGET
        }

    def add(self, step: Step, error: CrossctrError) -> None:
        """Notes that `step` has failed.

        Raises:
            CrossctrError: `error`, if no strategy is left that can do without `step`.
            StrategiesFailedError: No strategy is left, and they failed for more than
                one reason.
        """
        if step.kind == StepKind.REFERENCES:
            # No strategy depends on them, and their table is only poorer without.
            self.reasons[str(step.kind)] = str(error)
            return
        lost = [
            name for name in self._left() if step.fingerprint in self._upstream[name]
        ]
        self.reasons |= dict.fromkeys(lost, str(error))
        if lost and self._left():
            return
        if len(set(self.reasons.values())) > 1:
            raise StrategiesFailedError(self.reasons)
        raise error

    def needs(self, step: Step) -> bool:
        """Returns whether a strategy that has not failed rests on `step`."""
        if not self.reasons or step.kind == StepKind.REFERENCES:
            return True
        return any(step.fingerprint in self._upstream[name] for name in self._left())

    def _left(self) -> list[str]:
        return [name for name in self._upstream if name not in self.reasons]
