"""Component spec of Gate."""

from __future__ import annotations

from tfx import types
from tfx.dsl.components.base import base_component
from tfx.dsl.components.base import executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter
from tfx.types.component_spec import ExecutionParameter

from components import artifacts
from components.gate import executor


class GateSpec(types.ComponentSpec):
    """A candidate and its evaluation in, a decision out."""

    PARAMETERS = {
        "thresholds": ExecutionParameter(type=str),
        "level": ExecutionParameter(type=float),
        "strategy": ExecutionParameter(type=str),
        "fingerprint": ExecutionParameter(type=str),
    }
    INPUTS = {
        "model": ChannelParameter(type=standard_artifacts.Model),
        "evaluation": ChannelParameter(type=standard_artifacts.ModelEvaluation),
    }
    OUTPUTS = {"decision": ChannelParameter(type=artifacts.GateDecision)}


class Gate(base_component.BaseComponent):
    """Decides whether a candidate may be published, and says why.

    TFX's Evaluator approves whatever has no baseline; here a cold start is a state of
    its own that the value thresholds must hold in.
    """

    SPEC_CLASS = GateSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        *,
        model: types.BaseChannel,
        evaluation: types.BaseChannel,
        thresholds: str,
        level: float,
        strategy: str,
        fingerprint: str,
    ) -> None:
        """Declares the component.

        Args:
            model: The candidate.
            evaluation: Evaluator's output, with the live model as baseline if any.
            thresholds: JSON of `GateThresholds`.
            level: Share of the bootstrap draws inside an interval.
            strategy: Entry of the configuration's `strategies`, for the record.
            fingerprint: Hash of everything the decision is made from.
        """
        super().__init__(
            GateSpec(
                model=model,
                evaluation=evaluation,
                thresholds=thresholds,
                level=level,
                strategy=strategy,
                fingerprint=fingerprint,
                decision=types.Channel(type=artifacts.GateDecision),
            )
        )
