"""Component spec of References."""

from __future__ import annotations

import json

from tfx import types
from tfx.dsl.components.base import base_component
from tfx.dsl.components.base import executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter
from tfx.types.component_spec import ExecutionParameter

from components import artifacts
from components.references import executor


class ReferencesSpec(types.ComponentSpec):
    """Raw rows of window and evaluation in, metrics and scores out."""

    PARAMETERS = {
        "features": ExecutionParameter(type=str),
        "domains": ExecutionParameter(type=str),
        "first_day": ExecutionParameter(type=int),
        "last_day": ExecutionParameter(type=int),
        "evaluation_first_day": ExecutionParameter(type=int),
        "evaluation_last_day": ExecutionParameter(type=int),
        "most_rows": ExecutionParameter(type=int),
        "settings": ExecutionParameter(type=str),
        "num_draws": ExecutionParameter(type=int),
        "fingerprint": ExecutionParameter(type=str),
    }
    INPUTS = {
        "examples": ChannelParameter(type=standard_artifacts.Examples),
        "evaluation_examples": ChannelParameter(type=standard_artifacts.Examples),
    }
    OUTPUTS = {"references": ChannelParameter(type=artifacts.ReferenceScores)}


class References(base_component.BaseComponent):
    """Fits the references on the target level's window and scores the evaluation rows.

    They are measured as the strategies are and never published.
    """

    SPEC_CLASS = ReferencesSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        *,
        examples: types.BaseChannel,
        evaluation_examples: types.BaseChannel,
        features: str,
        domains: tuple[str, ...],
        first_day: int,
        last_day: int,
        evaluation_first_day: int,
        evaluation_last_day: int,
        most_rows: int,
        settings: str,
        num_draws: int,
        fingerprint: str,
    ) -> None:
        """Declares the component.

        Args:
            examples: Raw Examples of every block that overlaps the window.
            evaluation_examples: Raw Examples of the blocks that hold the evaluation
                days.
            features: JSON of the `FeatureTable`.
            domains: The sources and, last, the target.
            first_day: First day of the window, days since 1970-01-01.
            last_day: Its last day.
            evaluation_first_day: First day of the evaluation rows.
            evaluation_last_day: Their last day.
            most_rows: Impressions that are fitted on, at most.
            settings: JSON of the `ReferenceSettings`.
            num_draws: Bootstrap draws of the metrics' intervals; 0 for none.
            fingerprint: Hash of everything the result is made from.
        """
        super().__init__(
            ReferencesSpec(
                examples=examples,
                evaluation_examples=evaluation_examples,
                features=features,
                domains=json.dumps(domains),
                first_day=first_day,
                last_day=last_day,
                evaluation_first_day=evaluation_first_day,
                evaluation_last_day=evaluation_last_day,
                most_rows=most_rows,
                settings=settings,
                num_draws=num_draws,
                fingerprint=fingerprint,
                references=types.Channel(type=artifacts.ReferenceScores),
            )
        )
