"""Component spec of Publisher."""

from __future__ import annotations

from tfx import types
from tfx.dsl.components.base import base_component
from tfx.dsl.components.base import executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter
from tfx.types.component_spec import ExecutionParameter

from components import artifacts
from components.publisher import executor


class PublisherSpec(types.ComponentSpec):
    """A model and the Gate's decision in, a version folder out."""

    PARAMETERS = {
        "name": ExecutionParameter(type=str),
        "directory": ExecutionParameter(type=str),
        "day": ExecutionParameter(type=int),
        "fingerprint": ExecutionParameter(type=str),
    }
    INPUTS = {
        "model": ChannelParameter(type=standard_artifacts.Model),
        "decision": ChannelParameter(type=artifacts.GateDecision),
    }
    OUTPUTS = {"published": ChannelParameter(type=artifacts.PublishedModel)}


class Publisher(base_component.BaseComponent):
    """Publishes an approved model under a version made of its day.

    TFX's Pusher takes versions from the wall clock, so a backfilled day would become
    the newest.
    """

    SPEC_CLASS = PublisherSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        *,
        model: types.BaseChannel,
        decision: types.BaseChannel,
        name: str,
        directory: str,
        day: int,
        fingerprint: str,
    ) -> None:
        """Declares the component.

        Args:
            model: The candidate.
            decision: The Gate's decision on it.
            name: Name of the model.
            directory: Folder that a server watches.
            day: The run's day; the version's date.
            fingerprint: Hash of everything the result is made from.
        """
        super().__init__(
            PublisherSpec(
                model=model,
                decision=decision,
                name=name,
                directory=directory,
                day=day,
                fingerprint=fingerprint,
                published=types.Channel(type=artifacts.PublishedModel),
            )
        )
